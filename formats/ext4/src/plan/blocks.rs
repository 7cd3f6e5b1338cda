//! The allocation of blocks.
//!
//! ```text
//! group 0: superblock, descriptors, reserve │ bitmaps and inode tables of every group │ journal │ resize inode │
//!          orphan file │ directories │ xattr blocks │ symlinks │ file data ……………… group 1: copies │ file data … │ extent blocks
//! ```
//!
//! Everything is allocated in this order from the front, around the copies of the superblock, so
//! that metadata is contiguous (`flex_bg`) and so is data between two copies.

mod aligned;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::data::SparseFile;
use super::groups::Geometry;
use super::sharing::Sharing;
use crate::BlockSize;
use crate::ondisk::extent::{MAX_LEN, ROOT_ENTRIES, block_entries};
pub(crate) use aligned::Alignment;

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

/// The extents and extent tree blocks of one file, as ranges of tables.
#[derive(Clone, Debug, Default)]
struct Mapping {
    extents: Range<u32>,
    nodes: Range<u32>,
}

/// The blocks of the metadata of one group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupPlaces {
    pub(crate) block_bitmap: u64,
    pub(crate) inode_bitmap: u64,
    pub(crate) inode_table: u64,
}

/// The blocks to allocate, independent of the size of the filesystem.
#[derive(Debug, Default)]
pub(crate) struct BlockDemand {
    /// The number of blocks to allocate for every directory, slow symlink and regular file, by
    /// inode number.
    pub(crate) file_blocks: Vec<u32>,
    /// The blocks with data of files with holes, by inode number.
    pub(crate) sparse: BTreeMap<u32, SparseFile>,
    /// Inode numbers in the order in which their blocks are placed.
    pub(crate) order: Vec<u32>,
    /// The number of directories at the start of the order; xattr blocks follow those.
    pub(crate) directories: usize,
    /// The number of blocks of extended attributes.
    pub(crate) xattr_blocks: u32,
    /// The files that share the blocks of another, and so have none to allocate.
    pub(crate) sharing: Sharing,
    /// The alignment of large files; `None` for no alignment.
    pub(crate) alignment: Option<Alignment>,
}

impl BlockDemand {
    /// Makes files share the blocks of others. They then have the same holes: those of the first,
    /// or else of one of the others.
    pub(crate) fn share(&mut self, mut sharing: Sharing) {
        for (later, first) in sharing.iter() {
            self.file_blocks[later as usize] = 0;
            if let Some(sparse) = self.sparse.remove(&later)
                && !self.sparse.contains_key(&first)
            {
                self.file_blocks[first as usize] = sparse.blocks();
                self.sparse.insert(first, sparse);
            }
        }
        // Files without data blocks have nothing to share.
        sharing.retain(|first| self.file_blocks[first as usize] > 0);
        self.sharing = sharing;
    }

    /// Returns the blocks of a file to be allocated, as runs of its logical blocks in order.
    fn runs(&self, number: u32) -> Runs<'_> {
        match self.sparse.get(&number) {
            Some(sparse) => Runs::of(sparse.runs()),
            None => Runs::one(0..self.file_blocks[number as usize]),
        }
    }
}

/// Logical blocks of a file that are still to be placed, in order.
#[derive(Clone, Debug)]
struct Runs<'n> {
    current: Range<u32>,
    others: std::slice::Iter<'n, Range<u32>>,
}

impl<'n> Runs<'n> {
    fn one(run: Range<u32>) -> Self {
        Self { current: run, others: [].iter() }
    }

    fn of(runs: &'n [Range<u32>]) -> Self {
        Self { current: 0..0, others: runs.iter() }
    }

    /// Returns up to `most` consecutive blocks, which must not be 0; an empty range at the end.
    fn take(&mut self, most: u64) -> Range<u32> {
        if self.current.is_empty() {
            self.current = self.others.next().cloned().unwrap_or(self.current.end..self.current.end);
        }
        let start = self.current.start;
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let end = start.saturating_add(most).min(self.current.end);
        self.current.start = end;
        start..end
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<u32>;

    /// Returns a whole run.
    fn next(&mut self) -> Option<Range<u32>> {
        let run = self.take(u64::MAX);
        (!run.is_empty()).then_some(run)
    }
}

/// The allocated blocks in a filesystem of one geometry.
#[derive(Debug)]
pub(crate) struct Placement {
    pub(crate) groups: Vec<GroupPlaces>,
    pub(crate) journal: Vec<Extent>,
    pub(crate) journal_nodes: Vec<u64>,
    pub(crate) orphan_file: Vec<Extent>,
    pub(crate) orphan_nodes: Vec<u64>,
    /// The double indirect block of the resize inode.
    pub(crate) resize_dind: Option<u64>,
    pub(crate) xattr_blocks: Vec<u64>,
    mappings: Vec<Mapping>,
    extents: Vec<Extent>,
    nodes: Vec<u64>,
    /// One past the last block in use.
    pub(crate) end: u64,
    free: FreeSpace,
}

impl Placement {
    /// Returns the extents of a file by inode number.
    pub(crate) fn extents(&self, number: u32) -> &[Extent] {
        let range = &self.mappings[number as usize].extents;
        &self.extents[range.start as usize..range.end as usize]
    }

