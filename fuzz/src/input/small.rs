//! A tree with a file of every type, for code that changes trees.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use image_tree::{Kind, Tree};

use crate::sources::dump::{self, Bytes};

const TREE: &str = r"/ 0 40755 2 1000 1000 0 0.0 - - -
/a 0 40755 2 1000 1000 0 0.0 - - -
/a/b 0 40700 2 1001 5 0 0.0 - - -
/a/b/a 1 100644 1 1000 1000 0 0.0 - x -
/a/c 3 104755 2 0 0 0 0.0 - abc - security.capability=\x01\x00\x00\x02
/a/link 1 120777 1 1000 1000 0 0.0 b - -
/dev 0 40755 2 0 0 0 0.0 - - -
/dev/fifo 0 10644 1 0 0 0 0.0 - - -
/dev/null 0 20666 1 0 0 259 0.0 - - -
/dev/sda 0 60660 1 0 6 2048 0.0 - - -
/dev/socket 0 140755 1 0 0 0 0.0 - - -
/etc 0 40755 2 0 0 0 0.0 - - -
/etc/group 25 100644 1 0 0 0 0.0 - root:x:0:\nstaff:x:50:www\n -
/etc/passwd 39 100644 1 0 0 0 0.0 - root:x:0:0::/:\nwww:x:33:50:w:/a:/a/c\n\n\n -
/second 0 @120777 - - - - 0.0 /a/c - -
";

/// Returns the tree.
pub(crate) fn tree() -> Bytes {
    dump::parse(TREE.as_bytes()).unwrap_or_else(|error| panic!("the small tree: {error}"))
}

/// Returns the properties that changes of metadata must preserve: paths, types, link targets and
/// contents.
pub(crate) fn shape(tree: &Bytes) -> Vec<(Vec<u8>, Kind<Vec<u8>>)> {
    let mut shape = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        shape.push((path, tree.get(step.id).kind.clone()));
    }
    shape
}

/// Checks that no name of a tree refers to something outside of it.
pub(crate) fn check_names<C>(tree: &Tree<C>) {
    for step in tree.walk() {
        let Some(name) = step.name else { continue };
        let name = name.as_bytes();
        assert!(!matches!(name, b"" | b"." | b".."), "a name is {}", name.escape_ascii());
        assert!(name.len() <= 255 && !name.contains(&b'/') && !name.contains(&0), "{}", name.escape_ascii());
    }
}

/// Returns the path of a file with these bytes, for code that reads only files. Each call
/// overwrites the same file.
pub(crate) fn file(bytes: &[u8]) -> PathBuf {
    thread_local! {
        static FILE: RefCell<Option<File>> = const { RefCell::new(None) };
    }
    FILE.with_borrow_mut(|slot| {
        let file = slot.get_or_insert_with(|| tempfile::tempfile().expect("room for a temporary file"));
        file.set_len(0).expect("an ordinary file");
        file.rewind().expect("an ordinary file");
        file.write_all(bytes).expect("room for the input");
        // Opened by this path, it is read from its start.
        format!("/proc/self/fd/{}", file.as_raw_fd()).into()
    })
}
