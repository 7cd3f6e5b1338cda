//! The result of reading a directory of the host.

use std::path::PathBuf;
use std::sync::Arc;

use image_tree::Tree;

use crate::blob::{Blob, HostDirectory};

/// The tree of a directory of the host, and the facts about it that a tree does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The tree.
    pub tree: Tree<Blob>,
    /// The inode on the host of each inode of the tree, by the tree's index. Empty if the source is
    /// not a directory of the host.
    pub hosts: Vec<HostInode>,
    /// The unreadable files and directories, in the order of the tree's walk: one for each name.
    pub unreadable: Vec<Unreadable>,
    /// The directories on other filesystems whose entries were left out, with their paths in the
    /// tree, without a leading `/`.
    pub other_filesystem: Vec<Vec<u8>>,
}

impl From<Tree<Blob>> for Scanned {
    /// Returns a tree without inodes on the host.
    fn from(tree: Tree<Blob>) -> Self {
        Self { tree, hosts: Vec::new(), unreadable: Vec::new(), other_filesystem: Vec::new() }
    }
}

/// An inode of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostInode {
    /// `st_dev`, as `makedev(3)` packs it.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// A regular file or a directory that the host does not permit us to read. The tree has its
/// metadata but not its xattrs, and a directory has no entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The directory itself, or the one that contains the file.
    place: Arc<HostDirectory>,
    /// Its name in that directory; empty for the directory itself.
    name: Box<[u8]>,
    /// The path in the tree of the directory that was read; empty for the root.
    beneath: Arc<[u8]>,
    /// Its path in the tree, if that is not the one derived from the directory that was read.
    moved: Option<Box<[u8]>>,
    /// True for a directory.
    pub directory: bool,
}

impl Unreadable {
    pub(crate) fn new(place: &Arc<HostDirectory>, name: &[u8], directory: bool) -> Self {
        Self { place: Arc::clone(place), name: name.into(), beneath: Arc::default(), moved: None, directory }
    }

    /// Returns the same with `path` as the path in another tree of the directory that was read.
    #[must_use]
    pub fn beneath(self, path: &Arc<[u8]>) -> Self {
        Self { beneath: Arc::clone(path), ..self }
    }

    /// Returns the same at another path of the tree.
    #[must_use]
    pub fn moved_to(self, path: &[u8]) -> Self {
        Self { moved: Some(path.into()), ..self }
    }

    /// Returns its path on the host, for messages.
    #[must_use]
    pub fn host_path(&self) -> PathBuf {
        self.place.host_path_of(&self.name)
    }

    /// Returns its path in the tree. A path from the root has no leading `/`, and one that ends in
    /// `/` is that of the directory before it.
    #[must_use]
    pub fn path(&self) -> Vec<u8> {
        if let Some(moved) = &self.moved {
            return moved.to_vec();
        }
        let path = self.place.path_of(&self.name);
        if self.beneath.is_empty() {
            return path;
        }
        let slash: &[u8] = if self.beneath.ends_with(b"/") { b"" } else { b"/" };
        [&self.beneath[..], slash, &path].concat()
    }
}