    /// Returns the blocks of a file's extent tree by inode number, leaves first.
    pub(crate) fn extent_nodes(&self, number: u32) -> &[u64] {
        let range = &self.mappings[number as usize].nodes;
        &self.nodes[range.start as usize..range.end as usize]
    }

    /// Returns the number of unused blocks in a filesystem of this geometry.
    pub(crate) fn free_blocks(&self, geometry: &Geometry) -> u64 {
        let ranges = self.free.ranges.iter().take_while(|range| range.start < geometry.blocks);
        ranges.map(|range| range.end.min(geometry.blocks) - range.start).sum()
    }

    /// Returns the unused blocks of a group, relative to its first block.
    pub(crate) fn free_in<'a>(
        &'a self,
        geometry: &'a Geometry,
        group: u32,
    ) -> impl Iterator<Item = Range<u64>> {
        let start = geometry.first_block(group);
        let end = start + geometry.blocks_in(group);
        let from = self.free.ranges.partition_point(|range| range.end <= start);
        let ranges = self.free.ranges.range(from..).take_while(move |range| range.start < end);
        ranges.map(move |range| range.start.max(start) - start..range.end.min(end) - start)
    }

    /// Returns one past the last block if `blocks` more were in use: the end of a filesystem with
    /// that many free.
    pub(crate) fn end_with(&self, blocks: u64) -> u64 {
        let mut free = self.free.clone();
        free.take(blocks, |_| {});
        free.end
    }
}

/// Places everything. The placement may end beyond the geometry's last block: then the geometry is too small.
pub(crate) fn place(demand: &BlockDemand, geometry: &Geometry) -> Placement {
    let mut free = FreeSpace::new(geometry);
    let groups = (0..geometry.groups()).map(|_| (free.take_block(), free.take_block())).collect::<Vec<_>>();
    let itable_blocks = geometry.itable_blocks();
    let groups = groups.into_iter().map(|(block_bitmap, inode_bitmap)| GroupPlaces {
        block_bitmap,
        inode_bitmap,
        inode_table: free.take_contiguous(itable_blocks),
    });
    let groups = groups.collect();
    let (journal, journal_nodes) = take_mapped(&mut free, geometry.journal_blocks, geometry.block_size);
    let resize_dind = (geometry.reserved_gdt_blocks > 0).then(|| free.take_block());
    let (orphan_file, orphan_nodes) = take_mapped(&mut free, geometry.orphan_blocks, geometry.block_size);

    let mut placement = Placement {
        groups,
        journal,
        journal_nodes,
        orphan_file,
        orphan_nodes,
        resize_dind,
        xattr_blocks: Vec::new(),
        mappings: vec![Mapping::default(); demand.file_blocks.len()],
        extents: Vec::with_capacity(demand.order.len()),
        nodes: Vec::new(),
        end: 0,
        free,
    };
    let (directories, files) = demand.order.split_at(demand.directories);
    placement.place_files(directories, demand);
    placement.xattr_blocks = (0..demand.xattr_blocks).map(|_| placement.free.take_block()).collect();
    match demand.alignment {
        None => placement.place_files(files, demand),
        Some(alignment) => placement.place_aligned(files, demand, alignment),
    }
    placement.share(&demand.sharing);
    placement.place_nodes(&demand.order, geometry.block_size);
    placement.end = placement.free.end;
    placement
}

impl Placement {
    fn place_files(&mut self, numbers: &[u32], demand: &BlockDemand) {
        for number in numbers {
            let start = index(&self.extents);
            let blocks = demand.file_blocks[*number as usize];
            take_extents(&mut self.free, blocks, demand.runs(*number), &mut self.extents);
            self.mappings[*number as usize].extents = start..index(&self.extents);
        }
    }

    /// Assigns the extents of the first files to the later ones. Each has separate nodes, because
    /// their checksums include the inode number.
    fn share(&mut self, sharing: &Sharing) {
        for (later, first) in sharing.iter() {
            self.mappings[later as usize].extents = self.mappings[first as usize].extents.clone();
        }
    }

