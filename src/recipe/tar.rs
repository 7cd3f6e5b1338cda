//! The tar archive to make of a tree.

use initramfs::codec::Codec;

use super::{Output, TreeRecipe};
use crate::log::Level;
use crate::transform::sparse;

/// A tar archive to make of a tree.
#[derive(Clone, Debug)]
pub struct TarRecipe {
    /// The tree.
    pub tree: TreeRecipe,
    /// The destination of the archive.
    pub output: Output,
    /// The compression.
    pub codec: Codec,
    /// The files that are stored with a map of their holes.
    pub holes: sparse::Policy,
    /// True if only errors and warnings are printed.
    pub quiet: bool,
    /// True to stop after planning.
    pub dry_run: bool,
    /// True if the report on standard output is JSON.
    pub json: bool,
}

impl TarRecipe {
    /// The unit in which files have holes, in bytes: the block size of most filesystems.
    pub const HOLE_UNIT: u64 = 4096;

    /// The verbosity of messages on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.quiet { Level::Quiet } else { self.tree.level() }
    }
}
