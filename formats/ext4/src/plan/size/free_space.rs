//! The part of the free space that users can fill.
//!
//! ```text
//! free blocks:  room for every user │ reserved for root │ withheld from everybody
//! ```

use crate::plan::blocks::{Placement, node_count};
use crate::plan::groups::Geometry;
use crate::{BlockSize, Options, Size};

/// The kernel withholds a 50th of all blocks from all users (`ext4_calculate_resv_clusters`), for
/// metadata that must be written when there is no other space.
const WITHHELD_DIVISOR: u64 = 50;
/// The maximum number of blocks that the kernel withholds.
const MAX_WITHHELD: u64 = 4096;
/// The number of blocks that a new name can take in a full directory: a block of names becomes an
/// index over two leaves.
const BLOCKS_OF_A_NAME: u64 = 2;
/// The number of files for which there is one more inode, that of their directory.
const FILES_PER_DIRECTORY: u64 = 8;

/// Returns `s_r_blocks_count` of a filesystem of that many blocks: those reserved for root.
pub(crate) fn reserved(blocks: u64, options: &Options) -> u64 {
    let reserved = u128::from(blocks) * u128::from(options.reserved_percent) / 100;
    u64::try_from(reserved).expect("a percentage of 50 or less")
}

/// Returns the number of blocks, in a filesystem of that many, that are not available to
/// unprivileged users.
fn kept(blocks: u64, options: &Options) -> u64 {
    reserved(blocks, options) + (blocks / WITHHELD_DIVISOR).min(MAX_WITHHELD)
}

/// Returns `f_bavail` of statfs: the free blocks available to unprivileged users.
pub(crate) fn available(placement: &Placement, geometry: &Geometry, options: &Options) -> u64 {
    placement.free_blocks(geometry).saturating_sub(kept(geometry.blocks, options))
}

/// Returns the number of inodes for that many bytes of free space: one for each
/// [`Options::BYTES_PER_INODE`], and those of their directories.
pub(crate) fn inodes_for(bytes: u64) -> u64 {
    let files = bytes.div_ceil(Options::BYTES_PER_INODE);
    files + files.div_ceil(FILES_PER_DIRECTORY)
}

/// Returns the minimum number of blocks, at least that of `geometry`, at which a filesystem with
/// this placement has the requested free space. If it is at most that of `geometry`, everything
/// fits.
pub(crate) fn required(placement: &Placement, geometry: &Geometry, options: &Options) -> u64 {
    let mut blocks = geometry.blocks.max(placement.end);
    loop {
        // With more blocks, more are withheld and, in percent, more are requested: from below, the
        // first size found is the smallest. If none is found, the search ends beyond the largest.
        let end = placement.end_with(free_for(blocks, options));
        if end <= blocks || end > options.max_blocks() {
            return end;
        }
        blocks = end;
    }
}

/// Returns the number of free blocks that a filesystem of that many must have.
fn free_for(blocks: u64, options: &Options) -> u64 {
    let room = match options.size {
        Size::Smallest | Size::Total { .. } => 0,
        Size::Free { bytes } => options.block_size.blocks_of(bytes),
        Size::FreePercent(percent) => {
            let room = (u128::from(blocks) * u128::from(percent)).div_ceil(100);
            u64::try_from(room).expect("no more than all blocks")
        }
    };
    if room == 0 { 0 } else { room + of_one_file(room, options.block_size) + kept(blocks, options) }
}

/// Returns the number of blocks that a file with that many data blocks takes in addition: for its
/// extent tree and its name. The kernel allocates the space of each group as one or two extents.
fn of_one_file(room: u64, block_size: BlockSize) -> u64 {
    let extents = 2 * room.div_ceil(block_size.blocks_per_group()) + 4;
    node_count(extents, block_size) + BLOCKS_OF_A_NAME
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_50th_but_at_most_4096_blocks_is_reserved() {
        let options = Options::new(Uuid::nil(), Uuid::nil());
        for (blocks, expected) in [(49, 0), (50, 1), (204_799, 4095), (204_800, 4096), (1 << 34, 4096)] {
            assert_eq!(kept(blocks, &options), expected, "{blocks}");
        }
        let options = Options { reserved_percent: 5, ..options };
        assert_eq!((reserved(1019, &options), kept(1019, &options)), (50, 70));
    }

    #[test]
    fn directories_have_inodes_besides_those_of_files() {
        let inodes = [0, 1, 16_384, 8 << 14, 9 << 14, 1 << 30].map(inodes_for);
        assert_eq!(inodes, [0, 2, 2, 9, 11, 65_536 + 8192]);
    }
}
