//! Boundaries that depend on the size of blocks.

use std::path::Path;
use std::process::Command;

use image_runs::Image;
use image_tree::{Kind, LinkTarget, Metadata, XattrName};
use mkfs_ext4::{BlockSize, Error, Journal, LinearOrder, Options, Size, Unrepresentable, plan};

use crate::boundaries::{
    Patterns, add, assert_depth, assert_stat, assert_unrepresentable_with, judge_without_growing, options,
    tree, zeros,
};
use crate::judge::{judge, judge_and, run};
use crate::trees::add_files;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

fn of(block_size: BlockSize) -> Options {
    with!(options(), block_size: block_size)
}

#[test]
fn extent_trees_of_each_depth_are_clean() {
    // Extents end at 32,768 blocks and at the copies of the superblock in groups 1, 3, 5, 7, 9, 25,
    // … A block of 1 KiB holds 84 of them and one of 2 KiB 169, so four such blocks lead to 10.5
    // GiB and 42.25 GiB.
    let cases = [
        (BlockSize::B1024, [(20 * MIB, 0), (256 * MIB, 1), (10 * GIB, 1), (11 * GIB, 2)]),
        (BlockSize::B2048, [(80 * MIB, 0), (GIB, 1), (40 * GIB, 1), (43 * GIB, 2)]),
    ];
    for (block_size, files) in cases {
        for (len, depth) in files {
            let mut tree = tree();
            add(&mut tree, "large", Metadata::new(0o644), zeros(len));
            let options = with!(of(block_size), journal: Journal::None);
            judge_without_growing(&tree, &options, |image| {
                assert_depth(image, "/large", depth);
                assert_stat(image, "/large", &format!("Size: {len}"));
            });
        }
    }
}

/// Returns the number of levels of nodes in the index of a directory, as reported by debugfs.
fn assert_indirect_levels(image: &Path, path: &str, levels: usize) {
    let dump = run(Command::new("debugfs").args(["-R", &format!("htree_dump {path}")]).arg(image));
    let Some(dump) = dump else { return };
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(text.contains(&format!("Indirect levels: {levels}")), "{path} has not {levels} levels:\n{text}");
}

#[test]
fn directory_indexes_of_one_and_two_levels_are_clean() {
    // Names of 255 bytes to a leaf, and leaves to a root.
    let sizes = [(BlockSize::B1024, 3, 123), (BlockSize::B2048, 7, 251), (BlockSize::B4096, 15, 507)];
    for (block_size, names, leaves) in sizes {
        for (names, levels) in [(names * leaves, 0), (names * leaves + 1, 1)] {
            let mut tree = tree();
            let wide = add(&mut tree, "wide", Metadata::new(0o755), Kind::Directory([].into()));
            add_files(&mut tree, wide, names, 255);
            judge_and(&tree, &of(block_size), |image| assert_indirect_levels(image, "/wide", levels));
        }
    }
}

#[test]
fn the_largest_directory_of_small_blocks_is_clean() {
    // Three names of 255 bytes to a leaf, 126 leaves to a node, and 123 nodes.
    let with = |names| {
        let mut tree = tree();
        let wide = add(&mut tree, "wide", Metadata::new(0o755), Kind::Directory([].into()));
        add_files(&mut tree, wide, names, 255);
        tree
    };
    let (widest, options) = (3 * 126 * 123, of(BlockSize::B1024));
    judge_without_growing(&with(widest), &options, |image| assert_indirect_levels(image, "/wide", 1));
    assert_unrepresentable_with(&with(widest + 1), &options, "/wide", |reason| {
        matches!(reason, Unrepresentable::Directory(_))
    });
}

