use super::*;

const TEXT: &[u8] = b"Package: b\nVersion: 1:2-3\nArchitecture: amd64\nEssential: yes\nPriority: required\n\
    Multi-Arch: foreign\nProvides: virtual (= 2), w,\n x:any\nRecommends: r | s\nDepends: c (>= 1), a\n\
    Description: text\n Package: not\n .\n more\n\n\nVersion: 2\nPackage: a\nArchitecture: all\nPriority: odd\n\n";

#[test]
fn packages_are_read_with_the_order_of_names() {
    let index = Index::parse(TEXT.to_vec()).expect("an index");
    let names: Vec<_> = index.names().map(|name| name.escape_ascii().to_string()).collect();
    assert_eq!(names, ["b", "c", "a", "r", "s", "virtual", "w", "x:any"]);
    let packages: Vec<_> = index.packages().collect();
    assert_eq!(packages.len(), 2);
    let b = packages[0];
    assert_eq!((b.name, b.version, b.architecture), (0, &b"1:2-3"[..], &b"amd64"[..]));
    assert_eq!((b.priority, b.multi_arch, b.is_essential), (Priority::Required, MultiArch::Foreign, true));
    assert!(b.paragraph.starts_with(b"Package: b\n") && b.paragraph.ends_with(b"\n more\n"));
    assert_eq!((packages[1].name, packages[1].priority), (2, Priority::Extra));
    let provided: Vec<_> = index.provided().collect();
    assert_eq!(provided, [(5, 0, Some(&b"2"[..])), (6, 0, None), (7, 0, None)]);
}

#[test]
fn encoded_indices_are_decoded() {
    let index = Index::parse(TEXT.to_vec()).expect("an index");
    let bytes = index.encode();
    assert_eq!(Index::decode(bytes.clone()).as_ref(), Some(&index));
    for len in 0..bytes.len() {
        assert_eq!(Index::decode(bytes[..len].to_vec()), None, "{len}");
    }
    for at in TEXT.len()..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x80;
        // Whatever is decoded can be read.
        let decoded = Index::decode(changed).unwrap_or_default();
        assert!(decoded.packages().all(|package| decoded.names().nth(package.name).is_some()));
    }
    assert_eq!(Index::decode(Index::default().encode()), Some(Index::default()));
    let mut other = bytes;
    *other.last_mut().expect("it has an end") ^= 1;
    assert_eq!(Index::decode(other), None, "it is of another version");
}

#[test]
fn faults_are_named_with_their_line() {
    let whole = "Package: a\nVersion: 1\nArchitecture: all\n";
    for (text, expected) in [
        ("Version: 1\nArchitecture: all\n", "the paragraph has no Package"),
        ("Package: a\nArchitecture: all\n", "the paragraph has no Version"),
        ("Package: a\nVersion: 1\n", "the paragraph has no Architecture"),
        ("Package: ../a\nVersion: 1\nArchitecture: all", "\"../a\" is not the name of a package"),
        ("Package: a\nVersion: 1/2\nArchitecture: all", "\"1/2\" is not a version"),
        ("Package: a\nVersion: 1\nArchitecture: a/b", "\"a/b\" is not an architecture"),
    ] {
        let error = Index::parse(format!("{whole}\n\n{text}").into_bytes()).expect_err(text);
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(error, format!("line 6 (\"{first}\"): {expected}"));
    }
}

#[test]
fn comments_and_values_without_a_meaning_are_skipped() {
    let text = "# a comment\n\n# another\nPackage: a\nVersion: 1\nEssential: no\nArchitecture: all\n\
        Provides: z (>= 1),\n# inside\n y\n\n# the last\n";
    let index = Index::parse(text.as_bytes().to_vec()).expect("an index");
    let found: Vec<_> = index.packages().map(|package| (package.version, package.is_essential)).collect();
    assert_eq!(found, [(&b"1"[..], false)]);
    let names: Vec<_> = index.names().collect();
    let provided: Vec<_> = index.provided().map(|(name, ..)| names[name]).collect();
    assert!(!provided.contains(&&b"z"[..]), "only = states the version of a provided name");
    let long = format!("Package: {}\nVersion: 1\nArchitecture: all\n", "a".repeat(256));
    assert!(
        Index::parse(long.into_bytes()).expect_err("a long name").ends_with("is not the name of a package")
    );
}