    fn place_nodes(&mut self, numbers: &[u32], block_size: BlockSize) {
        for number in numbers {
            let mapping = &mut self.mappings[*number as usize];
            let count = node_count(u64::from(mapping.extents.end - mapping.extents.start), block_size);
            if count > 0 {
                let start = index(&self.nodes);
                self.nodes.extend((0..count).map(|_| self.free.take_block()));
                mapping.nodes = start..index(&self.nodes);
            }
        }
    }
}

/// Returns the index of the next element. 2³² extents would need a fragmented filesystem of 2³²
/// blocks.
fn index<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).expect("extents are fewer than blocks of the largest filesystem")
}

/// Allocates blocks for a file that is not in the tree, and returns its extents and the blocks of
/// its extent tree.
fn take_mapped(free: &mut FreeSpace, blocks: u32, block_size: BlockSize) -> (Vec<Extent>, Vec<u64>) {
    let mut extents = Vec::new();
    take_extents(free, blocks, Runs::one(0..blocks), &mut extents);
    let nodes = (0..node_count(extents.len() as u64, block_size)).map(|_| free.take_block()).collect();
    (extents, nodes)
}

/// Allocates the next `blocks` blocks of a file, as extents of at most the maximum length.
fn take_extents(free: &mut FreeSpace, blocks: u32, mut runs: Runs<'_>, out: &mut Vec<Extent>) {
    free.take(u64::from(blocks), |range| push_extents(range, &mut runs, out));
}

