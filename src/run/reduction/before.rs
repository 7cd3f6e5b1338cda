//! What a run asks about the whole tree, before it is reduced.

use std::collections::BTreeSet;

use image_tree::Directories;
use image_tree::path::{base_name, parent};
use image_tree::resolve::resolve_in_root;

use crate::blob::Blob;
use crate::run::firmware::{self, Firmware};

/// The questions of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Asked<'r> {
    /// Paths that may be in the tree.
    pub(in crate::run) paths: &'r [Vec<u8>],
    /// True if the microcode of the tree is used.
    pub(in crate::run) microcode: bool,
}

/// The answers.
#[derive(Clone, Debug, Default)]
pub(in crate::run) struct Before {
    /// The paths that the tree has.
    pub(in crate::run) paths: BTreeSet<Vec<u8>>,
    /// The microcode of the tree, if it is used.
    pub(in crate::run) microcode: Vec<Firmware>,
}

impl Before {
    /// Answers the questions about a tree.
    pub(super) fn of<T: Directories<Content = Blob>>(tree: &T, asked: Asked<'_>) -> Self {
        let is_there = |path: &&Vec<u8>| {
            let above = resolve_in_root(tree, parent(path));
            above.is_some_and(|above| tree.lookup(above, base_name(path)).is_some())
                || resolve_in_root(tree, path).is_some()
        };
        Self {
            paths: asked.paths.iter().filter(is_there).cloned().collect(),
            microcode: if asked.microcode { firmware::microcode(tree) } else { Vec::new() },
        }
    }
}