/// Around what fits in one block, `e2fsck -D` forgets its checksum: it leaves two blocks without an
/// index where the entries alone would fit in one.
#[test]
fn e2fsck_does_not_change_directories_that_fill_a_block() {
    for block_size in BlockSize::ALL {
        for (free, blocks, is_indexed) in
            [(4, 1, false), (0, 1, false), (-4, 2, false), (-8, 2, false), (-12, 3, true)]
        {
            let mut tree = tree();
            let full = add(&mut tree, "full", Metadata::new(0o755), Kind::Directory([].into()));
            // Of 60 bytes each, and one of the rest.
            let room = i64::try_from(block_size.bytes()).expect("4096") - 12 - 24 - free;
            let (count, rest) = (room / 60 - 1, room % 60 + 60);
            add_files(&mut tree, full, usize::try_from(count).expect("fewer than 70"), 52);
            add_files(&mut tree, full, 1, usize::try_from(rest - 8).expect("less than 112"));
            // Its number, which is less than theirs, is not in the order of names.
            add(&mut tree, "another", Metadata::new(0o644), zeros(0));
            let options =
                with!(of(block_size), linear_order: LinearOrder::ByInode, directory_slack_percent: 20);
            judge_and(&tree, &options, |image| {
                assert_stat(image, "/full", &format!("Size: {}", blocks * block_size.bytes()));
                assert_stat(image, "/full", if is_indexed { "Flags: 0x81000" } else { "Flags: 0x80000" });
            });
        }
    }
}

#[test]
fn at_most_one_block_of_xattrs_is_accepted() {
    for block_size in BlockSize::ALL {
        let with = |len: usize| {
            let mut tree = tree();
            let mut metadata = Metadata::new(0o644);
            metadata.xattrs.insert(XattrName::new("user.a").expect("valid"), vec![b'x'; len].into());
            add(&mut tree, "file", metadata, zeros(0));
            tree
        };
        // Beside the header of 32 bytes, the end of 4 and the entry of 20.
        let full = usize::try_from(block_size.bytes()).expect("4096") - 56;
        let path = |image: &Path| {
            let output = run(Command::new("debugfs").args(["-R", "ea_list /file"]).arg(image));
            let Some(output) = output else { return };
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains(&format!("user.a ({full})")), "{text}");
        };
        judge_and(&with(full), &of(block_size), path);
        assert_unrepresentable_with(&with(full + 1), &of(block_size), "/file", |reason| {
            matches!(reason, Unrepresentable::Xattr(_))
        });
    }
}

#[test]
fn a_target_and_its_nul_have_one_block() {
    for block_size in [BlockSize::B1024, BlockSize::B2048] {
        let with = |len: u64| {
            let mut tree = tree();
            let target = b"t/".iter().copied().cycle().take(usize::try_from(len).expect("2048"));
            add(
                &mut tree,
                "link",
                Metadata::new(0o777),
                Kind::Symlink(LinkTarget::new(target.collect::<Vec<u8>>()).expect("valid")),
            );
            tree
        };
        judge(&with(block_size.bytes() - 1), &of(block_size));
        assert_unrepresentable_with(&with(block_size.bytes()), &of(block_size), "/link", |reason| {
            matches!(reason, Unrepresentable::TargetTooLong { .. })
        });
    }
}

#[test]
fn lost_and_found_is_as_mke2fs_makes_it() {
    for (block_size, bytes) in
        [(BlockSize::B1024, 12_288), (BlockSize::B2048, 16_384), (BlockSize::B4096, 16_384)]
    {
        judge_and(&tree(), &of(block_size), |image| {
            assert_stat(image, "/lost+found", &format!("Size: {bytes}"));
        });
    }
}

#[test]
fn the_largest_filesystem_and_file_are_planned() {
    let largest =
        [(BlockSize::B1024, 512 * GIB + 1024), (BlockSize::B2048, 8 * TIB), (BlockSize::B4096, 128 * TIB)];
    for (block_size, bytes) in largest {
        let total = |bytes| with!(of(block_size), size: Size::Total { bytes });
        let tree = tree();
        let layout = plan(&tree, &total(bytes)).expect("the largest size is planned");
        assert_eq!(Image::<crate::pattern::Pattern>::len(&layout), bytes);
        let larger = plan(&tree, &total(bytes + block_size.bytes()));
        assert!(matches!(larger, Err(Error::TooLarge { limit_bytes }) if limit_bytes == bytes));

        let mut tree = self::tree();
        let most = u64::from(u32::MAX) * block_size.bytes();
        add(&mut tree, "larger", Metadata::new(0o644), zeros(most + 1));
        assert_unrepresentable_with(
            &tree,
            &of(block_size),
            "/larger",
            |reason| matches!(reason, Unrepresentable::FileTooLarge { limit, .. } if *limit == most),
        );
    }
    // A file of 7 TiB has nearly as many blocks as can be numbered.
    let mut tree: Patterns = tree();
    add(&mut tree, "large", Metadata::new(0o644), zeros(7 * TIB));
    plan(&tree, &of(BlockSize::B2048)).expect("7 TiB are planned");
}
