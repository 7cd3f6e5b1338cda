//! The division of blocks into groups, and the groups with copies of the superblock.

use crate::BlockSize;
use crate::options::Options;

/// The geometry of the filesystem, derived from its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) block_size: BlockSize,
    /// The size of a group descriptor in bytes.
    pub(crate) desc_size: u64,
    /// The number of blocks.
    pub(crate) blocks: u64,
    /// The number of inodes per group: a multiple of [`BlockSize::inode_step`].
    pub(crate) inodes_per_group: u32,
    /// The number of blocks of the journal; 0 for none.
    pub(crate) journal_blocks: u32,
    /// The number of blocks of the orphan file; 0 for none.
    pub(crate) orphan_blocks: u32,
    /// The number of blocks reserved after each copy of the descriptors, so that the filesystem can
    /// grow.
    pub(crate) reserved_gdt_blocks: u32,
    pub(crate) backups: Backups,
}

impl Geometry {
    /// Returns the number of groups; the last may be shorter than the others.
    pub(crate) fn groups(&self) -> u32 {
        groups_of(self.blocks, self.block_size)
    }

    /// Returns the number of blocks for the group descriptors.
    pub(crate) fn gdt_blocks(&self) -> u32 {
        gdt_blocks_of(self.groups(), self.block_size.descs_per_block(self.desc_size))
    }

    /// Returns the number of blocks of a copy of superblock, descriptors and reserve.
    pub(crate) fn backup_blocks(&self) -> u64 {
        1 + u64::from(self.gdt_blocks()) + u64::from(self.reserved_gdt_blocks)
    }

    /// Returns the number of blocks of the inode table of a group.
    pub(crate) fn itable_blocks(&self) -> u64 {
        u64::from(self.inodes_per_group) / self.block_size.inodes_per_block()
    }

    /// Returns the number of inodes, used or not.
    pub(crate) fn inodes(&self) -> u32 {
        self.inodes_per_group * self.groups()
    }

    /// Returns the first block of a group.
    pub(crate) fn first_block(&self, group: u32) -> u64 {
        first_block(group, self.block_size)
    }

    /// Returns the number of blocks in a group.
    pub(crate) fn blocks_in(&self, group: u32) -> u64 {
        (self.blocks - self.first_block(group)).min(self.block_size.blocks_per_group())
    }

    /// Returns the groups with a copy of the superblock and descriptors, in order; 0 is the first.
    pub(crate) fn backup_groups(&self) -> Vec<u32> {
        self.backups.groups(self.groups())
    }
}

/// Returns the number of groups of a filesystem of that many blocks.
pub(crate) fn groups_of(blocks: u64, block_size: BlockSize) -> u32 {
    let groups = (blocks - block_size.first_data_block()).div_ceil(block_size.blocks_per_group());
    u32::try_from(groups).expect("sizes beyond the most groups are refused first")
}

/// Returns the number of blocks for the descriptors of that many groups.
pub(crate) fn gdt_blocks_of(groups: u32, descs_per_block: u64) -> u32 {
    u32::try_from(u64::from(groups).div_ceil(descs_per_block)).expect("a quotient of a u32")
}

/// Returns the first block of a group.
pub(crate) fn first_block(group: u32, block_size: BlockSize) -> u64 {
    block_size.first_data_block() + (u64::from(group) << block_size.log2_blocks_per_group())
}

/// The groups other than 0 with a copy of the superblock and descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backups {
    /// `sparse_super`: 1 and the powers of 3, 5 and 7.
    SparseSuper,
    /// `sparse_super2`: those of `s_backup_bgs` that are not 0.
    SparseSuper2([u32; 2]),
}

impl Backups {
    /// Returns the choice of the options in a filesystem of that many groups.
    pub(crate) fn of(options: &Options, groups: u32) -> Self {
        if !options.features.sparse_super2 {
            return Self::SparseSuper;
        }
        let last = groups.saturating_sub(1);
        let in_group_1 = if options.num_backup_sb >= 1 && last >= 1 { 1 } else { 0 };
        let in_last = if options.num_backup_sb >= 2 && last >= 2 { last } else { 0 };
        Self::SparseSuper2([in_group_1, in_last])
    }

    /// Returns the groups below `groups` with a copy, including 0, in order.
    pub(crate) fn groups(self, groups: u32) -> Vec<u32> {
        let mut all: Vec<u32> = match self {
            Self::SparseSuper => {
                let powers = [3u32, 5, 7]
                    .into_iter()
                    .flat_map(|base| std::iter::successors(Some(base), move |power| power.checked_mul(base)));
                [0, 1].into_iter().chain(powers).filter(|group| *group < groups).collect()
            }
            Self::SparseSuper2(listed) => {
                let listed = listed.into_iter().filter(|group| *group != 0 && *group < groups);
                std::iter::once(0).chain(listed).collect()
            }
        };
        all.sort_unstable();
        all
    }

