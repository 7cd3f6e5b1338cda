//! A directory of the host whose files are read.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Result;

use super::root::Root;

/// A directory beneath one that is held open. It holds no descriptor itself.
///
/// It stores its parent and not its whole path, which a deep tree would hold once for each level.
#[derive(Debug)]
pub(crate) struct HostDirectory {
    root: Arc<Root>,
    /// The directory that `relative` starts from; `None` for the root.
    above: Option<Arc<HostDirectory>>,
    /// Without `.`, `..` and empty components.
    relative: Box<[u8]>,
    /// The number of components of its path from the root.
    depth: usize,
}

thread_local! {
    /// The directory in which this thread last opened a file. An image holds files in the order of
    /// a walk, so the next file is mostly in the same directory or in a child of it, and the path
    /// to it need not be resolved again.
    ///
    /// It affects no bytes. It is not passed to reads, as `Content::read_at` has no parameter for
    /// it. A table in the root, in which each read of a small file takes a lock, needs 2 to 4 %
    /// more processor time, and holds descriptors for each source: `docs/performance.md`.
    static LAST: RefCell<Option<(Arc<HostDirectory>, OwnedFd)>> = const { RefCell::new(None) };
}

impl HostDirectory {
    /// Returns the root itself.
    pub(crate) fn top(root: Arc<Root>) -> Arc<Self> {
        Self::at(root, &[])
    }

    /// Returns the directory at a path relative to the root.
    pub(crate) fn at(root: Arc<Root>, path: &[u8]) -> Arc<Self> {
        let depth = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).count();
        Arc::new(Self { root, above: None, relative: path.into(), depth })
    }

    /// Returns a directory in this one.
    pub(crate) fn child(self: &Arc<Self>, name: &[u8]) -> Arc<Self> {
        let (root, above) = (Arc::clone(&self.root), Some(Arc::clone(self)));
        Arc::new(Self { root, above, relative: name.into(), depth: self.depth + 1 })
    }

    /// Returns the directory of the file at a path, and the file's name in it.
    pub(crate) fn of_file(root: Arc<Root>, path: &[u8]) -> (Arc<Self>, &[u8]) {
        let (directory, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        (Self::at(root, directory), name)
    }

    /// Its own name; empty for the root.
    pub(crate) fn name(&self) -> &[u8] {
        self.relative.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// The number of components of its path: 0 for the root.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The path of an entry relative to the root, or of this directory if the name is empty. Takes
    /// time linear in the length of the path.
    pub(crate) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut parts = vec![name];
        let mut next = Some(self);
        while let Some(directory) = next {
            parts.push(&directory.relative);
            next = directory.above.as_deref();
        }
        parts.retain(|part| !part.is_empty());
        parts.reverse();
        parts.join(&b'/')
    }

    /// Same as [`HostDirectory::path_of`], with the root's path as the user gave it, for messages.
    pub(crate) fn host_path_of(&self, name: &[u8]) -> PathBuf {
        self.root.join(&self.path_of(name))
    }

    /// Opens a file in it. Symbolic links are not followed, neither at the end nor on the way.
    pub(crate) fn open(self: &Arc<Self>, name: &[u8], flags: OFlags) -> Result<OwnedFd> {
        if self.depth == 0 {
            return self.root.open(name, flags);
        }
        LAST.with_borrow_mut(|last| {
            let directory = match last {
                Some((directory, opened)) if self.is_same(directory) => opened,
                _ => {
                    let opened = self.open_itself(last.as_ref())?;
                    &last.insert((Arc::clone(self), opened)).1
                }
            };
            self.root.open_from(directory.as_fd(), name, flags)
        })
    }

    /// Opens the directory: in one step if its parent is already open.
    fn open_itself(&self, last: Option<&(Arc<Self>, OwnedFd)>) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        match (&self.above, last) {
            (Some(above), Some((directory, opened))) if above.is_same(directory) => {
                self.root.open_from(opened.as_fd(), &self.relative, flags)
            }
            _ => self.root.open(&self.path_of(b""), flags),
        }
    }

    /// Returns true if both are known to be the same. Two that start from different directories are
    /// not compared.
    fn is_same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let same_above = match (&self.above, &other.above) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        Arc::ptr_eq(self, other)
            || same_above && Arc::ptr_eq(&self.root, &other.root) && self.relative == other.relative
    }
}

/// Two directories are equal if their roots and paths are.
impl PartialEq for HostDirectory {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root && self.path_of(b"") == other.path_of(b"")
    }
}

impl Eq for HostDirectory {}

/// Frees the ancestors iteratively: recursive drops would take stack for every level.
impl Drop for HostDirectory {
    fn drop(&mut self) {
        let mut next = self.above.take();
        while let Some(directory) = next {
            next = Arc::into_inner(directory).and_then(|mut last| last.above.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::tests::{read, scanned};
    use super::*;

    /// A thread that alternates between two trees must not take one's directory for the other's.
    #[test]
    fn equal_paths_in_two_roots_are_different_files() {
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

    #[test]
    fn paths_are_those_of_directories_and_entries() {
        let root = Arc::new(Root::open_at(Path::new("/proc")).expect("it is there"));
        let top = HostDirectory::top(Arc::clone(&root));
        let inner = top.child(b"a").child(b"b");
        assert_eq!((top.path_of(b""), top.path_of(b"f")), (b"".to_vec(), b"f".to_vec()));
        assert_eq!((inner.path_of(b""), inner.path_of(b"f")), (b"a/b".to_vec(), b"a/b/f".to_vec()));
        assert_eq!(inner.host_path_of(b"f"), Path::new("/proc/a/b/f"));
        assert_eq!((top.depth(), inner.depth()), (0, 2));
        let (same, name) = HostDirectory::of_file(root, b"a/b/f");
        assert_eq!((&same, name, same.depth()), (&inner, &b"f"[..], 2));
        assert_ne!(inner, top.child(b"a"));
    }

    #[test]
    fn a_million_levels_are_freed_without_stack() {
        let mut last = HostDirectory::top(Arc::new(Root::open_at(Path::new("/")).expect("it is there")));
        for _ in 0..1_000_000 {
            last = last.child(b"d");
        }
        let held = last.child(b"held");
        drop(last);
        assert_eq!(held.depth(), 1_000_001);
    }
}
