//! Wide, deep and too deep trees.

use std::os::fd::OwnedFd;
use std::process::Command;

use image_tree::MAX_DEPTH;
use rustix::fs::{AtFlags, OFlags};

use super::*;

/// Set in the process that a test starts again with few descriptors.
const FEW_DESCRIPTORS: &str = "ROOTCAST_TEST_FEW_DESCRIPTORS";

/// Returns true in the process with few descriptors. In any other, runs the test in one.
fn has_few_descriptors(test: &str) -> bool {
    if std::env::var_os(FEW_DESCRIPTORS).is_some() {
        return true;
    }
    let status = Command::new("sh")
        .args(["-c", "ulimit -n 256 && exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().expect("a test has a file"))
        .arg(format!("{}::{test}", module_path!().trim_start_matches("rootcast::")))
        .env(FEW_DESCRIPTORS, "1")
        .output()
        .expect("a shell");
    let output = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && output.contains("1 passed"), "{status:?}");
    false
}

#[test]
fn wide_trees_need_few_descriptors() {
    if !has_few_descriptors("wide_trees_need_few_descriptors") {
        return;
    }
    let top = directory();
    for index in 0..5000 {
        fs::write(top.path().join(format!("f{index}")), "").expect("a new file");
        fs::create_dir(top.path().join(format!("d{index}"))).expect("a new directory");
    }
    // As many as the program uses under this limit: each needs up to four.
    assert_eq!(read(top.path(), 60).expect("it can be read").inode_count(), 10_001);
}

#[test]
fn deep_trees_need_few_descriptors() {
    const DEPTH: usize = 4000;
    if !has_few_descriptors("deep_trees_need_few_descriptors") {
        return;
    }
    let top = directory();
    let mut at = OwnedFd::from(fs::File::open(top.path()).expect("it is a directory"));
    for _ in 0..DEPTH {
        // The second directory is opened from the root again, with a path too long for one system
        // call.
        rustix::fs::mkdirat(&at, "other", Mode::RWXU).expect("a new directory");
        rustix::fs::mkdirat(&at, "deep", Mode::RWXU).expect("a new directory");
        at = rustix::fs::openat(&at, "deep", OFlags::RDONLY, Mode::empty()).expect("it was just made");
    }
    let file = rustix::fs::openat(&at, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).expect("a new file");
    rustix::io::write(&file, b"bottom").expect("room for six bytes");
    rustix::fs::linkat(&file, "", rustix::fs::CWD, top.path().join("x"), AtFlags::EMPTY_PATH)
        .or_else(|_| rustix::fs::linkat(&at, "f", rustix::fs::CWD, top.path().join("x"), AtFlags::empty()))
        .expect("a second name");
    let result = read(top.path(), 4).map(|tree| {
        let path = format!("{}/f", "/deep".repeat(DEPTH));
        (
            tree.inode_count(),
            bytes(&tree, &path),
            tree.resolve_no_symlinks(b"/x") == tree.resolve_no_symlinks(path.as_bytes()),
        )
    });
    // Removing with one descriptor for each level would hit the limit, and leave the tree behind.
    let removed = Command::new("rm").arg("-rf").arg(top.path()).status().expect("rm");
    assert!(removed.success());
    assert_eq!(result.expect("it can be read"), (2 * DEPTH + 2, b"bottom".to_vec(), true));
}

/// Makes a chain of directories, each in the one before, and returns the last of them.
fn chain(top: &Path, depth: usize) -> OwnedFd {
    let mut at = OwnedFd::from(fs::File::open(top).expect("it is a directory"));
    for _ in 0..depth {
        rustix::fs::mkdirat(&at, "d", Mode::RWXU).expect("a new directory");
        at = rustix::fs::openat(&at, "d", OFlags::RDONLY, Mode::empty()).expect("it was just made");
    }
    at
}

#[test]
fn refuses_trees_beyond_the_maximum_depth() {
    let top = directory();
    let last = chain(top.path(), MAX_DEPTH);
    let at_the_limit = read(top.path(), 2).map(|tree| tree.inode_count());
    rustix::fs::mkdirat(&last, "x", Mode::RWXU).expect("a new directory");
    let directory_beyond = read(top.path(), 2);
    rustix::fs::openat(&last, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).expect("a new file");
    let file_beyond = read(top.path(), 1);
    drop(last);
    let removed = Command::new("rm").arg("-rf").arg(top.path()).status().expect("rm");
    assert!(removed.success());
    assert_eq!(at_the_limit.expect("it is not too deep"), MAX_DEPTH + 1);
    for (result, name) in [(directory_beyond, "x"), (file_beyond, "f")] {
        let error = result.expect_err("it is too deep");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        let start = format!("{}: the path of \"{name}\" in /d/d/", top.path().display());
        let text = error.to_string();
        assert!(text.starts_with(&start) && text.len() < 500, "{text}");
        assert!(text.contains("d/d has 4097 components, the limit is 4096"), "{text}");
    }
}
