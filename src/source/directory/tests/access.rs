//! Unreadable directories and files.

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