/// Continues a file in a range, which must not be longer than the rest of the file. A hole ends an
/// extent.
fn push_extents(range: Range<u64>, runs: &mut Runs<'_>, out: &mut Vec<Extent>) {
    let mut physical = range.start;
    while physical < range.end {
        let taken = runs.take((range.end - physical).min(MAX_LEN));
        let len = taken.end - taken.start;
        assert!(len > 0, "blocks are taken for data alone");
        out.push(Extent { logical: taken.start, len, physical });
        physical += u64::from(len);
    }
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

/// The unused blocks, in order. They are unbounded: allocations beyond the last block of the
/// geometry show how much larger the filesystem would have to be.
#[derive(Clone, Debug)]
struct FreeSpace {
    ranges: VecDeque<Range<u64>>,
    /// One past the last block taken.
    end: u64,
}

impl FreeSpace {
    fn new(geometry: &Geometry) -> Self {
        let backups = geometry.backups.groups(u32::MAX);
        let starts = backups.iter().map(|group| geometry.first_block(*group) + geometry.backup_blocks());
        let ends = backups.iter().skip(1).map(|group| geometry.first_block(*group)).chain([u64::MAX]);
        Self {
            ranges: starts.zip(ends).map(|(start, end)| start..end).collect(),
            end: geometry.first_block(0) + geometry.backup_blocks(),
        }
    }

    /// Allocates `blocks` from the front and passes them to `piece` as ranges.
    fn take(&mut self, mut blocks: u64, mut piece: impl FnMut(Range<u64>)) {
        while blocks > 0 {
            let front = self.ranges.front_mut().expect("the last range has no end");
            let end = front.end.min(front.start + blocks);
            piece(front.start..end);
            blocks -= end - front.start;
            self.end = self.end.max(end);
            front.start = end;
            if front.is_empty() {
                self.ranges.pop_front();
            }
        }
    }

    fn take_block(&mut self) -> u64 {
        let mut block = 0;
        self.take(1, |range| block = range.start);
        block
    }

    /// Allocates `blocks` contiguous blocks from the first range that is long enough.
    fn take_contiguous(&mut self, blocks: u64) -> u64 {
        let fits = |range: &Range<u64>| range.end - range.start >= blocks;
        let position = self.ranges.iter().position(fits).expect("the last range has no end");
        let start = self.ranges[position].start;
        self.ranges[position].start += blocks;
        self.end = self.end.max(start + blocks);
        if self.ranges[position].is_empty() {
            self.ranges.remove(position);
        }
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::data::testing::Ranges;
    use crate::plan::groups::Backups;

    fn geometry(blocks: u64) -> Geometry {
        Geometry {
            block_size: BlockSize::B4096,
            desc_size: 64,
            blocks,
            inodes_per_group: 16,
            journal_blocks: 0,
            orphan_blocks: 0,
            reserved_gdt_blocks: 0,
            backups: Backups::SparseSuper,
        }
    }

    fn one_file(blocks: u32) -> BlockDemand {
        BlockDemand {
            file_blocks: vec![0, blocks],
            order: vec![1],
            directories: 0,
            xattr_blocks: 0,
            ..BlockDemand::default()
        }
    }

    #[test]
    fn an_extent_tree_grows_at_its_edges() {
        let levels = |extents| levels(extents, BlockSize::B4096);
        assert_eq!(levels(4), []);
        assert_eq!(levels(5), [1]);
        assert_eq!(levels(340), [1]);
        assert_eq!(levels(341), [2]);
        assert_eq!(levels(4 * 340), [4]);
        assert_eq!(levels(4 * 340 + 1), [5, 1]);
        assert_eq!(levels(4 * 340 * 340), [1360, 4]);
        assert_eq!(levels(4 * 340 * 340 + 1), [1361, 5, 1]);
        assert_eq!(super::levels(4 * 169 + 1, BlockSize::B2048), [5, 1]);
        assert_eq!(super::levels(4 * 84 * 84 + 1, BlockSize::B1024), [337, 5, 1]);
    }

    #[test]
    fn extents_are_at_most_32768_blocks_and_stop_at_the_copies() {
        // Group 0 has 2 + 1 + 1 + 1 blocks of metadata before the file, groups 1 and 3 have 2 of copies.
        let placement = place(&one_file(3 * 32_768 + 10), &geometry(1));
        let extents = placement.extents(1);
        let ends: Vec<u64> = extents.iter().map(|extent| extent.physical + u64::from(extent.len)).collect();
        assert_eq!(extents[0], Extent { logical: 0, len: 32_763, physical: 5 });
        assert_eq!(extents[1].physical, 32_770);
        assert_eq!(extents[1].len, 32_768, "the longest extent");
        assert_eq!(ends[2], 3 * 32_768, "before the copies in group 3");
        assert!(extents.windows(2).all(|pair| pair[0].logical + pair[0].len == pair[1].logical));
    }

    #[test]
    fn extents_skip_holes_and_their_blocks_lie_side_by_side() {
        let runs = [3..5, 7..8, 40_000..72_770];
        let ranges = runs.map(|run: Range<u64>| run.start << 12..run.end << 12);
        let sparse = SparseFile::of(&Ranges(u64::from(u32::MAX) << 12, ranges.into()), BlockSize::B4096);
        let sparse = sparse.expect("it has holes");
        let demand = BlockDemand { sparse: [(1, sparse.clone())].into(), ..one_file(sparse.blocks()) };
        let placement = place(&demand, &geometry(1));
        let extent = |logical, len, physical| Extent { logical, len, physical };
        // After 5 blocks of metadata, and around the copies of group 1.
        assert_eq!(
            placement.extents(1),
            [extent(3, 2, 5), extent(7, 1, 7), extent(40_000, 32_760, 8), extent(72_760, 10, 32_770),]
        );
    }

    #[test]
    fn a_file_that_is_one_hole_has_no_extents() {
        let sparse = SparseFile::of(&Ranges(1 << 43, Vec::new()), BlockSize::B4096).expect("it has a hole");
        let demand = BlockDemand { sparse: [(1, sparse)].into(), ..one_file(0) };
        let placement = place(&demand, &geometry(1));
        assert_eq!((placement.extents(1), placement.extent_nodes(1)), (&[][..], &[][..]));
        assert_eq!(placement.end, 5);
    }

    #[test]
    fn the_largest_file_has_extents_for_every_block() {
        let placement = place(&one_file(u32::MAX), &geometry(1));
        let last = placement.extents(1).last().expect("it has extents");
        assert_eq!(u64::from(last.logical) + u64::from(last.len), u64::from(u32::MAX));
        let extents = placement.extents(1).len() as u64;
        assert_eq!(placement.extent_nodes(1).len() as u64, node_count(extents, BlockSize::B4096));
        assert_eq!(levels(extents, BlockSize::B4096).len(), 2);
    }

    #[test]
    fn inode_tables_lie_in_one_piece_and_data_fills_the_gap() {
        let geometry = Geometry { inodes_per_group: 32_768, ..geometry(20 * 32_768) };
        let placement = place(&one_file(100), &geometry);
        for places in &placement.groups {
            let table = places.inode_table..places.inode_table + 2048;
            for copy in geometry.backup_groups().into_iter().map(|group| geometry.first_block(group)) {
                assert!(table.end <= copy || table.start >= copy + 2);
            }
        }
        // 20 tables of 2048 blocks do not fill group 0 evenly: the rest before group 1 is used for
        // the file.
        assert!(placement.extents(1)[0].physical < 32_768);
    }
}
