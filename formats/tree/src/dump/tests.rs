//! Tests of round trips and of invalid text.

use std::convert::Infallible;
use std::io;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::{Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName};

type Bytes = Tree<Vec<u8>>;

fn write_inline(tree: &Bytes) -> Vec<u8> {
    let mut text = Vec::new();
    write(tree, &mut text, |_, bytes| Ok(Body::Inline(bytes.into()))).expect("memory takes every write");
    text
}

fn parse_inline(text: &[u8]) -> Result<Bytes, ParseError<io::Error>> {
    parse(text, |file| match file.body {
        Body::None if file.size == 0 => Ok(Vec::new()),
        Body::Inline(bytes) => Ok(bytes.into_owned()),
        _ => Err(io::Error::other("the bytes are elsewhere")),
    })
}

/// An element of a generated tree: each chooses its parent among the directories before it.
#[derive(Clone, Debug)]
enum Part {
    New(Inode<Vec<u8>>),
    /// Another name of one of the files before.
    Link(prop::sample::Index),
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let xattrs = btree_map(vec(1_u8.., 1..6), vec(any::<u8>(), 0..6), 0..3);
    let time = (any::<i64>(), 0..1_000_000_000_u32);
    (0..=0o7777_u16, any::<u32>(), any::<u32>(), time, xattrs).prop_map(|(mode, uid, gid, time, xattrs)| {
        Metadata {
            mode,
            uid,
            gid,
            mtime: Timestamp::new(time.0, time.1).expect("below a second"),
            xattrs: xattrs
                .into_iter()
                .map(|(name, value)| (XattrName::new(name).expect("short, without NUL"), value.into()))
                .collect(),
        }
    })
}

fn kind() -> impl Strategy<Value = Kind<Vec<u8>>> {
    let device = (any::<u32>(), any::<u32>()).prop_map(|(major, minor)| Device { major, minor });
    prop_oneof![
        3 => Just(Kind::Directory(std::collections::BTreeMap::new())),
        3 => vec(any::<u8>(), 0..8).prop_map(Kind::Regular),
        // A lone dash looks like an unset field.
        1 => Just(Kind::Regular(b"-".to_vec())),
        1 => vec(1_u8.., 1..8).prop_map(|bytes| Kind::Symlink(LinkTarget::new(bytes).expect("no NUL"))),
        1 => Just(Kind::Symlink(LinkTarget::new("-").expect("a dash is a target"))),
        1 => device.clone().prop_map(Kind::BlockDevice),
        1 => device.prop_map(Kind::CharacterDevice),
        1 => Just(Kind::Fifo),
        1 => Just(Kind::Socket),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    // A few letters, so that names collide and sort close to each other; bytes on both sides of
    // `/`; any other bytes.
    prop_oneof![vec(prop::sample::select(b"ab-.\\ \n=@".to_vec()), 1..4), vec(1_u8.., 1..5)]
        .prop_filter_map("not a name", |bytes| Name::new(bytes).ok())
}

fn tree() -> impl Strategy<Value = Bytes> {
    let part = prop_oneof![
        4 => (metadata(), kind()).prop_map(|(metadata, kind)| Part::New(Inode { metadata, kind })),
        1 => any::<prop::sample::Index>().prop_map(Part::Link),
    ];
    (metadata(), vec((any::<prop::sample::Index>(), name(), part), 0..24)).prop_map(|(root, parts)| {
        let mut tree = Bytes::new(root);
        let mut directories = vec![InodeId::ROOT];
        let mut files: Vec<InodeId> = Vec::new();
        for (parent, name, part) in parts {
            let parent = *parent.get(&directories);
            match part {
                Part::New(inode) => {
                    let is_directory = matches!(inode.kind, Kind::Directory(_));
                    // A duplicate name makes the tree smaller, which is fine.
                    if let Ok(id) = tree.insert(parent, name, inode) {
                        if is_directory { &mut directories } else { &mut files }.push(id);
                    }
                }
                Part::Link(target) if !files.is_empty() => {
                    let _ = tree.link(parent, name, *target.get(&files));
                }
                Part::Link(_) => {}
            }
        }
        tree
    })
}

/// A path, its inode without entries, and the path of the inode's first name.
type NameMeaning = (Vec<u8>, Inode<Vec<u8>>, Vec<u8>);

/// Returns the meaning of a tree, independent of its ids.
fn meaning(tree: &Bytes) -> Vec<NameMeaning> {
    let mut first_names = vec![Vec::new(); tree.inode_count()];
    let mut walk = tree.walk();
    let mut all = Vec::new();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        if step.first {
            first_names[step.id.index()].clone_from(&path);
        }
        let mut inode = tree.get(step.id).clone();
        if let Kind::Directory(entries) = &mut inode.kind {
            entries.clear();
        }
        all.push((path, inode, first_names[step.id.index()].clone()));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(0), ..ProptestConfig::default() })]

    #[test]
    fn a_dump_parses_to_the_same_tree(tree in tree()) {
        let text = write_inline(&tree);
        let back = parse_inline(&text).expect("what was written is a dump");
        prop_assert_eq!(meaning(&back), meaning(&tree));
        prop_assert_eq!(String::from_utf8(write_inline(&back)), String::from_utf8(text.clone()));
        // Parsing numbers the inodes in the order of the walk, so from here on the trees themselves
        // are equal.
        prop_assert_eq!(parse_inline(&text).expect("again"), back);
    }

    #[test]
    fn corrupted_text_does_not_panic_the_parser(
        tree in tree(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..4),
    ) {
        let mut text = write_inline(&tree);
        for (place, byte, replace) in changes {
            let place = place.index(text.len());
            if replace { text[place] = byte } else { text.insert(place, byte) }
        }
        if let Ok(tree) = parse_inline(&text) {
            let again = parse_inline(&write_inline(&tree)).expect("what was written is a dump");
            prop_assert_eq!(meaning(&again), meaning(&tree));
        }
    }
}

