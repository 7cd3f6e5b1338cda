//! The library as programs use it: builds, plans, served images, and a crate outside of the
//! workspace.

mod cancelled;
mod examples;
mod outside;
mod plans;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use rootcast::{Build, Watch};

use crate::product::Scratch;

/// A directory with a tree: small files, a large one, and a sparse one.
fn tree(scratch: &Scratch) -> OsString {
    let root = scratch.join("rootfs");
    for directory in ["bin", "etc", "srv"] {
        fs::create_dir_all(root.join(directory)).expect("new");
    }
    for index in 0..100 {
        fs::write(root.join(format!("etc/{index}")), format!("file {index}\n")).expect("new");
    }
    fs::write(root.join("bin/large"), pattern(3 << 20)).expect("new");
    let sparse = fs::File::create(root.join("srv/sparse")).expect("new");
    sparse.set_len(8 << 20).expect("a hole");
    root.into_os_string()
}

/// Bytes that are not zero and do not repeat at multiples of a block.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| u8::try_from(index % 251).expect("less than 256") + 1).collect()
}

fn plan(build: &Build) -> rootcast::Plan {
    build.plan(&Watch::default()).expect("the tree can be planned")
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<OsString> {
    let mut names: Vec<OsString> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("it is readable").file_name())
        .collect();
    names.sort();
    names
}
