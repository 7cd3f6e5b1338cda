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
mod alignment;
mod demand;
mod extent;
mod placement;
mod unused;

pub(crate) use alignment::Alignment;
pub(crate) use demand::BlockDemand;
pub(crate) use extent::{Extent, levels, node_count};
pub(crate) use placement::Placement;

use super::groups::Geometry;
use crate::BlockSize;
use demand::Runs;
use placement::{GroupPlaces, Mapping};
use unused::{FreeSpace, take_extents};

/// Places everything. The placement may end beyond the geometry's last block: then the geometry is
/// too small.
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

/// Allocates blocks for a file that is not in the tree, and returns its extents and the blocks of
/// its extent tree.
fn take_mapped(free: &mut FreeSpace, blocks: u32, block_size: BlockSize) -> (Vec<Extent>, Vec<u64>) {
    let mut extents = Vec::new();
    take_extents(free, blocks, Runs::one(0..blocks), &mut extents);
    let nodes = (0..node_count(extents.len() as u64, block_size)).map(|_| free.take_block()).collect();
    (extents, nodes)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::plan::data::SparseFile;
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
        // Group 0 has 2 + 1 + 1 + 1 blocks of metadata before the file, groups 1 and 3 have 2 of
        // copies.
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