/// Returns the error for these lines after that of the root.
fn refusal(lines: &str) -> String {
    let text = format!("/ 0 40755 2 0 0 0 0.0 - - -\n{lines}");
    parse_inline(text.as_bytes()).expect_err(lines).to_string()
}

#[test]
fn output_of_other_tools_is_parsed() {
    // Directories with sizes, a hard link written by composefs-rs, one by composefs with all
    // fields, and no final newline.
    let digest = "ab".repeat(32);
    let text = format!(
        "/ 4096 40755 4 1000 1000 0 1695372970.944925700 - - - security.selinux=u:r:t:s0\\x00\n\
         /a 27 100644 3 0 0 0 1.000000005 35/d02 - {digest}\n\
         /b 0 @120000 - - - - 0.0 /a - -\n\
         /c 27 @100644 3 0 0 0 1.5 /a - {digest} user.x=y\n\
         /d 0 100644 1 0 0 0 0.0 - - - user.a=b=c user.b= user.c=-"
    );
    let mut seen = Vec::new();
    let tree: Tree<Vec<u8>> = parse(text.as_bytes(), |file| {
        seen.push((file.path.to_vec(), file.size, file.digest.map(str::to_owned)));
        Ok::<_, Infallible>(vec![0; 3])
    })
    .expect("composefs' own text");
    assert_eq!(seen, [(b"/a".to_vec(), 27, Some(digest)), (b"/d".to_vec(), 0, None)]);
    assert_eq!(tree.resolve_no_symlinks(b"/b"), tree.resolve_no_symlinks(b"/a"));
    assert_eq!(tree.resolve_no_symlinks(b"/c"), tree.resolve_no_symlinks(b"/a"));
    let of = |path: &[u8]| &tree.get(tree.resolve_no_symlinks(path).expect("it has a line")).metadata;
    assert_eq!(of(b"/a").mtime, Timestamp::new(1, 5).expect("below a second"));
    assert_eq!(of(b"/a").xattrs.len(), 0, "a hard link's other fields are ignored");
    let xattrs: Vec<_> = of(b"/d").xattrs.values().map(|value| &value[..]).collect();
    assert_eq!(xattrs, [&b"b=c"[..], b"", b"-"]);
    assert_eq!(&of(b"/").xattrs[&b"security.selinux"[..]][..], b"u:r:t:s0\0");
}

