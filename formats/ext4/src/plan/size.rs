//! The size of the filesystem: the minimum for its contents, or the requested size.

pub(crate) mod free_space;
mod journal;
mod orphan;

use super::blocks::{BlockDemand, Placement, place};
use super::groups::{self, Backups, Geometry, first_block};
use crate::error::Error;
use crate::ondisk::inode::FIRST_INO;
use crate::{BlockSize, Options, Size};

/// The maximum share of blocks that may be reserved for root, in percent.
const MAX_RESERVED_PERCENT: u8 = 50;
/// The maximum share of free blocks that may be requested, in percent, if the number of inodes is
/// given. With one for each [`Options::BYTES_PER_INODE`] of free space, their tables take 1.5 % of
/// the whole: 99 % would be free only from 100 TiB on, where 32 bits cannot count more inodes.
const MAX_FREE_PERCENT: u8 = 99;
const MAX_FREE_PERCENT_WITH_INODES_FOR_IT: u8 = 98;

/// Chooses the geometry and places everything in it. `inodes` is the number of inodes in use.
///
/// # Errors
/// Returns an error if the requested size is too small for the tree, or the needed size exceeds the
/// limits of ext4.
pub(crate) fn choose(
    demand: &BlockDemand,
    inodes: u32,
    options: &Options,
) -> Result<(Geometry, Placement), Error> {
    check(inodes, options)?;
    let data = demand.file_blocks.iter().map(|blocks| u64::from(*blocks)).sum();
    let sizing = Sizing { demand, data, inodes: u64::from(inodes), options, block_size: options.block_size };
    let (geometry, placement) = match options.size {
        Size::Total { bytes } => sizing.fixed(bytes)?,
        Size::Smallest | Size::Free { .. } | Size::FreePercent(_) => sizing.smallest()?,
    };
    let size_bytes = options.block_size.offset(geometry.blocks);
    match options.resize_limit {
        Some(limit_bytes) if limit_bytes < size_bytes => Err(Error::ResizeLimit { size_bytes, limit_bytes }),
        _ => Ok((geometry, placement)),
    }
}

fn check(inodes: u32, options: &Options) -> Result<(), Error> {
    journal::check(options.journal)?;
    if options.reserved_percent > MAX_RESERVED_PERCENT {
        let (percent, limit) = (options.reserved_percent, MAX_RESERVED_PERCENT);
        return Err(Error::Percentage { what: "a reserve", percent, limit });
    }
    let all = if options.inodes.is_some() { MAX_FREE_PERCENT } else { MAX_FREE_PERCENT_WITH_INODES_FOR_IT };
    let free_limit = all - options.reserved_percent;
    let free =
        if options.reserved_percent == 0 { "free space" } else { "beside the reserve for root, free space" };
    match (options.size, options.inodes) {
        (Size::FreePercent(percent), _) if percent > free_limit => {
            Err(Error::Percentage { what: free, percent, limit: free_limit })
        }
        (_, Some(requested)) if requested < inodes => {
            let reserved = FIRST_INO - 1 + u32::from(options.features.orphan_file);
            Err(Error::TooFewInodes { requested, needed: u64::from(inodes), reserved })
        }
        (_, Some(requested)) if u64::from(requested) > options.block_size.max_inodes() => {
            let limit = options.block_size.max_inodes();
            Err(Error::TooManyInodes { inodes: u64::from(requested), limit })
        }
        _ => Ok(()),
    }
}

struct Sizing<'a> {
    demand: &'a BlockDemand,
    /// The number of blocks of all files, a lower limit of the size of the filesystem. Nothing is
    /// placed in a smaller one: the extents of files that are too large for any filesystem need not
    /// fit in memory.
    data: u64,
    inodes: u64,
    options: &'a Options,
    block_size: BlockSize,
}

