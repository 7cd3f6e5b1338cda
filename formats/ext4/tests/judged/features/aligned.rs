//! Large files that are aligned to the pages of an address space.

use std::path::Path;
use std::process::Command;

use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};
use mkfs_ext4::{BlockSize, DataAlignment, Error, Journal, Options, Size, plan};
use uuid::Uuid;

use crate::judge::{judge_and, run};
use crate::pattern::Pattern;

type Patterns = Tree<Pattern>;

const MIB: u64 = 1 << 20;

fn options(bytes: u64, filesystem_offset: u64) -> Options {
    let data_alignment = Some(DataAlignment { bytes, filesystem_offset });
    with!(Options::new(Uuid::from_u128(1), Uuid::from_u128(2)), data_alignment: data_alignment)
}

/// Files of zeros, named by number.
fn files(lengths: &[u64]) -> Patterns {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (number, len) in lengths.iter().enumerate() {
        let kind = Kind::Regular(Pattern::new(*len, 0));
        let name = Name::new(format!("{number:04}")).expect("a name");
        tree.insert(InodeId::ROOT, name, Inode { metadata: Metadata::new(0o644), kind }).expect("new");
    }
    tree
}

/// A file's extents as debugfs prints them: first logical block, first physical block, length.
fn extents(image: &Path, path: &str) -> Option<Vec<(u64, u64, u64)>> {
    let output = run(Command::new("debugfs").args(["-R", &format!("dump_extents -l {path}")]).arg(image))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // ` 0/ 0   1/  1     0 -  2559   3072 -  5631   2560`
    let extent = |line: &str| {
        let line = line.replace(['/', '-'], " ");
        let numbers: Vec<u64> =
            line.split_whitespace().map(|word| word.parse().expect("debugfs prints numbers")).collect();
        (numbers[4], numbers[6], numbers[8])
    };
    Some(text.lines().skip(1).map(extent).collect())
}

/// Every extent of each file that fills a page is aligned, as debugfs sees it.
fn assert_aligned(image: &Path, lengths: &[u64], options: &Options) {
    let block = options.block_size.bytes();
    let DataAlignment { bytes, filesystem_offset } = options.data_alignment.expect("it is what is tested");
    for (number, len) in lengths.iter().enumerate().filter(|(_, len)| **len >= bytes) {
        let Some(extents) = extents(image, &format!("/{number:04}")) else { return };
        assert!(!extents.is_empty(), "file {number} of {len} bytes has blocks");
        for (logical, physical, _) in extents {
            let address = physical * block + filesystem_offset;
            assert_eq!(address % bytes, logical * block % bytes, "block {logical} of file {number}");
        }
    }
}

#[test]
fn large_files_are_aligned_and_small_ones_fill_the_gaps() {
    let mut lengths =
        vec![2 * MIB, 3 * MIB + 1, 2 * MIB - 1, 200 * MIB, 17 * MIB, 5, 0, 4 * MIB, 300 * MIB + 5000];
    lengths.extend((0..300).map(|number| number * 4000));
    for (block_size, offset) in [
        (BlockSize::B4096, 0),
        (BlockSize::B4096, 3 * MIB),
        (BlockSize::B4096, 4096),
        (BlockSize::B1024, 3 * MIB),
    ] {
        let options = with!(options(2 * MIB, offset), block_size: block_size);
        let tree = files(&lengths);
        let summary = judge_and(&tree, &options, |image| assert_aligned(image, &lengths, &options));
        let packed = plan(&tree, &with!(options.clone(), data_alignment: None)).expect("it fits");
        // 170 MB of small files fill what 7 large ones and the copies of the superblock leave.
        let more = (summary.blocks - packed.summary().blocks) * block_size.bytes();
        assert!(more < 2 * MIB, "{more} bytes more than packed, with {block_size:?} at {offset}");
    }
}

#[test]
fn the_size_is_the_smallest_possible() {
    for lengths in [
        vec![2 * MIB],
        vec![2 * MIB + 1, 5 * MIB, 100_000, 100, 2 * MIB - 1],
        vec![130 * MIB, 1_500_000, 126 * MIB, 1_000_000, 1_000_000],
        (0..40).map(|number| number * 123_457).collect(),
    ] {
        for (bytes, offset) in [(2 * MIB, 3 * MIB), (64 << 10, 4096), (32 * MIB, 0)] {
            for journal in [Journal::None, Journal::Auto] {
                let tree = files(&lengths);
                let options = with!(options(bytes, offset), journal: journal);
                let smallest = plan(&tree, &options).expect("it fits").summary().blocks;
                let total = |blocks| with!(options.clone(), size: Size::Total { bytes: blocks * 4096 });
                let again = plan(&tree, &total(smallest)).expect("it fits again");
                assert_eq!(again.summary().blocks, smallest);
                let less = plan(&tree, &total(smallest - 1)).map(|layout| layout.summary());
                assert!(matches!(less, Err(Error::TooSmall { .. })), "{less:?}");
            }
        }
    }
}

/// The first size that fits here is not the smallest: with a block less there is a block less of
/// reserve, and so a gap that another file fits.
#[test]
fn a_smaller_filesystem_may_hold_what_the_larger_does_not() {
    let lengths = [
        32_449, 12_352, 27_608, 16_089_313, 4423, 45_428, 49_732, 51_779, 144_682, 13_191, 63_088, 32_003,
        202_987, 52_990, 54_325, 10_115, 27_010, 48_238, 61_189, 223_943, 46_375, 116_955, 64_767, 259_712,
        201_471, 59_476,
    ];
    let options = with!(options(64 << 10, 143_360), journal: Journal::None);
    let tree = files(&lengths);
    let smallest = plan(&tree, &options).expect("it fits").summary().blocks;
    let less = with!(options, size: Size::Total { bytes: (smallest - 1) * 4096 });
    let less = plan(&tree, &less).map(|layout| layout.summary());
    assert!(matches!(less, Err(Error::TooSmall { .. })), "{less:?}");
}

#[test]
fn invalid_alignments_are_rejected() {
    let tree = files(&[5]);
    for bytes in [0, 1, 2048, 3 * MIB, 2 << 30, u64::MAX] {
        let refused = plan(&tree, &options(bytes, 0)).map(|layout| layout.summary());
        assert!(matches!(refused, Err(Error::DataAlignment { .. })), "{bytes}: {refused:?}");
    }
    let refused = plan(&tree, &options(2 * MIB, 512)).map(|layout| layout.summary());
    assert!(matches!(refused, Err(Error::FilesystemOffset { offset: 512, .. })), "{refused:?}");
    plan(&tree, &options(4096, u64::MAX - 4095)).expect("whole blocks, however many");
}

#[test]
fn pages_of_a_block_change_nothing() {
    let tree = files(&[5, 10_000, 3 * MIB]);
    let aligned = plan(&tree, &options(4096, 0)).expect("it fits");
    let packed = plan(&tree, &with!(options(4096, 0), data_alignment: None)).expect("it fits");
    assert_eq!(aligned.summary(), packed.summary());
}