    /// Returns true if a group has a copy.
    pub(crate) fn has(self, group: u32) -> bool {
        let is_power_of = |base: u32| {
            let mut rest = group;
            while rest.is_multiple_of(base) {
                rest /= base;
            }
            rest == 1
        };
        match self {
            Self::SparseSuper => group <= 1 || [3, 5, 7].into_iter().any(is_power_of),
            Self::SparseSuper2(listed) => group == 0 || listed.contains(&group),
        }
    }
}

/// Returns the number of blocks to reserve for descriptors: enough to grow to
/// [`Options::resize_limit`], or else to 1024 times the size, but at most to the number of blocks
/// that fits in 32 bits, like mke2fs.
///
/// The reserve is listed in one indirect block, so its length is at most the number of entries in
/// that block.
pub(crate) fn reserved_gdt_blocks(blocks: u64, options: &Options) -> u32 {
    if !options.features.resize_inode {
        return 0;
    }
    let block_size = options.block_size;
    let largest = match options.resize_limit {
        Some(bytes) => bytes >> block_size.log2(),
        None => blocks.saturating_mul(1024),
    };
    let largest = largest.min(u64::from(u32::MAX));
    let groups =
        largest.saturating_sub(block_size.first_data_block()).div_ceil(block_size.blocks_per_group());
    let descs_per_block = block_size.descs_per_block(options.desc_size());
    let more = groups
        .div_ceil(descs_per_block)
        .saturating_sub(u64::from(gdt_blocks_of(groups_of(blocks, block_size), descs_per_block)));
    u32::try_from(more.min(block_size.addresses())).expect("at most 1024")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn options() -> Options {
        Options::new(Uuid::nil(), Uuid::nil())
    }

    #[test]
    fn backups_lie_in_groups_0_1_and_powers_of_3_5_and_7() {
        let backups = Backups::SparseSuper;
        assert_eq!(backups.groups(50), [0, 1, 3, 5, 7, 9, 25, 27, 49]);
        assert_eq!(backups.groups(1), [0]);
        let listed: Vec<u32> = (0..20_000).filter(|group| backups.has(*group)).collect();
        assert_eq!(listed, backups.groups(20_000));
    }

    #[test]
    fn sparse_super2_has_as_many_backups_as_requested() {
        // `mke2fs -b 1024 -O sparse_super2,^resize_inode` and `dumpe2fs -h` of 8, 9, 17 and 300
        // MiB.
        for (groups, requested, found) in [
            (1, 2, [0, 0]),
            (2, 2, [1, 0]),
            (3, 2, [1, 2]),
            (38, 2, [1, 37]),
            (38, 1, [1, 0]),
            (38, 0, [0, 0]),
        ] {
            let features = crate::Features { sparse_super2: true, ..crate::Features::DEFAULT };
            let options = Options { features, num_backup_sb: requested, ..options() };
            let backups = Backups::of(&options, groups);
            assert_eq!(backups, Backups::SparseSuper2(found), "{requested} in {groups} groups");
            let listed: Vec<u32> = (0..groups).filter(|group| backups.has(*group)).collect();
            assert_eq!(listed, backups.groups(groups));
        }
    }

    #[test]
    fn the_reserve_is_that_of_mke2fs() {
        let reserve = |blocks| reserved_gdt_blocks(blocks, &options());
        // `mke2fs -b 4096` and `dumpe2fs -h` of 8 MiB, 64 MiB, 1 GiB, 16 GiB, and 16 TiB less one
        // block.
        assert_eq!(reserve(2048), 0);
        assert_eq!(reserve(16_384), 7);
        assert_eq!(reserve(262_144), 127);
        assert_eq!(reserve(1 << 22), 1024);
        assert_eq!(reserve(u64::from(u32::MAX)), 0);
    }

    #[test]
    fn the_reserve_by_block_size_and_limit() {
        let reserve = |block_size, bytes: u64, resize_limit| {
            let options = Options { block_size, resize_limit, ..options() };
            reserved_gdt_blocks(bytes / block_size.bytes(), &options)
        };
        // `mke2fs` and `dumpe2fs -h` of 64 MiB.
        assert_eq!(reserve(BlockSize::B1024, 64 << 20, None), 256);
        assert_eq!(reserve(BlockSize::B2048, 64 << 20, None), 63);
        // The same with `-E resize=`.
        assert_eq!(reserve(BlockSize::B4096, 64 << 20, Some(64 << 30)), 7);
        assert_eq!(reserve(BlockSize::B4096, 64 << 20, Some(16 << 30)), 1);
        assert_eq!(reserve(BlockSize::B1024, 64 << 20, Some(1 << 30)), 7);
        assert_eq!(reserve(BlockSize::B4096, 64 << 20, Some(0)), 0);
    }
}