impl Sizing<'_> {
    /// Plans a filesystem of exactly `bytes`, except for a remainder too short to be a block or a
    /// group.
    fn fixed(&self, bytes: u64) -> Result<(Geometry, Placement), Error> {
        let blocks = bytes >> self.block_size.log2();
        if blocks > self.options.max_blocks() {
            return Err(self.too_large());
        }
        self.check_inodes_of(blocks)?;
        if self.data < blocks
            && let Some(geometry) = self.geometry(without_useless_tail(blocks, self.options))
        {
            let placement = place(self.demand, &geometry);
            if placement.end <= geometry.blocks {
                return Ok(self.with_inodes_for_free_space(geometry, placement));
            }
        }
        let needed_bytes = self.block_size.offset(self.smallest()?.0.blocks);
        Err(Error::TooSmall {
            size_bytes: bytes,
            needed_bytes,
            missing_bytes: needed_bytes.saturating_sub(bytes),
        })
    }

    /// Checks the number of inodes. All groups have the same number of inodes, in whole blocks. If
    /// the requested number, rounded up in this way, exceeds 32 bits, a larger filesystem would not
    /// help.
    fn check_inodes_of(&self, blocks: u64) -> Result<(), Error> {
        let inodes = self.least_inodes();
        let blocks = blocks.saturating_sub(self.block_size.first_data_block());
        let groups = blocks.div_ceil(self.block_size.blocks_per_group()).max(1);
        let step = self.block_size.inode_step() * groups;
        let limit = u64::from(u32::MAX) / step * step;
        if inodes > limit { Err(Error::TooManyInodes { inodes, limit }) } else { Ok(()) }
    }

    /// Returns the requested number of inodes, or else the number in use.
    fn least_inodes(&self) -> u64 {
        self.options.inodes.map_or(self.inodes, u64::from)
    }

    /// Adds an inode for each [`Options::BYTES_PER_INODE`] of free space to the filesystem, if
    /// their tables fit and the number of inodes was not given.
    fn with_inodes_for_free_space(&self, geometry: Geometry, placement: Placement) -> (Geometry, Placement) {
        if self.options.inodes.is_none() {
            let free = self.block_size.offset(placement.free_blocks(&geometry));
            let wanted = self.inodes + free_space::inodes_for(free);
            if let Some(larger) = self.geometry_for(geometry.blocks, wanted) {
                let placement = place(self.demand, &larger);
                if placement.end <= larger.blocks {
                    return (larger, placement);
                }
            }
        }
        (geometry, placement)
    }

    /// Finds the smallest filesystem with space for everything and the requested free space.
    ///
    /// The size of the metadata depends on that of the filesystem, which depends on the metadata.
    /// Both grow together, so the search starts below the answer and adds the missing blocks until
    /// none are missing: the first size found is the smallest.
    fn smallest(&self) -> Result<(Geometry, Placement), Error> {
        let blocks_per_group = self.block_size.blocks_per_group();
        let for_inodes = self.inodes.div_ceil(self.block_size.max_inodes_per_group());
        let mut groups = self.data.div_ceil(blocks_per_group).max(for_inodes).max(1);
        loop {
            if groups > self.options.max_groups() {
                return Err(self.too_large());
            }
            match self.smallest_of(groups)? {
                Found::Fits(found) => return Ok(*found),
                Found::NeedsBlocks(blocks) => {
                    // Inode tables are rounded up in each group, so that one more group can need a
                    // little less: one group less than needed is tried as well.
                    groups = blocks.div_ceil(blocks_per_group).saturating_sub(1).max(groups + 1);
                }
            }
        }
    }

    /// Finds the smallest filesystem with that number of groups, or the number of blocks that it
    /// needs instead.
    fn smallest_of(&self, groups: u64) -> Result<Found, Error> {
        let last = u32::try_from(groups - 1).expect("no more than the most groups");
        let first_of_last = first_block(last, self.block_size);
        let mut blocks = first_of_last + 1;
        loop {
            if blocks > first_of_last + self.block_size.blocks_per_group() {
                return Ok(Found::NeedsBlocks(blocks));
            }
            // With 32-bit block numbers, the limit is within a group.
            if blocks > self.options.max_blocks() {
                return Err(self.too_large());
            }
            let Some(geometry) = self.geometry(blocks) else {
                return self.refuse_inodes(groups);
            };
            if geometry.backups.has(last) && blocks <= first_of_last + geometry.backup_blocks() {
                blocks = first_of_last + geometry.backup_blocks() + 1;
                continue;
            }
            let placement = place(self.demand, &geometry);
            let required = free_space::required(&placement, &geometry, self.options);
            if required <= blocks {
                return Ok(Found::Fits(Box::new(self.smaller(geometry, placement))));
            }
            blocks = required;
        }
    }

    /// Finds the smallest filesystem with the same number of groups, if a smaller one may suffice:
    /// aligned files can end earlier if they begin later, and small files may fit in the gaps of
    /// one filesystem and not in those of the next.
    fn smaller(&self, mut geometry: Geometry, mut placement: Placement) -> (Geometry, Placement) {
        if self.demand.alignment.is_none() {
            return (geometry, placement);
        }
        loop {
            let all_but_one = geometry.blocks - 1;
            let required = free_space::required(&placement, &geometry, self.options).min(all_but_one);
            let found = [required, all_but_one].into_iter().find_map(|blocks| {
                let smaller =
                    self.geometry(blocks).filter(|smaller| smaller.groups() == geometry.groups())?;
                let last = smaller.groups() - 1;
                let useless = smaller.backups.has(last) && smaller.blocks_in(last) <= smaller.backup_blocks();
                let placement = place(self.demand, &smaller);
                let fits = !useless && free_space::required(&placement, &smaller, self.options) <= blocks;
                fits.then_some((smaller, placement))
            });
            match found {
                Some(found) => (geometry, placement) = found,
                None => return (geometry, placement),
            }
        }
    }

    fn refuse_inodes(&self, groups: u64) -> Result<Found, Error> {
        if groups < self.options.max_groups() {
            let all = groups * self.block_size.blocks_per_group();
            return Ok(Found::NeedsBlocks(self.block_size.first_data_block() + all + 1));
        }
        Err(Error::TooManyInodes { inodes: self.least_inodes(), limit: self.block_size.max_inodes() })
    }

    /// Returns the geometry of a filesystem of that many blocks; `None` if its groups cannot hold
    /// the inodes.
    fn geometry(&self, blocks: u64) -> Option<Geometry> {
        let wanted = match (self.options.inodes, self.options.size) {
            (Some(requested), _) => u64::from(requested),
            (None, Size::Smallest | Size::Total { .. }) => self.inodes,
            (None, Size::Free { bytes }) => self.inodes + free_space::inodes_for(bytes),
            (None, Size::FreePercent(percent)) => {
                self.inodes
                    + free_space::inodes_for(self.block_size.offset(blocks * u64::from(percent) / 100))
            }
        };
        self.geometry_for(blocks, wanted)
    }

    /// Returns the geometry of a filesystem of that many blocks and at least `wanted` inodes, or as
    /// many as 32 bits can number; `None` if its groups cannot hold the inodes in use or the
    /// requested number.
    fn geometry_for(&self, blocks: u64, wanted: u64) -> Option<Geometry> {
        if blocks <= self.block_size.first_data_block() {
            return None;
        }
        let groups = u64::from(groups::groups_of(blocks, self.block_size));
        let wanted = wanted.min(u64::from(u32::MAX));
        let step = self.block_size.inode_step();
        let mut per_group = wanted.div_ceil(groups).next_multiple_of(step);
        if per_group * groups > u64::from(u32::MAX) {
            per_group -= step;
        }
        if per_group > self.block_size.max_inodes_per_group() || per_group * groups < self.least_inodes() {
            return None;
        }
        let inodes_per_group = u32::try_from(per_group).expect("no more than a block has bits");
        Some(Geometry { inodes_per_group, ..without_inodes(blocks, self.options) })
    }

    fn too_large(&self) -> Error {
        let blocks = self.options.max_blocks();
        let limit_bytes = self.block_size.offset(blocks);
        if self.options.features.bit_64 || blocks < u64::from(u32::MAX) {
            Error::TooLarge { limit_bytes }
        } else {
            Error::TooLargeFor32Bits { limit_bytes }
        }
    }
}

