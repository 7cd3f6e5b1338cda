//! Files with holes: blocks that no extent leads to.
#![expect(clippy::single_range_in_vec_init, reason = "a file may have one range of data")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use image_runs::{Image, Source};
use image_tree::{Kind, Metadata};
use mkfs_ext4::{BlockSize, DataAlignment, Journal, Options, Profile, plan, plan_sharing};
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::boundaries::{Patterns, add, assert_depth, assert_stat, judge_without_growing, options, tree};
use crate::judge::{debugfs, judge, judge_and};
use crate::pattern::Pattern;
use crate::properties::config;
use crate::trees::sparse;

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

fn add_sparse(tree: &mut Patterns, name: &str, len: u64, seed: u64, data: &[Range<u64>]) {
    let content = Pattern::with_data(len, seed, data.to_vec());
    add(tree, name, Metadata::new(0o644), Kind::Regular(content));
}

/// The blocks of a file that have one of these bytes.
fn blocks(data: &[Range<u64>], block_size: BlockSize) -> BTreeSet<u64> {
    let block = block_size.bytes();
    data.iter().flat_map(|range| range.start / block..range.end.div_ceil(block)).collect()
}

/// The blocks of a file that debugfs finds an extent for; none where it is not installed.
fn mapped(image: &Path, path: &str) -> Option<BTreeSet<u64>> {
    let text = debugfs(image, &format!("dump_extents -l {path}"))?;
    let run = |line: &str| {
        let line = line.replace(['/', '-'], " ");
        let number = |at| line.split_whitespace().nth(at).and_then(|word| word.parse::<u64>().ok());
        number(4).expect("debugfs prints numbers")..=number(5).expect("debugfs prints numbers")
    };
    Some(text.lines().skip(1).flat_map(run).collect())
}

/// A writer reads no block of a file that is a hole.
fn assert_no_hole_is_read(tree: &Patterns, options: &Options) {
    let layout = plan(tree, options).expect("it fits");
    let block = options.block_size.bytes();
    for run in layout.runs() {
        let Source::Content { content, offset } = run.source else { continue };
        for start in (offset..offset + run.len).step_by(usize::try_from(block).expect("at most 4096")) {
            let end = content.len.min(start + block);
            assert!(content.has_data(start..end), "the hole at {start} of {content:?} is read");
        }
    }
}

#[test]
fn blocks_without_data_are_not_allocated() {
    for block_size in BlockSize::ALL {
        let block = block_size.bytes();
        let len = 1000 * block + 17;
        let cases: [(&str, Vec<Range<u64>>); 7] = [
            ("nothing", vec![]),
            ("first", vec![0..1]),
            ("last", vec![len - 1..len]),
            ("middle", vec![500 * block - 1..500 * block + 1]),
            ("all but one", vec![0..500 * block, 501 * block..len]),
            ("every other", (0..500).map(|at| 2 * at * block..(2 * at + 1) * block).collect()),
            ("bytes", (0..2500).map(|at| at * block / 5..at * block / 5 + 1).collect()),
        ];
        let mut tree = tree();
        for (seed, (name, data)) in (1..).zip(&cases) {
            add_sparse(&mut tree, name, len, seed, data);
        }
        let options = with!(options(), block_size: block_size);
        assert_no_hole_is_read(&tree, &options);
        let summary = judge_and(&tree, &options, |image| {
            for (name, data) in &cases {
                let path = format!("\"/{name}\"");
                assert_stat(image, &path, &format!("Size: {len}"));
                let Some(found) = mapped(image, &path) else { return };
                assert_eq!(found, blocks(data, block_size), "{name} in {block_size:?}");
            }
            assert_stat(image, "/nothing", "Blockcount: 0\n");
        });
        let data: u64 = cases.iter().map(|(_, data)| blocks(data, block_size).len() as u64).sum();
        assert_eq!(u64::from(summary.sparse_files), cases.len() as u64);
        assert_eq!(summary.hole_blocks, 1001 * cases.len() as u64 - data);

        let dense = plan(&tree, &with!(options.clone(), holes: false)).expect("it fits");
        let dense = dense.summary();
        assert_eq!((dense.sparse_files, dense.hole_blocks), (0, 0));
        assert!(dense.blocks > 7000 && summary.blocks < dense.blocks - summary.hole_blocks + 100);
        judge(&tree, &with!(options, holes: false));
    }
}

