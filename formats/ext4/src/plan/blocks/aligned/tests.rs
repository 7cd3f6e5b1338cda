use super::*;
use crate::BlockSize;
use crate::options::DataAlignment;
use crate::plan::blocks::place;
use crate::plan::groups::{Backups, Geometry};

const BLOCK: u64 = BlockSize::B4096.bytes();

fn alignment(bytes: u64, filesystem_offset: u64) -> Alignment {
    Alignment::of(DataAlignment { bytes, filesystem_offset }, BlockSize::B4096).expect("larger than a block")
}

/// Returns files with these numbers of blocks, numbered from 1.
fn demand(file_blocks: &[u32], alignment: Alignment) -> BlockDemand {
    let order = (1..).zip(file_blocks).map(|(number, _)| number).collect();
    let file_blocks = [0].iter().chain(file_blocks).copied().collect();
    BlockDemand { file_blocks, order, alignment: Some(alignment), ..BlockDemand::default() }
}

fn geometry(blocks: u64) -> Geometry {
    Geometry {
        desc_size: 64,
        block_size: BlockSize::B4096,
        blocks,
        inodes_per_group: 16,
        journal_blocks: 0,
        reserved_gdt_blocks: 0,
        orphan_blocks: 0,
        backups: Backups::SparseSuper,
    }
}

/// Places files and checks the invariants: nothing overlaps, files are complete, and every extent
/// of a large one is aligned. Returns the extents of each file.
fn placed(file_blocks: &[u32], alignment: Alignment, geometry: &Geometry) -> Vec<Vec<Extent>> {
    let placement = place(&demand(file_blocks, alignment), geometry);
    let mut used = Vec::new();
    let mut files = Vec::new();
    for (number, blocks) in (1..).zip(file_blocks) {
        let extents = placement.extents(number).to_vec();
        let mut logical = 0;
        for extent in &extents {
            assert_eq!(extent.logical, logical, "file {number} goes on where it stopped");
            logical += extent.len;
            used.push((extent.physical, extent.physical + u64::from(extent.len)));
            if u64::from(*blocks) >= alignment.unit {
                let address = extent.physical + alignment.phase;
                assert_eq!(
                    address % alignment.unit,
                    u64::from(extent.logical) % alignment.unit,
                    "{extent:?}"
                );
            }
        }
        assert_eq!(logical, *blocks, "file {number} is whole");
        files.push(extents);
    }
    used.extend(placement.nodes.iter().map(|node| (*node, node + 1)));
    used.extend(placement.free.ranges.iter().map(|range| (range.start, range.end)));
    used.sort_unstable();
    assert!(used.windows(2).all(|pair| pair[0].1 <= pair[1].0), "blocks are used once");
    let whole = used.iter().map(|(start, end)| end - start).fold(0u128, |sum, len| sum + u128::from(len));
    let copies: u64 = geometry
        .backups
        .groups(u32::MAX)
        .iter()
        .map(|group| (u64::MAX - geometry.first_block(*group)).min(geometry.backup_blocks()))
        .sum();
    let tables = u64::from(geometry.groups()) * (2 + geometry.itable_blocks());
    assert_eq!(whole + u128::from(copies + tables), u128::from(u64::MAX), "and none is lost");
    files
}

#[test]
fn large_files_begin_pages_and_small_ones_fill_the_gaps() {
    // 5 blocks of metadata; pages of 512 blocks, one of which begins at block 256.
    let alignment = alignment(2 << 20, 1 << 20);
    let files = placed(&[10, 512, 600, 250, 240, 420, 300, 511], alignment, &geometry(1));
    let starts: Vec<u64> = files.iter().map(|extents| extents[0].physical).collect();
    assert!(files.iter().all(|extents| extents.len() == 1), "nothing is divided");
    // The only gap is 5..256; there is none after the second large file, and the rest begins at
    // 1368.
    assert_eq!(starts, [5, 256, 768, 1368, 15, 1618, 2038, 2338]);
}

#[test]
fn a_gap_behind_a_large_file_is_used() {
    let files = placed(&[513, 512, 500, 11], alignment(2 << 20, 0), &geometry(1));
    let starts: Vec<u64> = files.iter().map(|extents| extents[0].physical).collect();
    assert_eq!(starts, [512, 1536, 5, 1025]);
}

#[test]
fn a_file_continues_aligned_after_a_backup_superblock() {
    let files = placed(&[3 * 32_768, 100, 1000], alignment(2 << 20, 0), &geometry(1));
    let extents = &files[0];
    assert_eq!(extents[0], Extent { logical: 0, len: 32_256, physical: 512 });
    // Group 1 begins with 2 blocks of copies: the page around them is left to small files.
    assert_eq!(extents[1], Extent { logical: 32_256, len: 32_768, physical: 33_280 });
    assert_eq!(files[1][0].physical, 5);
}

#[test]
fn a_page_is_not_split_if_the_next_range_has_space() {
    // A page begins 256 blocks before group 1: a file there would have half a page, and goes to the
    // next one instead.
    let alignment = alignment(2 << 20, 1 << 20);
    let files = placed(&[32_256, 512], alignment, &geometry(1));
    assert_eq!(files[0], [Extent { logical: 0, len: 32_256, physical: 256 }]);
    assert_eq!(files[1], [Extent { logical: 0, len: 512, physical: 33_024 }]);
}

#[test]
fn sizes_around_every_boundary_are_placed() {
    for bytes in [2 * BLOCK, 64 << 10, 2 << 20, 32 << 20, 1 << 30] {
        let unit = u32::try_from(bytes / BLOCK).expect("1 GiB");
        for offset in [0, BLOCK, 1 << 20, 3 << 20, (1 << 20) - BLOCK] {
            let files: Vec<u32> =
                [1, 2, unit - 1, unit, unit + 1, 2 * unit, 3, 40_000, unit / 2 + 1, 70_000, 0]
                    .into_iter()
                    .cycle()
                    .take(33)
                    .collect();
            placed(&files, alignment(bytes, offset), &geometry(3_000_000));
        }
    }
}

#[test]
fn placement_does_not_search_every_gap_for_every_file() {
    // 200,000 gaps of one block, in which none of 200,000 files of two blocks fits.
    let large = std::iter::repeat_n(5, 200_000);
    let files: Vec<u32> = large.chain(std::iter::repeat_n(2, 200_000)).collect();
    placed(&files, alignment(4 * BLOCK, 0), &geometry(1));
}

#[test]
fn the_first_gap_that_is_long_enough_is_taken() {
    let mut gaps = Gaps::new(vec![0..3, 10..15, 20..22, 30..35]);
    assert_eq!(gaps.take(4), Some(10..14));
    assert_eq!(gaps.take(1), Some(0..1));
    assert_eq!(gaps.take(4), Some(30..34));
    assert_eq!(gaps.take(3), None);
    assert_eq!(gaps.take(2), Some(1..3));
    assert_eq!(gaps.take(2), Some(20..22));
    assert_eq!(gaps.take(1), Some(14..15));
    assert_eq!(gaps.take(0), None);
    assert_eq!(gaps.into_ranges().collect::<Vec<_>>(), [3..3, 15..15, 22..22, 34..35]);
    assert_eq!(Gaps::new(Vec::new()).take(1), None);
}

#[test]
fn pages_no_larger_than_blocks_change_nothing() {
    let of = |bytes| Alignment::of(DataAlignment { bytes, filesystem_offset: 0 }, BlockSize::B4096);
    assert_eq!((of(4096), of(8192)), (None, Some(Alignment { unit: 2, phase: 0 })));
}
