//! A directory of the host whose files are read.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Result;

use super::Root;

/// A directory beneath one that is held open. It holds nothing open itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HostDirectory {
    root: Arc<Root>,
    /// Relative to the root, without `.`, `..` and empty components.
    path: Box<[u8]>,
}

thread_local! {
    /// The directory in which this thread opened a file last. An image holds files in the order of a walk, so the next
    /// one is mostly in the same directory, and the path that leads there need not be walked again.
    static LAST: RefCell<Option<(Arc<HostDirectory>, OwnedFd)>> = const { RefCell::new(None) };
}

impl HostDirectory {
    pub(crate) fn new(root: Arc<Root>, path: Box<[u8]>) -> Arc<Self> {
        Arc::new(Self { root, path })
    }

    /// The directory of the file at a path, and the file's name in it.
    pub(crate) fn of_file(root: Arc<Root>, path: &[u8]) -> (Arc<Self>, &[u8]) {
        let (directory, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        (Self::new(root, directory.into()), name)
    }

    /// Relative to the root.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// As the user named the root, for messages.
    pub(crate) fn host_path(&self) -> PathBuf {
        self.root.join(&self.path)
    }

    /// Opens a file in it. No symbolic link is followed, neither there nor on the way there.
    pub(crate) fn open(self: &Arc<Self>, name: &[u8], flags: OFlags) -> Result<OwnedFd> {
        if self.path.is_empty() {
            return self.root.open(name, flags);
        }
        LAST.with_borrow_mut(|last| {
            let directory = match last {
                Some((directory, opened)) if self.is(directory) => opened,
                _ => {
                    let opened = self.root.open(&self.path, OFlags::PATH | OFlags::DIRECTORY)?;
                    &last.insert((Arc::clone(self), opened)).1
                }
            };
            self.root.open_from(directory.as_fd(), name, flags)
        })
    }

    fn is(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other) || Arc::ptr_eq(&self.root, &other.root) && self.path == other.path
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::{read, scanned};

    /// A thread that reads of two trees in turns must not take one's directory for the other's.
    #[test]
    fn the_same_path_in_two_roots() {
        let trees = ["one", "two"].map(|text| {
            let tree = tempfile::tempdir().expect("a temporary directory");
            for directory in ["d", "e"] {
                fs::create_dir(tree.path().join(directory)).expect("new");
                fs::write(tree.path().join(directory).join("f"), format!("{text} {directory}")).expect("new");
            }
            tree
        });
        for directory in ["d", "e"] {
            for (tree, text) in trees.iter().zip(["one", "two"]) {
                let blob = scanned(tree.path(), &format!("{directory}/f"));
                assert_eq!(read(&blob).expect("it is there"), format!("{text} {directory}").into_bytes());
            }
        }
    }
}
