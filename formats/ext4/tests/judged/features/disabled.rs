//! Features that can be left out for old readers: `64bit`, `metadata_csum` and `dir_index`.

use std::path::Path;

use image_runs::Image;
use image_tree::{Kind, LinkTarget, Metadata, Name};
use mkfs_ext4::{BlockSize, Error, Features, LinearOrder, Options, Size, Unrepresentable, plan};

use crate::boundaries::{
    Patterns, add, assert_stat, assert_unrepresentable_with, judge_without_growing, options, tree,
};
use crate::judge::{debugfs, fsck, judge_and, write};
use crate::kernel::{self, Mount};
use crate::pattern::Pattern;
use crate::trees::add_files;

const ALL: Features = Features::DEFAULT;
const NO_64BIT: Features = with!(ALL, bit_64: false);
const NO_CHECKSUMS: Features = with!(ALL, metadata_csum: false, metadata_csum_seed: false);
const NO_INDEX: Features = with!(ALL, dir_index: false);
const NONE: Features = with!(NO_CHECKSUMS, bit_64: false, dir_index: false);

fn of(features: Features, block_size: BlockSize) -> Options {
    with!(options(), features: features, block_size: block_size)
}

/// Directories of one block, of some and of two levels, a block of xattrs, a link in a block, and a
/// file of several groups.
fn some_tree() -> Patterns {
    let mut tree = tree();
    for (name, count, len) in [("narrow", 5, 10), ("wide", 300, 60), ("wider", 3000, 200)] {
        let directory = add(&mut tree, name, Metadata::new(0o755), Kind::Directory([].into()));
        add_files(&mut tree, directory, count, len);
    }
    let mut metadata = Metadata::new(0o644);
    let name = image_tree::XattrName::new("user.a").expect("valid");
    metadata.xattrs.insert(name, vec![b'x'; 900].into());
    add(&mut tree, "file", metadata, Kind::Regular(Pattern::new(20 << 20, 7)));
    let target = LinkTarget::new(b"a/b/c"[..].repeat(20)).expect("valid");
    add(&mut tree, "link", Metadata::new(0o777), Kind::Symlink(target));
    tree
}

/// Lets the kernel fill directories further, and empty groups with files.
fn is_written_to(image: &Path) {
    let Some(mount) = Mount::new(image, "rw") else { return };
    for number in 0..200 {
        let name = format!("{number}-{}", "n".repeat(100));
        std::fs::write(mount.path().join("wide").join(name), vec![b'x'; 100_000]).expect("it is written");
    }
    mount.unmount();
    fsck(image);
}

#[test]
fn each_feature_can_be_disabled_alone_and_with_the_others() {
    for features in [NO_64BIT, NO_CHECKSUMS, NO_INDEX, NONE] {
        for block_size in BlockSize::ALL {
            let options = with!(of(features, block_size), size: Size::Free { bytes: 50 << 20 });
            judge_and(&some_tree(), &options, |image| {
                kernel::reads_back(&some_tree(), image);
                let Some(text) = debugfs(image, "show_super_stats -h") else { return };
                let line = text.lines().find_map(|line| line.strip_prefix("Filesystem features:"));
                let found: Vec<&str> = line.expect("a line of features").split_whitespace().collect();
                for (name, is_there) in [
                    ("64bit", features.bit_64),
                    ("metadata_csum", features.metadata_csum),
                    ("metadata_csum_seed", features.metadata_csum_seed),
                    ("dir_index", features.dir_index),
                    ("uninit_bg", false),
                ] {
                    assert_eq!(found.contains(&name), is_there, "{name} in {found:?}");
                }
                // As mke2fs leaves them without the features.
                assert_eq!(text.contains("Group descriptor size:    64"), features.bit_64, "{text}");
                assert_eq!(text.contains("\nChecksum type:"), features.metadata_csum, "{text}");
                let copy = image.with_extension("written");
                std::fs::copy(image, &copy).expect("the image is copied");
                is_written_to(&copy);
            });
        }
    }
}

/// `e2fsck -D` leaves the directories as they are.
#[test]
fn e2fsck_does_not_change_directories_without_index_or_checksum() {
    for features in [NO_CHECKSUMS, NO_INDEX, NONE] {
        for block_size in BlockSize::ALL {
            let options = with!(of(features, block_size), linear_order: LinearOrder::ByInode, directory_slack_percent: 20);
            judge_and(&some_tree(), &options, |image| {
                let flags = if features.dir_index { "Flags: 0x81000" } else { "Flags: 0x80000" };
                assert_stat(image, "/wider", flags);
            });
        }
    }
}

