use std::fs;
use std::num::NonZeroUsize;

use image_tree::{Inode, InodeId, Kind, dump};

use super::*;
use crate::blob::Blob;
use crate::source::{self, ReadOptions, Source};

/// The maximum number of names of an inode: that of ext4.
const MAX_NAMES: usize = 65_000;

static THREADS: Threads = Threads::new(NonZeroUsize::new(2).unwrap());

fn parse(lines: &str) -> Tree<Vec<u8>> {
    let body = |file: &dump::RegularFile<'_>| match &file.body {
        dump::Body::Inline(bytes) => bytes.to_vec(),
        _ => Vec::new(),
    };
    dump::parse(lines.as_bytes(), |file| Ok::<_, std::io::Error>(body(&file))).expect("a dump")
}

fn text(tree: &Tree<Vec<u8>>) -> String {
    let mut text = Vec::new();
    dump::write(tree, &mut text, |_, bytes| Ok(dump::Body::Inline(bytes.as_slice().into()))).expect("memory");
    String::from_utf8(text).expect("ASCII")
}

fn applied<C: Content + Clone>(mut tree: Tree<C>, policy: Policy) -> (Tree<C>, Linked) {
    let options =
        Options { policy, max_names: MAX_NAMES as u64, threads: &THREADS, interrupt: &Interrupt::never() };
    let linked = apply(&mut tree, &options).expect("it can be read");
    (tree, linked)
}

/// Four files of the bytes `same`, one with another mode, one linked twice; a linked symlink; two
/// empty files.
const TREE: &str = "\
/ 0 40755 3 0 0 0 0.0 - - -
/a 4 100644 1 0 0 0 5.0 - same -
/b 4 100600 1 0 0 0 5.0 - same -
/d 0 40755 2 0 0 0 0.0 - - -
/d/c 4 100644 2 0 0 0 5.0 - same -
/empty1 0 100644 1 0 0 0 5.0 - - -
/empty2 0 100644 1 0 0 0 5.0 - - -
/link 3 120777 2 0 0 0 0.0 foo - -
/link2 0 @120777 - - - - 0.0 /link - -
/x 4 100644 1 0 0 0 5.0 - same -
/y 0 @100644 - - - - 0.0 /d/c - -
";

#[test]
fn keep_changes_nothing() {
    let (tree, linked) = applied(parse(TREE), Policy::Keep);
    assert_eq!((tree, linked), (parse(TREE), Linked::default()));
}

#[test]
fn break_gives_each_name_an_inode() {
    let (tree, linked) = applied(parse(TREE), Policy::Break);
    assert_eq!((linked.parted_names, linked.added_bytes), (2, 4));
    assert_eq!((linked.linked_names, linked.saved_bytes), (0, 0));
    let counts = tree.name_counts();
    assert!(counts.iter().all(|names| *names == 1), "{counts:?}");
    let expected = parse(TREE);
    for path in [b"/d/c".as_slice(), b"/y", b"/link", b"/link2", b"/a"] {
        let of = |tree: &Tree<Vec<u8>>| tree.resolve_no_symlinks(path).map(|id| tree.get(id).clone());
        assert_eq!(of(&tree), of(&expected), "{}", path.escape_ascii());
    }
    assert_eq!(linked.to_string(), "2 hard links became files, which added 4 bytes");
}

#[test]
fn content_links_files_equal_in_bytes_and_metadata() {
    let (tree, linked) = applied(parse(TREE), Policy::Content);
    assert_eq!((linked.linked_names, linked.saved_bytes), (3, 8));
    assert_eq!((linked.parted_names, linked.added_bytes), (0, 0));
    let expected = "\
/ 0 40755 3 0 0 0 0.0 - - -
/a 4 100644 4 0 0 0 5.0 - same -
/b 4 100600 1 0 0 0 5.0 - same -
/d 0 40755 2 0 0 0 0.0 - - -
/d/c 0 @100644 - - - - 0.0 /a - -
/empty1 0 100644 1 0 0 0 5.0 - - -
/empty2 0 100644 1 0 0 0 5.0 - - -
/link 3 120777 2 0 0 0 0.0 foo - -
/link2 0 @120777 - - - - 0.0 /link - -
/x 0 @100644 - - - - 0.0 /a - -
/y 0 @100644 - - - - 0.0 /a - -
";
    assert_eq!(text(&tree), text(&parse(expected)));
    assert_eq!(tree.inode_count(), 7);
}