/// The longest file there is, and one of each depth of an extent tree.
#[test]
fn long_files_with_little_data_and_many_extents_are_clean() {
    for (block_size, largest) in [
        (BlockSize::B1024, 4 * TIB - 1024),
        (BlockSize::B2048, 8 * TIB - 2048),
        (BlockSize::B4096, 16 * TIB - 4096),
    ] {
        let block = block_size.bytes();
        let full = (block - 16) / 12;
        let mut tree = tree();
        add_sparse(&mut tree, "largest", largest, 1, &[largest - 1..largest]);
        add_sparse(&mut tree, "hole", largest, 1, &[]);
        let spread =
            |count: u64| -> Vec<_> { (0..count).map(|at| at * 3 * block..at * 3 * block + 1).collect() };
        let depths = [(4, 0), (5, 1), (4 * full, 1), (4 * full + 1, 2)];
        for (count, _) in depths {
            add_sparse(&mut tree, &count.to_string(), TIB, 0, &spread(count));
        }
        let options = with!(options(), block_size: block_size);
        judge_without_growing(&tree, &options, |image| {
            for name in ["largest", "hole"] {
                assert_stat(image, name, &format!("Size: {largest}"));
            }
            for (count, depth) in depths {
                assert_depth(image, &count.to_string(), depth);
                let Some(found) = mapped(image, &count.to_string()) else { return };
                assert_eq!(found, blocks(&spread(count), block_size));
            }
        });
        let len = Image::<Pattern>::len(&plan(&tree, &options).expect("it fits"));
        assert!(len < 64 * MIB, "{len} bytes");
    }
    let mut tree = tree();
    let full = 84;
    let pieces: Vec<_> = (0..4 * full * full + 1).map(|at| at * 2048..at * 2048 + 1).collect();
    add_sparse(&mut tree, "pieces", TIB, 0, &pieces);
    let options = with!(options(), block_size: BlockSize::B1024);
    judge_without_growing(&tree, &options, |image| assert_depth(image, "/pieces", 3));
}

/// Of files with the same bytes, one that says where they are decides for all.
#[test]
fn files_that_share_blocks_have_the_same_holes() {
    let data = [4096..8192, 40_960..40_961];
    let options = Options::from_profile(Profile::RoMin, Uuid::from_u128(1), Uuid::from_u128(2));
    for sparse in [["a", "b"].as_slice(), &["a"], &["b"]] {
        for (data, shared) in [(&data[..], (1, 2)), (&[], (0, 0))] {
            let mut tree = tree();
            for name in ["a", "b"] {
                let content = Pattern::with_data(100_000, 0, data.to_vec());
                let content = if sparse.contains(&name) { content } else { Pattern::new(100_000, 0) };
                add(&mut tree, name, Metadata::new(0o644), Kind::Regular(content));
            }
            let [a, b] = [b"a", b"b"].map(|name| tree.resolve_no_symlinks(name).expect("it is there"));
            let layout = plan_sharing(&tree, &options, &[(b, a)].into()).expect("it fits");
            let summary = layout.summary();
            assert_eq!((summary.shared_files, summary.shared_blocks), shared, "{sparse:?} of {data:?}");
            assert_eq!((summary.sparse_files, summary.hole_blocks), (2, 2 * (25 - data.len() as u64)));
            let dir = tempfile::TempDir::new().expect("a temporary directory");
            let image = dir.path().join("image");
            crate::judge::write(&layout, &image);
            crate::judge::fsck(&image);
            let Some(found) = mapped(&image, "/a") else { return };
            assert_eq!(found, blocks(data, BlockSize::B4096));
            assert_eq!(mapped(&image, "/b"), Some(found));
            // A filesystem in which nothing is shared can be written to.
            let features = debugfs(&image, "features").expect("it is installed");
            assert_eq!(features.contains("shared_blocks"), shared.0 > 0, "{features}");
        }
    }
}

