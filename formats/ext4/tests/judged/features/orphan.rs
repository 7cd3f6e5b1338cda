//! The orphan file: as mke2fs makes it, as e2fsck checks it, as the kernel uses it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};
use mkfs_ext4::{BlockSize, Error, Features, Journal, Options, Profile, Size, plan};
use tempfile::TempDir;
use uuid::Uuid;

use crate::judge::{debugfs, fsck, grown_stays_clean, judge, run, write};
use crate::kernel::{self, Mount};
use crate::pattern::Pattern;

fn options(block_size: BlockSize, size: Size) -> Options {
    let features = with!(Features::DEFAULT, orphan_file: true);
    with!(Options::new(Uuid::from_u128(1), Uuid::from_u128(2)), block_size: block_size, features: features, size: size)
}

/// A tree with one file, of three blocks or more.
fn tree() -> Tree<Pattern> {
    let mut tree = Tree::new(Metadata::new(0o755));
    let kind = Kind::Regular(Pattern::new(10_000, 1));
    let file = Inode { metadata: Metadata::new(0o644), kind };
    tree.insert(InodeId::ROOT, Name::new("file").expect("valid"), file).expect("the name is new");
    tree
}

/// An image of [`tree`] in a directory of its own.
fn image(options: &Options) -> (TempDir, PathBuf) {
    let tree = tree();
    let layout = plan(&tree, options).expect("the tree fits ext4");
    let dir = TempDir::new().expect("a temporary directory");
    let image = dir.path().join("image");
    write(&layout, &image);
    (dir, image)
}

/// The blocks of the orphan file, as debugfs numbers them.
fn blocks(image: &Path) -> Option<Vec<u64>> {
    let text = debugfs(image, "blocks <12>")?;
    Some(text.split_whitespace().map(|word| word.parse().expect("a number")).collect())
}

#[test]
fn filesystems_with_an_orphan_file_are_clean() {
    for block_size in BlockSize::ALL {
        for size in [Size::Smallest, Size::Free { bytes: 50 << 20 }, Size::Total { bytes: 1 << 30 }] {
            judge(&tree(), &options(block_size, size));
        }
    }
}

/// The reserve keeps the orphan file where it is, however far the filesystem grows within it.
#[test]
fn growing_within_the_reserve_keeps_the_orphan_file() {
    for block_size in BlockSize::ALL {
        for (size, times) in [
            (Size::Smallest, 1000),
            (Size::Total { bytes: 64 << 20 }, 64),
            (Size::Total { bytes: 255 << 20 }, 64),
        ] {
            let options = with!(rw(), block_size: block_size, size: size);
            let (_dir, image) = image(&options);
            let len = std::fs::metadata(&image).expect("the image is there").len();
            grown_stays_clean(&image, &options, len * times);
        }
    }
}

fn rw() -> Options {
    Options::from_profile(Profile::Rw, Uuid::from_u128(1), Uuid::from_u128(2))
}

/// Without a reserve, the copy of the descriptors in group 1 grows into the orphan file. The judge
/// first reported it for this shape.
#[test]
fn growing_without_a_reserve_damages_only_the_orphan_file() {
    let size = Size::Total { bytes: 255 << 20 };
    let of = options(BlockSize::B1024, size);
    let features = with!(of.features, resize_inode: false);
    let sparse_super2 = with!(features, sparse_super2: true);
    judge(&tree(), &with!(of.clone(), features: features));
    judge(&tree(), &with!(of, features: sparse_super2, num_backup_sb: 1, reserved_percent: 20));
}

