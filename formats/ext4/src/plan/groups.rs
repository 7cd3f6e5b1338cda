//! How the blocks divide into groups, and which groups hold copies of the superblock.

use crate::ondisk::{BLOCK_SIZE, BLOCKS_PER_GROUP, DESCS_PER_BLOCK, INODES_PER_BLOCK};

/// The most groups: half of a group's blocks hold their descriptors. More would need `meta_bg`.
pub(crate) const MAX_GROUPS: u64 = BLOCKS_PER_GROUP / 2 * DESCS_PER_BLOCK;
/// The most inodes of a group: as many as its bitmap has bits.
pub(crate) const MAX_INODES_PER_GROUP: u64 = BLOCK_SIZE * 8;

/// The filesystem's shape, derived from its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// All blocks.
    pub(crate) blocks: u64,
    /// A multiple of [`INODES_PER_BLOCK`].
    pub(crate) inodes_per_group: u32,
    /// 0 for no journal.
    pub(crate) journal_blocks: u32,
    /// Blocks reserved after each copy of the descriptors, so that there can be more of them one day.
    pub(crate) reserved_gdt_blocks: u32,
}

impl Geometry {
    /// How many groups there are; the last may be shorter than the others.
    pub(crate) fn groups(&self) -> u32 {
        groups_of(self.blocks)
    }

    /// Blocks that hold the group descriptors.
    pub(crate) fn gdt_blocks(&self) -> u32 {
        gdt_blocks_of(self.groups())
    }

    /// Blocks of one copy of superblock, descriptors and reserve.
    pub(crate) fn backup_blocks(&self) -> u64 {
        1 + u64::from(self.gdt_blocks()) + u64::from(self.reserved_gdt_blocks)
    }

    /// Blocks of one group's inode table.
    pub(crate) fn itable_blocks(&self) -> u64 {
        u64::from(self.inodes_per_group) / INODES_PER_BLOCK
    }

    /// All inodes, used or not.
    pub(crate) fn inodes(&self) -> u32 {
        self.inodes_per_group * self.groups()
    }

    /// How many blocks lie in a group.
    pub(crate) fn blocks_in(&self, group: u32) -> u64 {
        (self.blocks - first_block(group)).min(BLOCKS_PER_GROUP)
    }
}

/// How many groups a filesystem of that many blocks has.
pub(crate) fn groups_of(blocks: u64) -> u32 {
    u32::try_from(blocks.div_ceil(BLOCKS_PER_GROUP)).expect("sizes beyond MAX_GROUPS are refused first")
}

/// How many blocks the descriptors of that many groups fill.
pub(crate) fn gdt_blocks_of(groups: u32) -> u32 {
    u32::try_from(u64::from(groups).div_ceil(DESCS_PER_BLOCK)).expect("a quotient of a u32")
}

/// The first block of a group.
pub(crate) fn first_block(group: u32) -> u64 {
    u64::from(group) * BLOCKS_PER_GROUP
}

/// The groups that hold a copy of the superblock and descriptors (`sparse_super`): 0, 1 and the powers of 3, 5 and
/// 7, in order, as far as they lie below `groups`.
pub(crate) fn backup_groups(groups: u32) -> Vec<u32> {
    let powers = [3u32, 5, 7]
        .into_iter()
        .flat_map(|base| std::iter::successors(Some(base), move |power| power.checked_mul(base)));
    let mut all: Vec<u32> = [0, 1].into_iter().chain(powers).filter(|group| *group < groups).collect();
    all.sort_unstable();
    all
}

/// Whether a group holds a copy of the superblock and descriptors.
pub(crate) fn has_backup(group: u32) -> bool {
    let is_power_of = |base: u32| {
        let mut rest = group;
        while rest.is_multiple_of(base) {
            rest /= base;
        }
        rest == 1
    };
    group <= 1 || [3, 5, 7].into_iter().any(is_power_of)
}

/// How many blocks to reserve for descriptors: enough to grow to 1024 times the size, and no further than blocks
/// can be numbered in 32 bits, as mke2fs does.
///
/// The reserve is listed in one indirect block, so it is at most as long as that has entries.
pub(crate) fn reserved_gdt_blocks(blocks: u64) -> u32 {
    let largest = blocks.saturating_mul(1024).min(u64::from(u32::MAX));
    let gdt_blocks = largest.div_ceil(BLOCKS_PER_GROUP).div_ceil(DESCS_PER_BLOCK);
    let more = gdt_blocks.saturating_sub(u64::from(gdt_blocks_of(groups_of(blocks))));
    u32::try_from(more.min(BLOCK_SIZE / 4)).expect("at most 1024")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_lie_in_groups_0_1_and_powers_of_3_5_and_7() {
        assert_eq!(backup_groups(50), [0, 1, 3, 5, 7, 9, 25, 27, 49]);
        assert_eq!(backup_groups(1), [0]);
        let listed: Vec<u32> = (0..20_000).filter(|group| has_backup(*group)).collect();
        assert_eq!(listed, backup_groups(20_000));
    }

    #[test]
    fn the_reserve_is_that_of_mke2fs() {
        // `mke2fs -b 4096` and `dumpe2fs -h` of 8 MiB, 64 MiB, 1 GiB, 16 GiB, and 16 TiB less one block.
        assert_eq!(reserved_gdt_blocks(2048), 0);
        assert_eq!(reserved_gdt_blocks(16_384), 7);
        assert_eq!(reserved_gdt_blocks(262_144), 127);
        assert_eq!(reserved_gdt_blocks(1 << 22), 1024);
        assert_eq!(reserved_gdt_blocks(u64::from(u32::MAX)), 0);
    }
}
