//! Properties of the whole tree that are needed after it is reduced.

use std::collections::BTreeSet;

use image_tree::Directories;
use image_tree::path::{base_name, parent};
use image_tree::resolve::resolve_in_root;

use crate::blob::Blob;
use crate::run::firmware::{self, Firmware};

/// The properties that a run needs.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Lookups<'r> {
    /// Paths that are looked up.
    pub(in crate::run) paths: &'r [Vec<u8>],
    /// True if the microcode of the tree is used.
    pub(in crate::run) microcode: bool,
}

/// The properties of a tree.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct WholeTree {
    /// Those of the paths that are in the tree.
    pub(in crate::run) paths: BTreeSet<Vec<u8>>,
    /// The microcode of the tree, if it is used.
    pub(in crate::run) microcode: Vec<Firmware>,
}

impl WholeTree {
    /// Looks up the properties of a tree.
    pub(super) fn of<T: Directories<Content = Blob>>(tree: &T, lookups: Lookups<'_>) -> Self {
        let is_there = |path: &&Vec<u8>| {
            let above = resolve_in_root(tree, parent(path));
            above.is_some_and(|above| tree.lookup(above, base_name(path)).is_some())
                || resolve_in_root(tree, path).is_some()
        };
        Self {
            paths: lookups.paths.iter().filter(is_there).cloned().collect(),
            microcode: if lookups.microcode { firmware::microcode(tree) } else { Vec::new() },
        }
    }
}
