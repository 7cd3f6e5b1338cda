//! Extents, and the size of their trees.

use crate::BlockSize;
use crate::ondisk::extent::{ROOT_ENTRIES, block_entries};

/// Consecutive blocks of a file in consecutive blocks of the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first block of the file.
    pub(crate) logical: u32,
    /// The number of blocks: 1 to 32,768.
    pub(crate) len: u32,
    /// The first block of the filesystem.
    pub(crate) physical: u64,
}

/// Returns the number of blocks that an extent tree of that many extents needs in addition to the
/// inode.
pub(crate) fn node_count(extents: u64, block_size: BlockSize) -> u64 {
    levels(extents, block_size).iter().sum()
}

/// Returns the number of blocks of each level of an extent tree, leaves first; empty if all extents
/// fit in the inode.
pub(crate) fn levels(extents: u64, block_size: BlockSize) -> Vec<u64> {
    let mut levels = Vec::new();
    let mut entries = extents;
    while entries > ROOT_ENTRIES {
        entries = entries.div_ceil(block_entries(block_size.bytes()));
        levels.push(entries);
    }
    levels
}
