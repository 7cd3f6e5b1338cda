//! Values of extended attributes in inodes of their own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use image_tree::{Kind, Metadata, XattrName};
use mkfs_ext4::{BlockSize, Features, Options, plan};

use crate::boundaries::{Patterns, add, assert_stat, assert_unrepresentable_with, options, tree};
use crate::judge::{debugfs, fsck, judge_and, run, write};
use crate::kernel::Mount;
use crate::pattern::Pattern;

fn of(block_size: BlockSize) -> Options {
    let features = with!(Features::DEFAULT, ea_inode: true);
    with!(options(), features: features, block_size: block_size)
}

fn long(byte: u8, len: usize) -> Vec<u8> {
    (0..len).map(|at| byte ^ u8::try_from(at % 251).expect("below 251")).collect()
}

/// The attributes of each file by name.
type Attributes = BTreeMap<&'static str, Vec<(&'static str, Vec<u8>)>>;

fn attributes() -> Attributes {
    let many = || {
        let names =
            ["user.a", "user.b", "user.c", "user.d", "user.e", "user.f", "user.g", "user.h", "user.i"];
        names.into_iter().zip(700..).map(|(name, len)| (name, long(3, len))).collect()
    };
    [
        ("none", vec![]),
        ("short", vec![("user.short", b"s".to_vec())]),
        ("longest", vec![("user.long", long(1, 65_536))]),
        // The same value in other files, and under another name.
        ("same", vec![("user.long", long(1, 65_536)), ("user.short", b"s".to_vec())]),
        ("again", vec![("trusted.other", long(1, 65_536)), ("user.more", long(2, 30_001))]),
        // Too many for a block together, and such that two files share the block.
        ("many", many()),
        ("many too", many()),
        ("label", vec![("security.selinux", long(4, 5000)), ("user.é", long(5, 5000))]),
    ]
    .into()
}

fn some_tree() -> Patterns {
    let mut tree = tree();
    for (name, list) in attributes() {
        let mut metadata = Metadata { uid: 1000, ..Metadata::new(0o644) };
        for (xattr, value) in list {
            metadata.xattrs.insert(XattrName::new(xattr).expect("valid"), value.into());
        }
        add(&mut tree, name, metadata, Kind::Regular(Pattern::new(5000, 9)));
    }
    tree
}

/// The value of an attribute as the kernel reads it.
fn value(file: &Path, name: &str) -> Option<Vec<u8>> {
    let output =
        run(Command::new("getfattr").args(["--only-values", "--absolute-names", "-n", name]).arg(file))?;
    assert!(output.status.success(), "{} of {}: {output:?}", name, file.display());
    Some(output.stdout)
}

fn all_are_there(root: &Path) {
    for (file, list) in attributes() {
        for (name, expected) in list {
            let Some(found) = value(&root.join(file), name) else { return };
            assert!(found == expected, "{name} of {file}: {} bytes", found.len());
        }
    }
}

#[test]
fn the_kernel_reads_and_removes_long_values() {
    for block_size in BlockSize::ALL {
        for checksums in [true, false] {
            let features = with!(Features::DEFAULT, ea_inode: true, metadata_csum: checksums, metadata_csum_seed: checksums);
            let options = with!(of(block_size), features: features);
            judge_and(&some_tree(), &options, |image| {
                let copy = image.with_extension("mounted");
                std::fs::copy(image, &copy).expect("the image is copied");
                let Some(mount) = Mount::new(&copy, "rw") else { return };
                all_are_there(mount.path());
                // The counts are right: a value is removed with the last of its files.
                for file in ["longest", "many"] {
                    std::fs::remove_file(mount.path().join(file)).expect("it is removed");
                }
                mount.unmount();
                fsck(&copy);
                let mount = Mount::new(&copy, "rw").expect("it was mounted before");
                for file in attributes().into_keys().filter(|file| !["longest", "many"].contains(file)) {
                    std::fs::remove_file(mount.path().join(file)).expect("it is removed");
                }
                mount.unmount();
                fsck(&copy);
                let Some(text) = debugfs(&copy, "show_super_stats -h") else { return };
                let number = |name: &str| {
                    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
                    line.trim().parse::<u32>().expect("a number")
                };
                let used = number("Inode count:") - number("Free inodes:");
                assert_eq!(used, 11, "reserved inodes are left and no others");
            });
        }
    }
}

#[test]
fn equal_values_share_an_inode() {
    let tree = some_tree();
    let summary = plan(&tree, &of(BlockSize::B4096)).expect("it fits").summary();
    assert_eq!(summary.files, 8);
    // long(1), long(2), the four longest of many's nine, and the two of label.
    assert_eq!(summary.inodes - summary.free_inodes, 11 + 8 + 8);
}

#[test]
fn a_file_counts_the_blocks_of_its_values() {
    let mut tree = tree();
    let mut metadata = Metadata::new(0o644);
    metadata.xattrs.insert(XattrName::new("user.a").expect("valid"), vec![b'x'; 4041].into());
    add(&mut tree, "file", metadata, Kind::Regular(Pattern::new(1, 1)));
    // One block of data and one of the value; the entry is in the inode.
    judge_and(&tree, &of(BlockSize::B4096), |image| {
        assert_stat(image, "/file", "Blockcount: 16");
        assert_stat(image, "/file", "File ACL: 0");
        assert_stat(image, "<13>", "Flags: 0x280000");
        assert_stat(image, "<13>", "Size: 4041");
    });
}

#[test]
fn values_beyond_64_kib_are_refused_and_shorter_ones_name_the_feature() {
    let with = |len| {
        let mut tree = tree();
        let mut metadata = Metadata::new(0o644);
        metadata.xattrs.insert(XattrName::new("user.a").expect("valid"), vec![0; len].into());
        add(&mut tree, "file", metadata, Kind::Regular(Pattern::new(1, 1)));
        tree
    };
    assert_unrepresentable_with(&with(65_537), &of(BlockSize::B4096), "/file", |reason| {
        reason.to_string().contains("the limit of Linux is 65536")
    });
    assert_unrepresentable_with(&with(65_536), &options(), "/file", |reason| {
        reason.to_string().contains("-O ea_inode")
    });
}

/// A wrong byte of a value is found by what its inode has of it.
#[test]
fn a_wrong_byte_of_a_value_is_found() {
    let tree = some_tree();
    let layout = plan(&tree, &of(BlockSize::B4096)).expect("it fits");
    let dir = tempfile::TempDir::new().expect("a temporary directory");
    let image = dir.path().join("image");
    write(&layout, &image);
    let needle: Vec<u8> = attributes()["longest"][0].1[..4096].to_vec();
    let bytes = std::fs::read(&image).expect("the image is there");
    let at = bytes.chunks(4096).position(|block| block == needle).expect("a block of it") * 4096;
    let file = std::fs::File::options().write(true).open(&image).expect("the image is there");
    std::os::unix::fs::FileExt::write_all_at(&file, b"!", at as u64 + 5).expect("it is written");
    let Some(mount) = Mount::new(&image, "ro") else { return };
    let command = &mut Command::new("getfattr");
    let output = run(command.args(["--only-values", "-n", "user.long"]).arg(mount.path().join("longest")));
    assert!(output.is_none_or(|output| !output.status.success()), "the kernel takes a wrong value");
    mount.unmount();
}