#[test]
fn content_does_not_depend_on_existing_links() {
    let (linked, _) = applied(parse(TREE), Policy::Content);
    let (broken, _) = applied(parse(TREE), Policy::Break);
    let (again, _) = applied(broken, Policy::Content);
    // Except for symlinks, which are not linked again.
    let without_links = |text: String| {
        let lines = text.lines().filter(|line| !line.starts_with("/link"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(without_links(text(&linked)), without_links(text(&again)));
    assert_eq!(applied(linked.clone(), Policy::Content), (linked, Linked::default()));
}

#[test]
fn files_with_different_metadata_are_not_linked() {
    let lines = [
        "100644 1 0 0 0 5.0 - same -",
        "100645 1 0 0 0 5.0 - same -",
        "100644 1 1 0 0 5.0 - same -",
        "100644 1 0 1 0 5.0 - same -",
        "100644 1 0 0 0 6.0 - same -",
        "100644 1 0 0 0 5.000000001 - same -",
        "100644 1 0 0 0 5.0 - some -",
        "100644 1 0 0 0 5.0 - same - user.a=1",
        "100644 1 0 0 0 5.0 - same - user.a=2",
        "100644 1 0 0 0 5.0 - same - user.b=1",
    ];
    let mut dump = "/ 0 40755 2 0 0 0 0.0 - - -\n".to_owned();
    for (number, line) in lines.iter().enumerate() {
        dump += &format!("/{number} 4 {line}\n");
    }
    assert_eq!(applied(parse(&dump), Policy::Content).1, Linked::default());
    // Two files of each kind make as many pairs.
    for (number, line) in lines.iter().enumerate() {
        dump += &format!("/x{number} 4 {line}\n");
    }
    let (tree, linked) = applied(parse(&dump), Policy::Content);
    assert_eq!((linked.linked_names, linked.saved_bytes), (10, 40));
    assert!(tree.name_counts()[1..].iter().all(|names| *names == 2));
}

/// Builds a file with `names` names, followed by `files` single-name files, all equal.
fn many(names: usize, files: usize) -> Tree<Vec<u8>> {
    let mut tree = Tree::new(Metadata::new(0o755));
    let file = || Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"same".to_vec()) };
    let name = |number: usize| Name::new(format!("{number:06}")).expect("a name");
    let first = tree.insert(InodeId::ROOT, name(0), file()).expect("new");
    for number in 1..names {
        tree.link(InodeId::ROOT, name(number), first).expect("new");
    }
    for number in names..names + files {
        tree.insert(InodeId::ROOT, name(number), file()).expect("new");
    }
    tree
}

#[test]
fn an_inode_gets_at_most_the_links_of_ext4() {
    for (names, files) in [(1, 2 * MAX_NAMES), (2 * MAX_NAMES, 1), (MAX_NAMES - 5, 70_000), (MAX_NAMES, 1)] {
        let (tree, linked) = applied(many(names, files), Policy::Content);
        let counts = tree.name_counts();
        let mut expected = vec![1];
        let mut rest = names + files;
        while rest > 0 {
            expected.push(rest.min(MAX_NAMES) as u64);
            rest = rest.saturating_sub(MAX_NAMES);
        }
        assert_eq!(counts, expected, "{names} names and {files} files");
        let before = 1 + files as u64;
        let after = tree.inode_count() as u64 - 1;
        assert_eq!(linked.saved_bytes + 4 * after, linked.added_bytes + 4 * before);
    }
}

#[test]
fn a_file_that_changed_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    for name in ["a", "b", "c"] {
        fs::write(path(name), "0123456789").expect("new");
    }
    let source = Source::at(directory.path().as_os_str(), None).expect("a directory");
    let layer = source::read(source, &ReadOptions::new(&THREADS, &Interrupt::never()));
    let mut tree: Tree<Blob> = layer.expect("it can be read").tree;
    fs::write(path("b"), "012345678").expect("it is there");
    let options = Options {
        policy: Policy::Content,
        max_names: MAX_NAMES as u64,
        threads: &THREADS,
        interrupt: &Interrupt::never(),
    };
    let before = tree.clone();
    let error = apply(&mut tree, &options).expect_err("b changed");
    assert_eq!(error.kind(), ErrorKind::BadInput);
    let expected = format!("{}: changed while it was read: size 10 when scanned, 9 now", path("b").display());
    assert_eq!(error.to_string(), expected);
    assert_eq!(tree, before, "nothing is half done");
}
