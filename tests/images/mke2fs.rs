//! Images by mke2fs, to ensure that the judges accept other images, and not only those of rootcast.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::fixtures::{self, Fixture, Kind};
use crate::oracle::{self, Expected, Owner};
use crate::product::{Scratch, run};
use crate::{judges, oracle::sgdisk};

/// An image of a fixture by mke2fs, with its expected contents.
pub(crate) struct Foreign {
    pub(crate) scratch: Scratch,
    pub(crate) image: PathBuf,
    pub(crate) expected: Expected,
}

/// Makes a filesystem of `size` bytes with the files of a fixture, or returns `None` after a
/// visible skip.
pub(crate) fn filesystem(fixture: &Fixture, size: u64, arguments: &[&str]) -> Option<Foreign> {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    plain(fixture.clone()).make(&source);
    let image = scratch.join("image");
    mke2fs(&source, &image, size, arguments)?;
    let mut expected = Expected::from_directory(&source, Owner::Keep);
    // The root directory is mke2fs's own, made now.
    expected.file_mut("/").mtime = None;
    Some(Foreign { scratch, image, expected })
}

/// Returns the part of a fixture that mke2fs 1.47.0 is able to write: it drops nanoseconds, times
/// outside of 32 bits, hard links of symlinks, and the root directory's own mode.
fn plain(mut fixture: Fixture) -> Fixture {
    let symlinks: Vec<Vec<u8>> = fixture
        .items
        .iter()
        .filter(|item| matches!(item.kind, Kind::Symlink(_)))
        .map(|item| item.path.clone())
        .collect();
    fixture.items.retain(|item| {
        let to_symlink = matches!(&item.kind, Kind::HardLink(first) if symlinks.contains(first));
        i32::try_from(item.mtime.0).is_ok() && !to_symlink
    });
    for item in &mut fixture.items {
        item.mtime.1 = 0;
        if item.path.is_empty() {
            item.mode = 0o755;
        }
    }
    fixture
}

/// Makes a filesystem of a directory by mke2fs with Debian's configuration.
pub(crate) fn mke2fs(source: &Path, image: &Path, size: u64, arguments: &[&str]) -> Option<()> {
    const FEATURES: &str = "has_journal,extent,huge_file,flex_bg,metadata_csum,metadata_csum_seed,64bit,dir_nlink,\
                            extra_isize,orphan_file,sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr";
    File::create_new(image).and_then(|file| file.set_len(size)).unwrap();
    let owner = std::fs::metadata(source).unwrap();
    let owner = format!("root_owner={}:{}", owner.uid(), owner.gid());
    let mut mke2fs = judges::command("mke2fs")?;
    mke2fs
        .args(["-q", "-t", "ext4", "-b", "4096", "-I", "256", "-O", FEATURES, "-E", &owner])
        .args(arguments);
    run(mke2fs.arg("-d").arg(source).arg(image)).success().unwrap();
    Some(())
}

/// Makes a disk with a GPT and one partition, at 1 MiB, that holds a copy of a filesystem.
pub(crate) fn gpt_disk(filesystem: &Path, disk: &Path) -> Option<sgdisk::Table> {
    const MIB: u64 = 1 << 20;
    let len = std::fs::metadata(filesystem).unwrap().len();
    let mut file = File::create_new(disk).unwrap();
    file.set_len(MIB + len + MIB).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(MIB)).unwrap();
    std::io::copy(&mut File::open(filesystem).unwrap(), &mut file).unwrap();
    let last = (MIB + len) / 512 - 1;
    let mut command = judges::command("sgdisk")?;
    command.args([
        "--clear",
        "--new",
        &format!("1:2048:{last}"),
        "--typecode",
        "1:8304",
        "--change-name",
        "1:root",
    ]);
    run(command.arg(disk)).success().unwrap();
    sgdisk::judge(disk, 512)
}

const MIB: u64 = 1 << 20;

#[test]
fn all_judges_accept_a_small_tree_written_by_mke2fs() {
    let Some(foreign) = filesystem(&fixtures::small::small(), 64 * MIB, &[]) else { return };
    oracle::judge(&foreign.image, None, &foreign.expected);
    assert!(foreign.scratch.path().is_dir());
}

#[test]
fn all_judges_accept_a_partition_written_by_mke2fs() {
    let Some(foreign) = filesystem(&fixtures::small::small(), 64 * MIB, &[]) else { return };
    let disk = foreign.scratch.join("disk");
    let Some(table) = gpt_disk(&foreign.image, &disk) else { return };
    let [partition] = &table.partitions[..] else { panic!("{table:?}") };
    assert_eq!((partition.offset, partition.len), (MIB, 64 * MIB));
    assert_eq!(partition.name, "root");
    oracle::judge(&disk, Some((partition.offset, partition.len)), &foreign.expected);
}

#[test]
fn all_judges_accept_a_big_tree_written_by_mke2fs() {
    let _heavy = judges::heavy();
    let Some(foreign) = filesystem(&fixtures::big::big(), 512 * MIB, &[]) else { return };
    oracle::judge(&foreign.image, None, &foreign.expected);
}