/// Small pieces are not aligned: each would cost as much as a large page.
#[test]
fn only_runs_that_fill_pages_are_aligned() {
    let alignment = DataAlignment { bytes: 2 * MIB, filesystem_offset: 3 * MIB };
    let mut tree = tree();
    let mut data: Vec<_> = (0..200).map(|at| at * 4 * MIB + 4096..at * 4 * MIB + 8192).collect();
    // A whole page, two, and as many blocks across the edge of two pages.
    let runs = [1000 * MIB..1002 * MIB, 1005 * MIB..1010 * MIB + 4096, 1021 * MIB..1023 * MIB];
    data.extend(runs.clone());
    add_sparse(&mut tree, "large", 2000 * MIB, 0, &data);
    add_sparse(&mut tree, "small", 2000 * MIB, 0, &data[..200]);
    let options = with!(options(), data_alignment: Some(alignment), journal: Journal::None);
    let summary = judge_and(&tree, &options, |image| {
        let Some(text) = debugfs(image, "dump_extents -l /large") else { return };
        let extent = |line: &str| {
            let line = line.replace(['/', '-'], " ");
            let number = |at| line.split_whitespace().nth(at).and_then(|word| word.parse::<u64>().ok());
            (number(4).expect("a number"), number(6).expect("a number"))
        };
        let extents: Vec<_> = text.lines().skip(1).map(extent).collect();
        for run in &runs[..2] {
            let found = extents.iter().find(|(logical, _)| logical * 4096 == run.start);
            let (logical, physical) = found.expect("a run begins with an extent");
            assert_eq!((physical * 4096 + 3 * MIB) % (2 * MIB), logical * 4096 % (2 * MIB), "{run:?}");
        }
        assert_eq!(mapped(image, "/large"), Some(blocks(&data, BlockSize::B4096)));
        assert_eq!(mapped(image, "/small"), Some(blocks(&data[..200], BlockSize::B4096)));
    });
    let needed = data.len() as u64 + 200 + 9 * MIB / 4096;
    assert!(summary.blocks < needed + 6 * MIB / 4096, "{} blocks for {needed}", summary.blocks);
}

/// Data in inodes has no holes, whatever its content says; what is too long for an inode has.
#[test]
fn inline_files_with_holes_are_clean() {
    let mut tree = tree();
    for len in [1, 60, 128, 129, 4096, 5000] {
        add_sparse(&mut tree, &format!("hole {len}"), len, 3, &[]);
        add_sparse(&mut tree, &format!("byte {len}"), len, 3, &[len - 1..len]);
    }
    let features = with!(options().features, inline_data: true);
    let summary = judge(&tree, &with!(options(), features: features));
    assert_eq!((summary.sparse_files, summary.hole_blocks), (4, 5));
}

/// The length of a file, and its ranges of data.
type Pieces = (u64, Vec<Range<u64>>);

/// Files of arbitrary pieces, and options that affect their places.
fn cases() -> impl Strategy<Value = (Vec<Pieces>, Options)> {
    let alignment = select(vec![None, None, Some(4), Some(16)]);
    (select(BlockSize::ALL.to_vec()), select(Profile::ALL.to_vec()), alignment, any::<bool>()).prop_flat_map(
        |(block_size, profile, pages, inline_data)| {
            let options = Options::from_profile(profile, Uuid::from_u128(1), Uuid::from_u128(2));
            let block = block_size.bytes();
            let aligned = |pages| DataAlignment { bytes: pages * block, filesystem_offset: 3 * block };
            let features = with!(options.features, inline_data: inline_data);
            let data_alignment = pages.map(aligned);
            let options =
                with!(options, block_size: block_size, features: features, data_alignment: data_alignment);
            (prop::collection::vec(sparse(block, 120), 1..4), Just(options))
        },
    )
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn exactly_the_blocks_with_data_are_allocated((files, options) in cases()) {
        let mut tree = tree();
        for (seed, (len, data)) in (1..).zip(&files) {
            add_sparse(&mut tree, &seed.to_string(), *len, seed, data);
        }
        if !options.features.inline_data {
            assert_no_hole_is_read(&tree, &options);
        }
        judge_and(&tree, &options, |image| {
            for (number, (len, data)) in (1..).zip(&files) {
                if options.features.inline_data && *len <= 128 {
                    continue;
                }
                let Some(found) = mapped(image, &format!("/{number}")) else { return };
                assert_eq!(found, blocks(data, options.block_size), "file {number} of {len} bytes: {data:?}");
            }
        });
    }
}