#[test]
fn the_first_line_is_the_root() {
    let refusal = |text: &str| parse_inline(text.as_bytes()).expect_err(text).to_string();
    assert_eq!(refusal(""), r#"line 1: PATH "" is not /, which the first line describes"#);
    assert_eq!(
        refusal("/a 0 40755 2 0 0 0 0.0 - - -"),
        r#"line 1: PATH "/a" is not /, which the first line describes"#
    );
    assert_eq!(
        refusal("/ 0 100644 2 0 0 0 0.0 - - -"),
        r#"line 1: MODE "100644" is not that of a directory, which / is"#
    );
    assert!(refusal("/ 0 @40755 2 0 0 0 0.0 /a - -").contains("not that of a directory"));
    assert!(refusal("\n").contains("which the first line describes"));
}

#[test]
fn invalid_lines_are_rejected() {
    let cases = [
        ("\n", "line 2: 1 of the 11 fields from PATH to DIGEST are there"),
        ("/a 0 100644 1 0 0 0 0.0 - -", "10 of the 11 fields"),
        (
            "/a  0 100644 1 0 0 0 0.0 - - -",
            r#"SIZE "" is not a decimal number from 0 to 18446744073709551615"#,
        ),
        ("/ 0 40755 2 0 0 0 0.0 - - -", r#"PATH "/" ends badly: a file name is empty"#),
        ("a 0 100644 1 0 0 0 0.0 - - -", r#"PATH "a" is not an absolute path"#),
        ("- 0 100644 1 0 0 0 0.0 - - -", r#"PATH "-" is not an absolute path"#),
        ("/a/ 0 40755 1 0 0 0 0.0 - - -", "a file name is empty"),
        ("//a 0 40755 1 0 0 0 0.0 - - -", r#"PATH "//a" is not in a directory of an earlier line"#),
        ("/./a 0 40755 1 0 0 0 0.0 - - -", "is not in a directory of an earlier line"),
        ("/a/b 0 40755 1 0 0 0 0.0 - - -", "is not in a directory of an earlier line"),
        ("/.. 0 40755 1 0 0 0 0.0 - - -", r#"a file is named "..""#),
        ("/a\\x00 0 100644 1 0 0 0 0.0 - - -", "holds '/' or NUL"),
        ("/a\\ 0 100644 1 0 0 0 0.0 - - -", "contains a backslash that does not begin"),
        ("/a 0 10064x 1 0 0 0 0.0 - - -", r#"MODE "10064x" is not an octal number from 0 to 177777"#),
        ("/a 0 200000 1 0 0 0 0.0 - - -", r#"MODE "200000" is not an octal number from 0 to 177777"#),
        ("/a 0 +100644 1 0 0 0 0.0 - - -", "is not an octal number"),
        ("/a 0 644 1 0 0 0 0.0 - - -", r#"MODE "644" has the type bits of no kind of file"#),
        ("/a 0 150644 1 0 0 0 0.0 - - -", "has the type bits of no kind of file"),
        ("/a -1 100644 1 0 0 0 0.0 - - -", r#"SIZE "-1" is not a decimal number"#),
        ("/a 18446744073709551616 100644 1 0 0 0 0.0 - - -", "is not a decimal number"),
        ("/a 0 100644 +1 0 0 0 0.0 - - -", "NLINK \"+1\" is not"),
        (
            "/a 0 100644 1 4294967296 0 0 0.0 - - -",
            "UID \"4294967296\" is not a decimal number from 0 to 4294967295",
        ),
        ("/a 0 100644 1 0 -1 0 0.0 - - -", "GID \"-1\" is not"),
        ("/a 0 100644 1 0 0 1 0.0 - - -", r#"RDEV "1" is set, but a file of this kind has none"#),
        ("/a 0 100644 1 0 0 0 0 - - -", "MTIME \"0\" is not a time"),
        ("/a 0 100644 1 0 0 0 0.1000000000 - - -", "is not a time"),
        ("/a 0 100644 1 0 0 0 0.0  - -", r#"PAYLOAD "" is needed"#),
        ("/a 2 100644 1 0 0 0 0.0 - abc -", r#"CONTENT "abc" is 3 bytes long, and SIZE is 2"#),
        ("/a 3 100644 1 0 0 0 0.0 p abc -", r#"PAYLOAD "p" is a second place for the file's bytes"#),
        ("/a 3 100644 1 0 0 0 0.0 p - abcd", r#"DIGEST "abcd" is not 64 or 128 hexadecimal digits"#),
        ("/a 3 100644 1 0 0 0 0.0 - - -\r", "DIGEST \"-\\r\" is not"),
        ("/a 3 100644 1 0 0 0 0.0 p - - a=b\r", "contains a control character"),
        ("/a 3 100644 1 0 0 0 0.0 - - - user.a", r#"XATTR "user.a" has no ="#),
        ("/a 3 100644 1 0 0 0 0.0 - - - =a", "xattr name \"\" is not 1 to 255 bytes"),
        ("/a 3 100644 1 0 0 0 0.0 - - - u=a u=b", r#"XATTR "u=b" is there twice"#),
        ("/a 3 100644 1 0 0 0 0.0 - - - ", r#"XATTR "" has no ="#),
        ("/a 0 120777 1 0 0 0 0.0 - - -", r#"PAYLOAD "-" is needed for this kind of file"#),
        ("/a 0 120777 1 0 0 0 0.0 a\\x00 - -", "the target of a symbolic link contains NUL"),
        ("/a 1 120777 1 0 0 0 0.0 a b -", r#"CONTENT "b" is set"#),
        ("/a 0 40755 1 0 0 0 0.0 a - -", r#"PAYLOAD "a" is set"#),
        ("/a 0 10644 1 0 0 0 0.0 a - -", r#"PAYLOAD "a" is set"#),
        ("/a 0 @100644 1 0 0 0 0.0 - - -", r#"PAYLOAD "-" is needed"#),
        ("/a 0 @100644 1 0 0 0 0.0 /b - -", r#"PAYLOAD "/b" is not the path of an earlier line"#),
        ("/a 0 @100644 1 0 0 0 0.0 /a - -", r#"PAYLOAD "/a" is not the path of an earlier line"#),
        ("/a 0 @100644 1 0 0 0 0.0 a - -", "is not the path of an earlier line"),
        ("/a 0 @x 1 0 0 0 0.0 /a - -", "is not an octal number"),
        ("/a 0 @40755 1 0 0 0 0.0 / - -", "would be a second name for a directory"),
        ("/a 9 100644 1 0 0 0 0.0 p - -", "line 2: /a"),
    ];
    for (lines, expected) in cases {
        let refusal = refusal(lines);
        assert!(refusal.contains(expected), "{lines:?}: {refusal}");
    }
}

#[test]
fn lines_that_contradict_earlier_ones_are_rejected() {
    let file = "/a 0 100644 1 0 0 0 0.0 - - -\n";
    assert_eq!(
        refusal(&format!("{file}{file}")),
        r#"line 3: PATH "/a" cannot be added: / already contains "a""#
    );
    let inside = "/a/b 0 100644 1 0 0 0 0.0 - - -\n";
    assert!(refusal(&format!("{file}{inside}")).starts_with("line 3: PATH \"/a/b\" is not in a directory"));
    let link = "/l 0 @100644 1 0 0 0 0.0 /z - -\n/z 0 100644 1 0 0 0 0.0 - - -\n";
    assert!(refusal(link).starts_with("line 2: PAYLOAD \"/z\" is not the path of an earlier line"));
}

#[test]
fn lines_longer_than_the_limit_are_rejected() {
    struct Endless;
    impl io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'a');
            Ok(buffer.len())
        }
    }
    let error = parse(io::BufReader::new(Endless), |_| Ok::<Vec<u8>, Infallible>(Vec::new()));
    let error = error.expect_err("an endless line").to_string();
    assert_eq!(error, "line 1: the line is longer than 67108864 bytes");
}

#[test]
fn the_order_is_that_of_the_walk() {
    // `-` sorts before `/`, so a sort by whole paths would put /a-b before /a/c.
    let mut tree = Bytes::new(Metadata::new(0o755));
    for path in ["a-b", "a"] {
        let name = Name::new(path).expect("a name");
        tree.insert(InodeId::ROOT, name, Inode::directory(Metadata::new(0o755))).expect("new");
    }
    let a = tree.resolve_no_symlinks(b"/a").expect("it was inserted");
    let pipe = Inode { metadata: Metadata::new(0o644), kind: Kind::Fifo };
    tree.insert(a, Name::new("c").expect("a name"), pipe).expect("new");
    let text = String::from_utf8(write_inline(&tree)).expect("ASCII");
    let paths: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(paths, ["/", "/a", "/a/c", "/a-b"]);
}