#[test]
fn blocks_fill_to_their_last_byte_without_checksums() {
    for block_size in BlockSize::ALL {
        // Beside the entries of 12 bytes for the dots, which an index has in a block of its own.
        for (free, blocks) in [(4, 1), (0, 1), (-4, 2)] {
            let mut tree = tree();
            let full = add(&mut tree, "full", Metadata::new(0o755), Kind::Directory([].into()));
            let room = i64::try_from(block_size.bytes()).expect("4096") - 24 - free;
            let (count, rest) = (room / 60 - 1, room % 60 + 60);
            add_files(&mut tree, full, usize::try_from(count).expect("fewer than 70"), 52);
            add_files(&mut tree, full, 1, usize::try_from(rest - 8).expect("less than 112"));
            judge_and(&tree, &of(NO_CHECKSUMS, block_size), |image| {
                assert_stat(image, "/full", &format!("Size: {}", blocks * block_size.bytes()));
            });
        }
    }
}

#[test]
fn block_numbers_beyond_32_bits_need_64bit() {
    for block_size in [BlockSize::B2048, BlockSize::B4096] {
        let largest = u64::from(u32::MAX) * block_size.bytes();
        let total = |bytes| with!(of(NO_64BIT, block_size), size: Size::Total { bytes });
        let tree = tree();
        let layout = plan(&tree, &total(largest)).expect("the largest size is planned");
        assert_eq!(Image::<Pattern>::len(&layout), largest);
        for size in [Size::Total { bytes: largest + block_size.bytes() }, Size::Free { bytes: largest }] {
            let error = plan(&tree, &with!(total(0), size: size)).expect_err("it is larger");
            assert!(
                matches!(error, Error::TooLargeFor32Bits { limit_bytes } if limit_bytes == largest),
                "{error}"
            );
            assert!(error.to_string().contains("enable 64bit"), "{error}");
        }
    }
    // Blocks of 1 KiB reach what group descriptors can list first, of which there are twice as many
    // to a block as with 64bit.
    let total = |bytes| with!(of(NO_64BIT, BlockSize::B1024), size: Size::Total { bytes });
    plan(&tree(), &total((1 << 40) + 1024)).expect("a tebibyte is planned");
    let error = plan(&tree(), &total((1 << 40) + 2048)).expect_err("it is larger");
    assert!(matches!(error, Error::TooLarge { limit_bytes: 0x100_0000_0400 }), "{error}");
}

#[test]
fn a_directory_without_index_has_at_most_64998_others() {
    let with = |directories| {
        let mut tree = tree();
        let parent = add(&mut tree, "many", Metadata::new(0o755), Kind::Directory([].into()));
        for number in 0..directories {
            let name = Name::new(format!("{number}")).expect("a valid name");
            tree.insert(parent, name, image_tree::Inode::directory(Metadata::new(0o755))).expect("new");
        }
        tree
    };
    let options = of(NO_INDEX, BlockSize::B1024);
    judge_without_growing(&with(64_998), &options, |image| assert_stat(image, "/many", "Links: 65000 "));
    assert_unrepresentable_with(&with(64_999), &options, "/many", |reason| {
        matches!(reason, Unrepresentable::TooManyDirectories { count: 64_999, limit: 64_998 })
            && reason.to_string().contains("enable dir_index")
    });
}

#[test]
fn a_checksum_seed_needs_checksums() {
    let features = with!(ALL, metadata_csum: false);
    let error = plan(&tree(), &with!(options(), features: features)).expect_err("there is nothing to seed");
    assert!(matches!(error, Error::Conflict { what: "metadata_csum_seed", .. }), "{error}");
}

/// Groups need initialized bitmaps without the flags that require checksums.
#[test]
fn groups_without_checksums_have_their_bitmaps() {
    let options = with!(of(NO_CHECKSUMS, BlockSize::B1024), size: Size::Total { bytes: 80 << 20 });
    let tree = tree();
    let layout = plan(&tree, &options).expect("it fits");
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let image = dir.path().join("image");
    write(&layout, &image);
    fsck(&image);
    let Some(text) = debugfs(&image, "show_super_stats") else { return };
    assert!(!text.contains("UNINIT") && !text.contains("ITABLE_ZEROED"), "{text}");
}
