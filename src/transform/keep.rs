//! Reduces a tree to the files that a closure keeps.

use std::mem::replace;

use image_tree::{Metadata, Tree};

use crate::closure::{self, Closure};
use crate::error::Result;
use crate::log::{self, Log};

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The closure, of this tree.
    pub closure: &'a Closure,
}

/// The numbers of inodes, to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The number before.
    pub before: usize,
    /// The number of those that are kept.
    pub after: usize,
}

impl log::Report for Kept {
    fn log(&self, log: &Log) {
        log.detail(format_args!("{} of {} inodes are kept", self.after, self.before));
    }
}

/// Removes the names that the closure does not keep; everything else stays unchanged. Earlier ids
/// are then invalid.
///
/// # Errors
/// Never; every transform has this signature.
pub fn apply<C>(tree: &mut Tree<C>, options: &Options<'_>) -> Result<Kept> {
    let before = tree.inode_count();
    let whole = replace(tree, Tree::new(Metadata::new(0)));
    *tree = closure::keep(whole, options.closure);
    Ok(Kept { before, after: tree.inode_count() })
}
