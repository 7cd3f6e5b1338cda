//! Profiles, and options that do not go together.

use std::path::Path;
use std::process::Command;

use image_runs::read_all;
use image_tree::{InodeId, Kind, LinkTarget, Metadata, Tree};
use mkfs_ext4::{BlockSize, Error, Features, Journal, Options, Profile, Size, plan};
use uuid::Uuid;

use crate::boundaries::{add, options, tree};
use crate::judge::{digest, judge_and, run};
use crate::pattern::Pattern;
use crate::trees::add_files;

fn of(profile: Profile) -> Options {
    Options::from_profile(profile, Uuid::from_u128(1), Uuid::from_u128(2))
}

/// Returns options for a mount that needs a journal and only reads: the shortest journal, and no
/// room to grow.
pub(crate) fn journal_for_reading() -> Options {
    let default = of(Profile::Default);
    let features = with!(default.features, resize_inode: false);
    with!(default, features: features, journal: Journal::Blocks(1024))
}

/// With room to write, and so with a reserve of descriptors where there is to be one.
fn roomy(options: Options) -> Options {
    with!(options, size: Size::Free { bytes: 40 << 20 })
}

/// A tree with an index, a file of several blocks, a link in a block and two names of one file.
fn small_tree() -> Tree<Pattern> {
    let mut tree = tree();
    let wide = add(&mut tree, "wide", Metadata::new(0o755), Kind::Directory([].into()));
    add_files(&mut tree, wide, 300, 60);
    let file = add(&mut tree, "file", Metadata::new(0o644), Kind::Regular(Pattern::new(100_000, 7)));
    let target = LinkTarget::new(b"a/b/c"[..].repeat(20)).expect("valid");
    add(&mut tree, "link", Metadata::new(0o777), Kind::Symlink(target));
    tree.link(InodeId::ROOT, image_tree::Name::new("again").expect("valid"), file).expect("new");
    tree
}

/// Returns the superblock as printed by dumpe2fs; `None` if it is not installed.
fn superblock(image: &Path) -> Option<String> {
    let output = run(Command::new("dumpe2fs").arg("-h").arg(image))?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn each_profile_has_its_features_and_no_others() {
    // The features of all profiles: compat, incompat, ro_compat.
    let every = ["filetype", "extent", "64bit", "flex_bg", "metadata_csum_seed"];
    let every = [&["ext_attr", "dir_index"][..], &every].concat();
    let ro_compat = ["sparse_super", "large_file", "huge_file", "dir_nlink", "extra_isize", "metadata_csum"];
    let profiles = [
        (of(Profile::Default), &["has_journal", "resize_inode"][..]),
        (journal_for_reading(), &["has_journal"]),
        (of(Profile::RoMin), &["sparse_super2", "read-only"]),
        (of(Profile::Rw), &["has_journal", "resize_inode", "orphan_file"]),
    ];
    for (options, own) in profiles {
        let mut expected = [&every[..], &ro_compat, own].concat();
        expected.sort_unstable();
        judge_and(&small_tree(), &roomy(options), |image| {
            let Some(text) = superblock(image) else { return };
            let line = text.lines().find_map(|line| line.strip_prefix("Filesystem features:"));
            let mut found: Vec<&str> = line.expect("a line of features").split_whitespace().collect();
            found.sort_unstable();
            assert_eq!(found, expected);
        });
    }
}

fn digest_of(options: Options) -> u32 {
    let image = read_all(&plan(&small_tree(), &options).expect("it fits")).expect("patterns never fail");
    digest(&image)
}

/// The bytes are those of the layout `ext4-2`, by [`digest`] of whole images. Where one changes on
/// purpose, so does the name.
#[test]
fn the_bytes_of_each_profile_are_pinned() {
    let pinned = [
        (Profile::Default, BlockSize::B1024, 0x5e7f_2dec),
        (Profile::Default, BlockSize::B2048, 0xce34_1d25),
        (Profile::Default, BlockSize::B4096, 0xa361_fe4d),
        (Profile::RoMin, BlockSize::B1024, 0x37e3_1ece),
        (Profile::RoMin, BlockSize::B4096, 0x8b81_3a46),
        (Profile::Rw, BlockSize::B1024, 0x6a3d_a7e3),
        (Profile::Rw, BlockSize::B4096, 0x87b5_3bc6),
    ];
    let found = pinned.map(|(profile, block_size, _)| {
        (profile, block_size, digest_of(with!(roomy(of(profile)), block_size: block_size)))
    });
    assert_eq!(found, pinned);
    assert_eq!(digest_of(roomy(journal_for_reading())), 0x7c50_0314);
}

#[test]
fn the_smallest_profile_is_smaller_than_the_others() {
    let smallest = plan(&small_tree(), &of(Profile::RoMin)).expect("it fits").summary();
    // 1 with the superblock, 1 of descriptors, 2 of bitmaps, 20 of inodes; 1 of the root, 4 of
    // lost+found, 1 + 5 of names; 25 of the file, 1 of the link.
    assert_eq!((smallest.blocks, smallest.free_blocks), (61, 0));
    let blocks = |options| plan(&small_tree(), &roomy(options)).expect("it fits").summary().blocks;
    assert!(blocks(of(Profile::RoMin)) + 1024 <= blocks(journal_for_reading()));
    assert!(blocks(journal_for_reading()) < blocks(of(Profile::Default)));
}

#[test]
fn checksums_may_depend_on_the_uuid() {
    let features = with!(Features::DEFAULT, metadata_csum_seed: false);
    judge_and(&small_tree(), &with!(options(), features: features), |image| {
        let Some(text) = superblock(image) else { return };
        assert!(!text.contains("metadata_csum_seed") && !text.contains("Checksum seed"), "{text}");
    });
}

#[test]
fn conflicting_options_are_errors_with_a_remedy() {
    let with = |features| with!(options(), features: features);
    let refused = [
        (
            with!(with(with!(Features::DEFAULT, orphan_file: true)), journal: Journal::None),
            "orphan_file cannot be combined with a filesystem without journal; add a journal, or leave orphan_file out",
        ),
        (
            with(with!(Features::DEFAULT, sparse_super2: true)),
            "sparse_super2 cannot be combined with resize_inode, as the kernel does not grow a filesystem that has it; \
             leave one of them out",
        ),
        (
            with!(with(with!(Features::DEFAULT, resize_inode: false)), resize_limit: Some(1 << 40)),
            "a limit to grow to cannot be combined with a filesystem without resize_inode; \
             add resize_inode, or leave the limit out",
        ),
    ];
    for (options, message) in refused {
        let error = plan(&tree(), &options).expect_err("the options contradict each other");
        assert!(matches!(error, Error::Conflict { .. }));
        assert_eq!(error.to_string(), message);
    }
    let error = plan(&tree(), &with!(options(), directory_slack_percent: 51)).expect_err("too much");
    assert!(matches!(error, Error::Percentage { percent: 51, limit: 50, .. }), "{error}");
    let limit = with!(options(), resize_limit: Some(1 << 20));
    let error = plan(&tree(), &limit).expect_err("the journal alone has more");
    assert!(matches!(error, Error::ResizeLimit { limit_bytes: 0x10_0000, .. }), "{error}");
    let error = plan(&tree(), &with!(options(), num_backup_sb: 3)).expect_err("too many");
    assert!(matches!(error, Error::Backups { requested: 3, limit: 2 }), "{error}");
}
