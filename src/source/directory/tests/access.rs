//! Unreadable directories and files, and directories that were not requested.

use std::collections::BTreeMap;

use super::*;

#[test]
fn reports_unreadable_files_and_directories() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED reports_unreadable_files_and_directories: root may read everything");
        return;
    }
    let top = populated();
    let closed = top.path().join("a/sub");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o300)).expect("it is ours");
    fs::set_permissions(top.path().join("z/file"), fs::Permissions::from_mode(0o000)).expect("it is ours");
    let scanned = scanned(top.path(), 2);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let Scanned { tree, hosts, unreadable, .. } = scanned.expect("it can be scanned");
    let found: Vec<_> = unreadable.iter().map(|found| (found.path(), found.directory)).collect();
    assert_eq!(found, [(b"a/sub".to_vec(), true), (b"z/file".to_vec(), false)]);
    assert_eq!(unreadable[0].host_path(), closed);
    assert_eq!(
        (inode(&tree, "/a/sub").metadata.mode, tree.resolve_no_symlinks(b"/a/sub/file")),
        (0o300, None)
    );
    assert_eq!(hosts.len(), tree.inode_count());
}

#[test]
fn lists_only_requested_directories() {
    let top = populated();
    let whole = scanned(top.path(), 2).expect("it can be read");
    assert_eq!(whole.unlisted, []);
    let interrupt = Interrupt::never();
    let one = threads(1);
    let options = ReadOptions::new(&one, &interrupt);
    let part = super::super::read_where(top.path(), &options, &|path| path == b"a").expect("it can be read");
    let unlisted: Vec<_> = part.unlisted.iter().map(|(_, path)| path.as_slice()).collect();
    assert!(unlisted.contains(&&b"a/sub"[..]) && unlisted.contains(&&b"z"[..]), "{unlisted:?}");
    assert!(!unlisted.contains(&&b"a"[..]) && part.unreadable.is_empty());
    for (id, path) in &part.unlisted {
        assert_eq!(part.tree.resolve_no_symlinks(path), Some(*id));
        assert!(part.tree.entries(*id).is_some_and(BTreeMap::is_empty));
    }
    assert_eq!(inode(&part.tree, "/a/first"), inode(&whole.tree, "/a/first"));
}
