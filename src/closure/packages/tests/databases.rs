//! Tests of databases that are unusual, or beside each other.

use super::*;

fn file(text: &str) -> image_tree::Kind<Vec<u8>> {
    image_tree::Kind::Regular(text.as_bytes().to_vec())
}

fn native(files: &[(&str, &str)]) -> String {
    let tree = tree(files);
    let installed = installed::Installed::read(&tree).expect("it is read");
    installed.native().escape_ascii().to_string()
}

#[test]
fn the_native_architecture_is_stated_or_the_most_frequent() {
    let status = "Package: a\nArchitecture: all\n\nPackage: b\nArchitecture: all\n\n\
        Package: c\nArchitecture: i386\n\nPackage: d\nArchitecture: arm64\n\n";
    let status = ("/var/lib/dpkg/status", status);
    // Of equally many, the first by its name.
    assert_eq!(native(&[status]), "arm64");
    let (stated, own) = ("/var/lib/dpkg/arch", "/var/lib/dpkg/arch-native");
    assert_eq!(native(&[status, (stated, "i386\nppc64el\n")]), "i386");
    assert_eq!(native(&[status, (stated, "i386\n"), (own, " s390x \n")]), "s390x");
    assert_eq!(native(&[status, (stated, "i386\n"), (own, "\n")]), "i386");
    let one = ("/var/lib/dpkg/status.d/e", "Package: e\nArchitecture: i386\n");
    assert_eq!(native(&[one]), "i386");
    assert_eq!(native(&[status, one]), "i386");
}

#[test]
fn packages_of_one_name_are_shown_with_their_architecture_if_they_have_one() {
    let tree = tree(&[(
        "/var/lib/dpkg/status",
        "Package: a\nArchitecture: i386\n\nPackage: a\nArchitecture: amd64\n\nPackage: a\n\nPackage: b\n",
    )]);
    let installed = installed::Installed::read(&tree).expect("it is read");
    let names: Vec<String> = (0..4).map(|index| installed.shown(index)).collect();
    assert_eq!(names, ["a:i386", "a:amd64", "a", "b"]);
}

#[test]
fn a_list_with_or_without_the_architecture_is_found() {
    let mut tree = tree(&[
        (
            "/var/lib/dpkg/status",
            "Package: a\nArchitecture: i386\n\nPackage: b\nArchitecture: i386\nMulti-Arch: same\n",
        ),
        ("/var/lib/dpkg/info/a:i386.list", "/etc/a\n"),
        ("/var/lib/dpkg/info/b.list", "/etc/b\n"),
        ("/etc/a", ""),
        ("/etc/b", ""),
    ]);
    let found = |tree: &Tree<Vec<u8>>| requested(tree, &["a", "b"], false).expect("they are installed");
    let expected = vec!["/etc/a: package a".to_owned(), "/etc/b: package b".to_owned()];
    assert_eq!(found(&tree), (expected.clone(), Vec::new()));
    // If there are both, Multi-Arch decides.
    add(&mut tree, "/var/lib/dpkg/info/a.list", file("/etc/a\n"));
    add(&mut tree, "/var/lib/dpkg/info/b:i386.list", file("/etc/b\n"));
    for other in ["/var/lib/dpkg/info/a:i386.list", "/var/lib/dpkg/info/b.list"] {
        let id = image_tree::resolve::resolve_in_root(&tree, other.as_bytes()).expect("it exists");
        tree.replace_kind(id, file("/etc/other\n")).expect("a file");
    }
    assert_eq!(found(&tree), (expected, Vec::new()));
}

#[test]
fn a_list_comes_before_checksums_and_has_its_own_links() {
    let tree = tree(&[
        ("/var/lib/dpkg/status.d/a", "Package: a\n"),
        ("/var/lib/dpkg/status.d/a.list", "/etc/a\n"),
        ("/var/lib/dpkg/status.d/a.md5sums", "d41d8cd98f00b204e9800998ecf8427e  etc/b\n"),
        ("/var/lib/dpkg/status.d/c", "Package: c\n"),
        ("/var/lib/dpkg/status.d/c.md5sums", "d41d8cd98f00b204e9800998ecf8427e  etc/b\n"),
        ("/etc/a", ""),
        ("/etc/b", ""),
        ("/etc/link-to-a", "-> a"),
        ("/etc/link-to-b", "-> b"),
    ]);
    let (found, _) = requested(&tree, &["a"], false).expect("it is installed");
    assert_eq!(found, ["/etc/a: package a"]);
    let (found, _) = requested(&tree, &["c"], false).expect("it is installed");
    assert_eq!(found, ["/etc/b: package c", "/etc/link-to-b: package c"]);
}

#[test]
fn a_database_under_two_paths_is_read_once() {
    let mut tree =
        tree(&[("/lib", "-> usr/lib"), ("/usr/lib/apk/db/installed", "P:a\nA:x86_64\nF:etc\nR:a\n")]);
    add(&mut tree, "/etc/a", file(""));
    let installed = installed::Installed::read(&tree).expect("it is read");
    assert_eq!((installed.entries.len(), installed.shown(0)), (1, "a".to_owned()));
}

#[test]
fn the_first_database_of_an_old_format_is_named() {
    let tree = tree(&[("/var/lib/rpm/Packages", "x"), ("/usr/lib/sysimage/rpm/Packages.db", "x")]);
    let error = requested(&tree, &["app"], false).expect_err("they are old");
    assert!(error.contains("/var/lib/rpm/Packages: it has rpm's old format Berkeley DB"), "{error}");
}

#[test]
fn keys_of_rpm_are_not_packages() {
    let error = requested(&fedora(), &["gpg-pubkey"], false).expect_err("it is a key");
    assert!(error.starts_with("gpg-pubkey: no such package is installed"), "{error}");
}

#[test]
fn old_packages_of_rpm_have_whole_paths() {
    let strings = |all: &[&str]| Value::Strings(all.iter().map(|one| (*one).into()).collect());
    let old = (1027, strings(&["relative", "/", "/usr/bin/old", "/usr/bin/ghost"]));
    let flags = (1037, Value::Numbers(vec![0, 0, 0, 64]));
    let listed = |tags: &[(u32, Value)]| -> Vec<(String, bool)> {
        let header = rpm::Header::parse(header(tags)).expect("a header");
        let files = rpm::files(&header);
        files.iter().map(|one| (one.path.escape_ascii().to_string(), one.optional)).collect()
    };
    let expected = [("/usr/bin/old".to_owned(), false), ("/usr/bin/ghost".to_owned(), true)];
    assert_eq!(listed(&[old.clone(), flags.clone()]), expected);
    let new = [
        (1116, Value::Numbers(vec![0, 7, 0])),
        (1117, strings(&["new", "nowhere", ""])),
        (1118, strings(&["/"])),
    ];
    let both: Vec<_> = [old, flags].into_iter().chain(new).collect();
    assert_eq!(listed(&both), [("/new".to_owned(), false)]);
}
