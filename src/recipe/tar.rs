//! The tar archive to make of a tree.

use initramfs::codec::Codec;

use crate::transform::sparse;

/// A tar archive to make of a tree, without the tree.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TarRecipe {
    /// The compression.
    pub codec: Codec,
    /// The files that are stored with a map of their holes.
    pub holes: sparse::Policy,
}

impl Default for TarRecipe {
    /// An archive without compression, in which files have the holes that they have in the sources.
    fn default() -> Self {
        Self { codec: Codec::NONE, holes: sparse::Policy::Auto }
    }
}

impl TarRecipe {
    /// The unit in which files have holes, in bytes: the block size of most filesystems.
    pub const HOLE_UNIT: u64 = 4096;
}
