//! The allocated blocks.

use std::ops::Range;

use super::demand::BlockDemand;
use super::extent::{Extent, node_count};
use super::unused::{FreeSpace, take_extents};
use crate::BlockSize;
use crate::plan::groups::Geometry;
use crate::plan::sharing::Sharing;

/// The extents and extent tree blocks of one file, as ranges of tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Mapping {
    pub(super) extents: Range<u32>,
    pub(super) nodes: Range<u32>,
}

/// The blocks of the metadata of one group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupPlaces {
    pub(crate) block_bitmap: u64,
    pub(crate) inode_bitmap: u64,
    pub(crate) inode_table: u64,
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
    pub(super) mappings: Vec<Mapping>,
    pub(super) extents: Vec<Extent>,
    pub(super) nodes: Vec<u64>,
    /// One past the last block in use.
    pub(crate) end: u64,
    pub(super) free: FreeSpace,
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

impl Placement {
    pub(super) fn place_files(&mut self, numbers: &[u32], demand: &BlockDemand) {
        for number in numbers {
            let start = index(&self.extents);
            let blocks = demand.file_blocks[*number as usize];
            take_extents(&mut self.free, blocks, demand.runs(*number), &mut self.extents);
            self.mappings[*number as usize].extents = start..index(&self.extents);
        }
    }

    /// Assigns the extents of the first files to the later ones. Each has separate nodes, because
    /// their checksums include the inode number.
    pub(super) fn share(&mut self, sharing: &Sharing) {
        for (later, first) in sharing.iter() {
            self.mappings[later as usize].extents = self.mappings[first as usize].extents.clone();
        }
    }

    pub(super) fn place_nodes(&mut self, numbers: &[u32], block_size: BlockSize) {
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
pub(super) fn index<T>(table: &[T]) -> u32 {
    u32::try_from(table.len()).expect("extents are fewer than blocks of the largest filesystem")
}
