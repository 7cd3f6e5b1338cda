//! The names in a tree at which the paths of lists lie.

use std::collections::BTreeMap;

use image_tree::path::{base_name, join, parent};
use image_tree::resolve::trace_in_root;
use image_tree::{Directories, InodeId};

/// Finds listed paths in a tree, and resolves each directory once.
pub(super) struct Places<'t, T> {
    tree: &'t T,
    /// The directory at a path: its inode, and its path without symbolic links.
    directories: BTreeMap<Vec<u8>, Option<(InodeId, Vec<u8>)>>,
}

/// A name of the tree.
pub(super) struct Place {
    /// The inode, which may be a symbolic link.
    pub(super) id: InodeId,
    /// The path without symbolic links in its directories.
    pub(super) path: Vec<u8>,
}

impl<'t, T: Directories> Places<'t, T> {
    pub(super) fn new(tree: &'t T) -> Self {
        Self { tree, directories: BTreeMap::new() }
    }

    /// Returns the name at a path, whose directories may be links: with a merged `/usr`, `/lib/x`
    /// of a list lies at `/usr/lib/x`.
    pub(super) fn find(&mut self, path: &[u8]) -> Option<Place> {
        let tree = self.tree;
        let (directory, real) = self.directory(parent(path))?;
        let id = tree.lookup(directory, base_name(path))?;
        Some(Place { id, path: join(real, base_name(path)) })
    }

    fn directory(&mut self, path: &[u8]) -> Option<(InodeId, &[u8])> {
        if !self.directories.contains_key(path) {
            let found = trace_in_root(self.tree, path, &mut 0).ok();
            let found = found.filter(|found| self.tree.is_directory(found.id));
            self.directories.insert(path.to_vec(), found.map(|found| (found.id, found.path)));
        }
        let (id, real) = self.directories.get(path)?.as_ref()?;
        Some((*id, real))
    }
}
