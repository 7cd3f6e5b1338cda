//! Extended attributes.

use std::os::fd::AsFd;

use rustix::fs::OFlags;

use super::super::error::Location;
use super::super::xattrs::XattrReader;
use super::*;
use crate::blob::HostDirectory;

#[test]
fn reads_xattrs_of_files_and_directories() {
    let top = populated();
    // Longer than the first buffers for the value and for all names together.
    let long = vec![7; 3000];
    let names: Vec<String> = (0..20).map(|index| format!("user.{index:02}{}", "n".repeat(60))).collect();
    let path = |name: &str| top.path().join(name);
    if !set_xattr("reads_xattrs_of_files_and_directories", &path("z/file"), "user.long", &long) {
        return;
    }
    for name in &names {
        assert!(set_xattr("reads_xattrs_of_files_and_directories", &path("z"), name, b""));
    }
    assert!(set_xattr("reads_xattrs_of_files_and_directories", top.path(), "user.top", b"\0\xff"));
    let tree = read(top.path(), 2).expect("it can be read");
    let user = |path: &str| {
        let xattrs = inode(&tree, path).metadata.xattrs.clone();
        let mut user = xattrs.into_iter().filter(|(name, _)| name.as_bytes().starts_with(b"user."));
        let first = user.next().map(|(name, value)| (name.to_string(), value.into_vec()));
        (first, user.count())
    };
    assert_eq!(user("/"), (Some(("user.top".to_owned(), b"\0\xff".to_vec())), 0));
    assert_eq!(user("/z/file"), (Some(("user.long".to_owned(), long)), 0));
    assert_eq!(user("/z"), (Some((names[0].clone(), Vec::new())), 19));
    assert_eq!(user("/a"), (None, 0));

    let root = open(top.path());
    let z = root.open(b"z", OFlags::RDONLY).expect("it is there");
    let place = HostDirectory::at(Arc::clone(&root), b"z");
    for reader in [XattrReader::new(&root), XattrReader::new(&root).map(XattrReader::without_proc)] {
        let mut reader = reader.expect("the root is open");
        let found =
            reader.of_entry(z.as_fd(), c"file", Location::entry(&place, b"file")).expect("it can be read");
        assert_eq!(found, inode(&tree, "/z/file").metadata.xattrs);
    }
}

#[test]
fn reads_xattrs_of_a_symbolic_link() {
    let top = populated();
    // Only root may set xattrs on links, and these are not those of the file the link leads to.
    let link = top.path().join("a/link");
    if !set_xattr("reads_xattrs_of_a_symbolic_link", &link, "trusted.test", b"link") {
        return;
    }
    let tree = read(top.path(), 1).expect("it can be read");
    assert_eq!(&inode(&tree, "/link").metadata.xattrs[&b"trusted.test"[..]][..], b"link");
}

#[test]
fn xattrs_that_are_not_wanted_are_not_read() {
    let top = populated();
    if !set_xattr("xattrs_that_are_not_wanted_are_not_read", top.path(), "user.top", b"x") {
        return;
    }
    let threads = threads(1);
    let found = |xattrs| {
        let options = ScanOptions { xattrs, ..options(&threads) };
        let tree = super::super::scan(top.path(), &options).expect("it can be read").tree;
        inode(&tree, "/").metadata.xattrs.len()
    };
    assert!(found(true) >= 1);
    assert_eq!(found(false), 0);
}
