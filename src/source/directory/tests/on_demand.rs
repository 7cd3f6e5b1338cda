//! Directories that are listed when their entries are requested.

use std::collections::BTreeSet;

use image_tree::Directories;

use super::*;

/// Shows every file, and lists only the root in advance.
const NOTHING: Selection<'static> = Selection { usual: &|_| false, hidden: &|_| false };

static NEVER: LazyLock<Interrupt> = LazyLock::new(Interrupt::never);

fn on_demand<'s>(top: &Path, threads: &'s Threads, selection: Selection<'s>) -> OnDemand<'s> {
    OnDemand::open(top, &ReadOptions::new(threads, &NEVER), selection).expect("it can be read")
}

/// Returns the inode at a path, whose parents are listed.
fn id(tree: &OnDemand<'_>, path: &str) -> Option<InodeId> {
    let mut names = path.split('/').filter(|name| !name.is_empty());
    names.try_fold(InodeId::ROOT, |directory, name| tree.lookup(directory, name.as_bytes()))
}

fn names(tree: &OnDemand<'_>, path: &str) -> Vec<String> {
    let entries = tree.entries(id(tree, path).expect("it is there")).expect("a directory");
    entries.keys().map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned()).collect()
}

fn is_empty(scanned: &Scanned, path: &[u8]) -> bool {
    let id = scanned.tree.resolve_no_symlinks(path).expect("it is there");
    scanned.tree.entries(id).expect("a directory").is_empty()
}

#[test]
fn lists_only_visited_directories() {
    let top = populated();
    let whole = read(top.path(), 2).expect("it can be read");
    let one = threads(1);
    let usual = |path: &[u8]| path == b"a-b";
    for usual in [&usual as Wanted<'_>, NOTHING.usual] {
        let tree = on_demand(top.path(), &one, Selection { usual, ..NOTHING });
        assert!(tree.is_directory(id(&tree, "z").expect("it is there")));
        assert_eq!(names(&tree, "a"), ["first", "link", "pipe", "sub"]);
        assert_eq!(names(&tree, "a-b"), ["again", "file"]);
        let file = id(&tree, "a/first").expect("it is there");
        assert_eq!(tree.get(file), inode(&whole, "/a/first"));
        assert_eq!((tree.entries(file), tree.lookup(file, b"x")), (None, None));
        let part = tree.into_scanned().expect("nothing failed");
        assert!(is_empty(&part, b"/a/sub") && is_empty(&part, b"/z") && !is_empty(&part, b"/a-b"));
        assert_eq!(inode(&part.tree, "/a/first"), inode(&whole, "/a/first"));
        assert_eq!(part.hosts.len(), part.tree.inode_count());
    }
}

#[test]
fn result_does_not_depend_on_the_order_of_visits() {
    let top = populated();
    let whole = scanned(top.path(), 2).expect("it can be read");
    let one = threads(1);
    for order in [["a", "a/sub", "a-b", "z", "empty"], ["z", "empty", "a-b", "a", "a/sub"]] {
        let tree = on_demand(top.path(), &one, NOTHING);
        for path in order {
            names(&tree, path);
        }
        assert_eq!(tree.into_scanned().expect("nothing failed"), whole, "{order:?}");
    }
    let tree = on_demand(top.path(), &one, NOTHING);
    names(&tree, "a");
    tree.list_where(|path| path != b"a-b");
    assert_eq!(names(&tree, "z"), ["again", "file"]);
    let part = tree.into_scanned().expect("nothing failed");
    assert!(is_empty(&part, b"/a-b") && !is_empty(&part, b"/a/sub"));
}

#[test]
fn hard_links_in_directories_listed_later_have_the_same_id() {
    let top = populated();
    let one = threads(1);
    let tree = on_demand(top.path(), &one, NOTHING);
    let later = id(&tree, "z/again").expect("it is there");
    let Kind::Regular(Blob::Host(file)) = &tree.get(later).kind else { panic!("a host file") };
    assert_eq!(file.host_path(), top.path().join("z/again"), "the first name that was listed");
    assert_eq!(id(&tree, "a/first"), Some(later));
    assert_eq!(id(&tree, "a/link"), id(&tree, "link"));
    let ids: BTreeSet<_> = ["a", "a/first", "a/link", "pipe", "z", "z/file", "socket", ""]
        .map(|path| id(&tree, path).expect("it is there"))
        .into();
    assert_eq!(ids.len(), 8);
    // Ids and inodes stay the same as the tree grows.
    let inode: *const _ = tree.get(later);
    tree.list_where(|_| true);
    assert!(std::ptr::eq(inode, tree.get(id(&tree, "a/first").expect("it is there"))));
}

#[test]
fn hidden_files_are_not_listed_but_can_be_read() {
    let top = populated();
    let host = |path: &str| {
        let found = fs::symlink_metadata(top.path().join(path)).expect("it is there");
        HostInode { device: found.dev(), inode: found.ino() }
    };
    let hosts = [host("a/first"), host("a/sub")];
    let one = threads(1);
    let hidden = |host: HostInode| hosts.contains(&host);
    let tree = on_demand(top.path(), &one, Selection { hidden: &hidden, ..NOTHING });
    assert_eq!(names(&tree, "a"), ["link", "pipe"]);
    assert_eq!(names(&tree, "z"), ["file"]);
    let scanned = tree.into_scanned().expect("nothing failed");
    assert!(
        ["/a/first", "/z/again", "/a/sub"]
            .iter()
            .all(|path| { scanned.tree.resolve_no_symlinks(path.as_bytes()).is_some() })
    );
}

#[test]
fn a_failed_listing_is_an_error_of_the_result() {
    let top = populated();
    let one = threads(1);
    let error = |change: &dyn Fn(&Path)| {
        let tree = on_demand(top.path(), &one, NOTHING);
        change(&top.path().join("a-b"));
        assert_eq!(names(&tree, "a-b"), [""; 0]);
        // Nothing is listed after the first failure.
        assert_eq!(names(&tree, "z"), [""; 0]);
        tree.into_scanned().expect_err("a directory could not be listed")
    };
    let changed = format!("{}: changed while it was scanned: ", top.path().join("a-b").display());
    for (change, how) in [
        (
            &(|path: &Path| {
                fs::rename(path, path.with_extension("old")).expect("it is ours");
                fs::create_dir(path).expect("the name is free");
            }) as &dyn Fn(&Path),
            "it is another directory now",
        ),
        (&|path| fs::remove_dir_all(path).expect("it is ours"), "it was listed as a directory and is gone"),
    ] {
        let error = error(change);
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert!(error.to_string().starts_with(&format!("{changed}{how}")), "{error}");
    }
}

#[test]
fn a_signal_is_an_error_of_the_result() {
    let top = populated();
    let (one, interrupt) = (threads(1), Interrupt::never());
    let options = ReadOptions::new(&one, &interrupt);
    let tree = OnDemand::open(top.path(), &options, NOTHING).expect("it can be read");
    interrupt.set(15);
    assert_eq!(names(&tree, "empty"), [""; 0]);
    assert_eq!(tree.into_scanned().expect_err("a signal").kind(), ErrorKind::Interrupted);
}