enum Found {
    Fits(Box<(Geometry, Placement)>),
    NeedsBlocks(u64),
}

/// Returns the geometry of a filesystem of that many blocks, without the number of inodes.
fn without_inodes(blocks: u64, options: &Options) -> Geometry {
    Geometry {
        block_size: options.block_size,
        desc_size: options.desc_size(),
        blocks,
        inodes_per_group: 0,
        journal_blocks: journal::blocks_for(options.journal, blocks),
        orphan_blocks: orphan::blocks_for(options.features, blocks),
        reserved_gdt_blocks: groups::reserved_gdt_blocks(blocks, options),
        backups: Backups::of(options, groups::groups_of(blocks, options.block_size)),
    }
}

/// Removes a last group that would contain only its copy of the superblock, and returns the number
/// of blocks.
fn without_useless_tail(blocks: u64, options: &Options) -> u64 {
    if blocks <= options.block_size.first_data_block() {
        return 0;
    }
    let geometry = without_inodes(blocks, options);
    let last = geometry.groups() - 1;
    let useless =
        last > 0 && geometry.backups.has(last) && geometry.blocks_in(last) <= geometry.backup_blocks();
    if useless { geometry.first_block(last) } else { blocks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_tree::Timestamp;
    use uuid::Uuid;

    const BLOCK_SIZE: u64 = BlockSize::B4096.bytes();

    fn options(size: Size) -> Options {
        Options { size, created: Timestamp::EPOCH, ..Options::new(Uuid::nil(), Uuid::nil()) }
    }

    fn demand(file_blocks: u32) -> BlockDemand {
        BlockDemand {
            file_blocks: vec![0, file_blocks],
            order: vec![1],
            directories: 0,
            xattr_blocks: 0,
            ..BlockDemand::default()
        }
    }

    fn blocks(size: Size, file_blocks: u32, inodes: u32) -> Result<u64, Error> {
        choose(&demand(file_blocks), inodes, &options(size)).map(|(geometry, _)| geometry.blocks)
    }

    /// Iterates over options of every block size, with copies of the superblock in many groups, in
    /// the last or in none.
    fn every_layout() -> impl Iterator<Item = Options> {
        BlockSize::ALL.into_iter().flat_map(|block_size| {
            [(false, true, 2), (false, false, 2), (true, false, 2), (true, false, 0)].map(
                |(sparse_super2, resize_inode, num_backup_sb)| {
                    let options = options(Size::Smallest);
                    let features = crate::Features { sparse_super2, resize_inode, ..options.features };
                    Options { block_size, features, num_backup_sb, ..options }
                },
            )
        })
    }

    #[test]
    fn the_smallest_is_full_and_one_block_less_does_not_fit() {
        for options in every_layout() {
            // Around the edges of groups 0, 1 and 3, and where the journal and the reserve grow.
            let group = u32::try_from(options.block_size.blocks_per_group()).expect("32,768");
            let edges = [group - 1768, group - 1068, group - 68, group + 232, 2 * group, 3 * group - 304];
            let sizes = [1, 100, 2000, 3 * group, 4 * group, 262_144, 600_000].into_iter().chain(edges);
            for file_blocks in sizes {
                for inodes in [12, 17, group + 10_000] {
                    assert_smallest(&options, file_blocks, inodes);
                }
            }
        }
    }

    #[track_caller]
    fn assert_smallest(options: &Options, file_blocks: u32, inodes: u32) {
        let (smallest, _) = choose(&demand(file_blocks), inodes, options).expect("it fits");
        let total = |blocks: u64| {
            let bytes = options.block_size.offset(blocks);
            choose(&demand(file_blocks), inodes, &Options { size: Size::Total { bytes }, ..options.clone() })
        };
        assert_eq!(total(smallest.blocks).expect("it fits again").0.blocks, smallest.blocks);
        let less = total(smallest.blocks - 1);
        let Err(Error::TooSmall { needed_bytes, missing_bytes, .. }) = less else {
            panic!("{file_blocks} blocks fit in less than {}: {less:?}", smallest.blocks);
        };
        let block = options.block_size.bytes();
        assert_eq!((needed_bytes, missing_bytes), (smallest.blocks * block, block));
    }

    #[test]
    fn free_space_is_at_least_the_requested_size_and_no_block_more() {
        for (options, file_blocks, reserved_percent) in every_layout().flat_map(|options| {
            [(1, 0), (32_700, 5), (98_000, 50)].map(|(blocks, reserved)| (options.clone(), blocks, reserved))
        }) {
            let options = Options { reserved_percent, ..options };
            let room = |size| {
                let options = Options { size, ..options.clone() };
                let (geometry, placement) = choose(&demand(file_blocks), 20, &options).expect("it fits");
                (free_space::available(&placement, &geometry, &options), geometry)
            };
            for bytes in [1, 4096, 100 << 20, 1 << 34] {
                let (available, geometry) = room(Size::Free { bytes });
                // A file of 16 GiB has 11 extent blocks with the smallest block size, and a name
                // takes 2.
                let requested = bytes.div_ceil(options.block_size.bytes());
                assert!(
                    (requested + 3..=requested + 70).contains(&available),
                    "{available} of {requested}: {options:?}"
                );
                assert!(u64::from(geometry.inodes()) >= 20 + bytes / Options::BYTES_PER_INODE);
            }
            for percent in [0, 1, 48, 98].into_iter().filter(|percent| percent + reserved_percent <= 98) {
                let (available, geometry) = room(Size::FreePercent(percent));
                assert!(available * 100 >= geometry.blocks * u64::from(percent), "{percent} %: {options:?}");
            }
        }
    }

    #[test]
    fn more_inodes_than_a_group_counts_need_more_groups() {
        let smallest = blocks(Size::Smallest, 1, 32_769).expect("it fits");
        assert_eq!(groups::groups_of(smallest, BlockSize::B4096), 2);
        let error = blocks(Size::Total { bytes: 100 << 20 }, 1, 32_769).expect_err("one group cannot");
        assert!(matches!(error, Error::TooSmall { needed_bytes, .. } if needed_bytes > 128 << 20), "{error}");
    }

    #[test]
    fn the_largest_sizes_are_planned_and_the_next_refused() {
        let large = choose(&demand(1), 20, &options(Size::Total { bytes: 128 << 40 })).expect("128 TiB fit");
        assert_eq!(large.0.blocks, 1 << 35);
        assert!(matches!(
            blocks(Size::Total { bytes: (128 << 40) + 4096 }, 1, 20),
            Err(Error::TooLarge { .. })
        ));
        assert!(matches!(blocks(Size::Free { bytes: u64::MAX }, 1, 20), Err(Error::TooLarge { .. })));
        assert!(matches!(blocks(Size::Total { bytes: 0 }, 1, 20), Err(Error::TooSmall { .. })));
    }

    /// 20,000 files of 16 TiB have 2.6 billion extents: they are rejected before any is placed.
    #[test]
    fn files_too_large_for_any_filesystem_are_not_placed() {
        let files = 20_000;
        let order: Vec<u32> = (1..=files).collect();
        let mut file_blocks = vec![u32::MAX; order.len() + 1];
        file_blocks[0] = 0;
        let demand =
            BlockDemand { file_blocks, order, directories: 0, xattr_blocks: 0, ..BlockDemand::default() };
        for size in [Size::Smallest, Size::Total { bytes: 1 << 20 }, Size::Total { bytes: 128 << 40 }] {
            let result = choose(&demand, files, &options(size));
            assert!(matches!(result, Err(Error::TooLarge { .. })), "{size:?}");
        }
    }

    #[test]
    fn almost_all_is_free_only_without_inodes_for_it() {
        let all_but_one = |inodes| {
            let options = Options { inodes, ..options(Size::FreePercent(99)) };
            choose(&demand(1), 12, &options).map(|(geometry, _)| geometry.blocks)
        };
        assert!(matches!(all_but_one(None), Err(Error::Percentage { limit: 98, .. })));
        let reserving = Options { reserved_percent: 50, ..options(Size::FreePercent(49)) };
        assert!(matches!(choose(&demand(1), 12, &reserving), Err(Error::Percentage { limit: 48, .. })));
        assert!(all_but_one(Some(12)).expect("it fits") < 1 << 30);
    }

    #[test]
    fn there_are_at_least_as_many_inodes_as_requested() {
        let inodes = |size, requested| {
            let options = Options { inodes: Some(requested), ..options(size) };
            choose(&demand(1), 12, &options).map(|(geometry, _)| geometry.inodes())
        };
        // 2³² − 16 is 16 for each of 158,369 groups, 1695 times over; 131,072 groups have multiples
        // of 2²¹.
        let most = u32::MAX - 15;
        assert_eq!(inodes(Size::Smallest, most).expect("it fits"), most);
        let full = Size::Total { bytes: 16 << 40 };
        assert_eq!(inodes(full, u32::MAX - (1 << 21) + 1).expect("it fits"), u32::MAX - (1 << 21) + 1);
        for (size, requested) in
            [(full, u32::MAX - (1 << 21) + 2), (full, u32::MAX), (Size::Smallest, most + 1)]
        {
            let result = inodes(size, requested);
            assert!(matches!(result, Err(Error::TooManyInodes { .. })), "{size:?} {requested}: {result:?}");
        }
    }

    #[test]
    fn a_last_group_with_only_copies_is_omitted() {
        let (geometry, _) =
            choose(&demand(1), 20, &options(Size::Total { bytes: (32_768 + 3) * BLOCK_SIZE }))
                .expect("it fits");
        assert_eq!(geometry.blocks, 32_768);
    }
}
