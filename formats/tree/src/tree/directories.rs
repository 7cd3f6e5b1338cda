//! Read access to a tree, as code that searches one needs it.

use std::collections::BTreeMap;

use crate::{Inode, InodeId, Kind, Name, Tree};

/// A file tree that can be searched: a [`Tree`], or one whose directories are listed on demand.
///
/// [`InodeId::ROOT`] is the root, which is a directory. An implementation may list a directory when
/// [`Directories::entries`] is called for it first, and must return the same entries from then on.
pub trait Directories {
    /// The type that represents the bytes of regular files.
    type Content;

    /// Returns the inode with that id. The entries of a directory may be missing in it.
    ///
    /// # Panics
    /// Panics if the id belongs to another tree.
    fn get(&self, id: InodeId) -> &Inode<Self::Content>;

    /// Returns the entries of a directory; `None` if the inode is not a directory.
    fn entries(&self, id: InodeId) -> Option<&BTreeMap<Name, InodeId>>;

    /// Returns the entry with that name in a directory.
    fn lookup(&self, directory: InodeId, name: &[u8]) -> Option<InodeId> {
        self.entries(directory)?.get(name).copied()
    }

    /// Returns true if the inode is a directory.
    fn is_directory(&self, id: InodeId) -> bool {
        matches!(self.get(id).kind, Kind::Directory(_))
    }
}

impl<C> Directories for Tree<C> {
    type Content = C;

    fn get(&self, id: InodeId) -> &Inode<C> {
        Self::get(self, id)
    }

    fn entries(&self, id: InodeId) -> Option<&BTreeMap<Name, InodeId>> {
        Self::entries(self, id)
    }
}