/// Length and metadata are those of mke2fs; the places of the blocks are not.
#[test]
fn the_orphan_file_is_that_of_mke2fs() {
    for block_size in BlockSize::ALL {
        for bytes in [64 << 20, (512 << 20) + (64 << 10), 1 << 30] {
            let (dir, ours) = image(&options(block_size, Size::Total { bytes }));
            let theirs = dir.path().join("theirs");
            let made = run(Command::new("mke2fs")
                .args(["-q", "-F", "-t", "ext4", "-O", "orphan_file", "-b"])
                .arg(block_size.bytes().to_string())
                .arg(&theirs)
                .arg(format!("{}k", bytes / 1024)));
            let Some(made) = made else { return };
            assert!(made.status.success(), "{made:?}");
            let about = |image| {
                let text = debugfs(image, "stat <12>")?;
                let until = text.find(" ctime:").expect("debugfs prints times");
                let blocks = blocks(image).expect("debugfs is there").len();
                Some((text[..until].to_owned(), blocks))
            };
            assert_eq!(about(&ours), about(&theirs), "{bytes} bytes in blocks of {block_size:?}");
            let superblock = debugfs(&ours, "show_super_stats -h").unwrap_or_default();
            assert!(superblock.contains("Orphan file inode:        12"), "{superblock}");
            assert!(!superblock.contains("orphan_present"), "{superblock}");
        }
    }
}

#[test]
fn every_byte_of_an_orphan_block_is_checked() {
    for block_size in BlockSize::ALL {
        let (_dir, image) = image(&options(block_size, Size::Smallest));
        fsck(&image);
        let Some(blocks) = blocks(&image) else { return };
        let block_len = block_size.bytes();
        let file = File::options().read(true).write(true).open(&image).expect("the image is there");
        // An entry, the magic and the checksum, in the first block and in the last.
        for (block, at) in [(0, 0), (0, block_len - 8), (blocks.len() - 1, block_len - 1)] {
            let offset = blocks[block] * block_len + at;
            let mut byte = [0];
            file.read_exact_at(&mut byte, offset).expect("the image is read");
            file.write_all_at(&[byte[0] ^ 1], offset).expect("the image is written");
            let Some(output) = run(Command::new("e2fsck").arg("-fn").arg(&image)) else { return };
            assert_eq!(output.status.code(), Some(4), "byte {at} of orphan block {block}: {output:?}");
            file.write_all_at(&byte, offset).expect("the image is written");
        }
        fsck(&image);
    }
}

/// A file that is unlinked while it is open is in the orphan file. An image that is copied in this
/// state, as if the machine had stopped, is cleaned up by the next mount.
#[test]
fn the_kernel_uses_the_orphan_file() {
    for block_size in BlockSize::ALL {
        let (dir, image) = image(&options(block_size, Size::Free { bytes: 8 << 20 }));
        kernel::reads_back(&tree(), &image);
        let Some(mount) = Mount::new(&image, "rw") else { return };
        let open = File::open(mount.path().join("file")).expect("the file is there");
        std::fs::remove_file(mount.path().join("file")).expect("the file is removed");
        let synced = run(Command::new("sync").arg("--file-system").arg(mount.path())).expect("sync");
        assert!(synced.status.success(), "{synced:?}");
        let stopped = dir.path().join("stopped");
        std::fs::copy(&image, &stopped).expect("the image is copied");
        drop(open);
        mount.unmount();
        fsck(&image);

        let Some(superblock) = debugfs(&stopped, "show_super_stats -h") else { return };
        assert!(superblock.contains("orphan_present"), "the file was not listed:\n{superblock}");
        Mount::new(&stopped, "rw").expect("the kernel mounted it before").unmount();
        fsck(&stopped);
        let superblock = debugfs(&stopped, "show_super_stats -h").unwrap_or_default();
        assert!(!superblock.contains("orphan_present"), "{superblock}");
    }
}

#[test]
fn an_orphan_file_needs_a_journal() {
    let options = with!(options(BlockSize::B4096, Size::Smallest), journal: Journal::None);
    let error = plan(&tree(), &options).expect_err("the kernel ignores an orphan file without journal");
    assert!(matches!(error, Error::Conflict { what: "orphan_file", .. }), "{error}");
}

#[test]
fn reserved_inodes_count_one_more() {
    let with = |inodes| with!(options(BlockSize::B4096, Size::Smallest), inodes: Some(inodes));
    let tree = tree();
    assert!(matches!(
        plan(&tree, &with(12)),
        Err(Error::TooFewInodes { requested: 12, needed: 13, reserved: 11 })
    ));
    assert_eq!(plan(&tree, &with(13)).expect("13 are enough").summary().files, 1);
}
