//! Images of every fixture in every layout, before all judges.

use std::fs;
use std::path::Path;

use crate::fixtures::{self, Fixture, big, small, wide};
use crate::judges;
use crate::oracle::{
    self, Expected, Judge, Owner, Volume, debugfs, dumpe2fs, e2fsck, ext4_view, kernel, sfdisk, sgdisk,
};
use crate::product::{self, Scratch, rootcast, run};

/// Creates a fixture for an ordinary user in a scratch directory.
fn scratch_with(fixture: &Fixture) -> Scratch {
    let scratch = Scratch::new();
    fixture.make(&scratch.join("source"));
    scratch
}

/// Does the same in memory, for a fixture without xattrs and with much to write.
fn memory_with(fixture: &Fixture) -> Scratch {
    let scratch = Scratch::in_memory();
    fixture.make(&scratch.join("source"));
    scratch
}

/// Checks the image of `source` in `scratch` with all judges, as the whole filesystem.
fn check_bare(scratch: &Scratch, source: &Path, arguments: &[&str], expected: &Expected) {
    let image = scratch.join("image");
    product::image(source, &image, &[&["--layout", "bare"], arguments].concat());
    oracle::judge(&image, None, expected);
}

#[test]
fn a_small_tree_becomes_a_filesystem() {
    let scratch = scratch_with(&small::small());
    let source = scratch.join("source");
    check_bare(&scratch, &source, &[], &Expected::from_directory(&source, Owner::Root));
}

#[test]
fn owners_are_kept_on_request() {
    let scratch = scratch_with(&small::small());
    let source = scratch.join("source");
    check_bare(&scratch, &source, &["--owner", "keep"], &Expected::from_directory(&source, Owner::Keep));
}

#[test]
fn requested_free_space_is_available() {
    let scratch = scratch_with(&small::small());
    let source = scratch.join("source");
    // With free space, the kernel's judge writes too.
    check_bare(&scratch, &source, &["--free", "50%"], &Expected::from_directory(&source, Owner::Root));
}

#[test]
fn a_small_tree_becomes_a_gpt_disk() {
    check_gpt(512);
}

#[test]
fn a_small_tree_becomes_a_gpt_disk_of_4096_byte_sectors() {
    check_gpt(4096);
}

fn check_gpt(sector_size: u32) {
    let scratch = scratch_with(&small::small());
    let (source, disk) = (scratch.join("source"), scratch.join("disk"));
    let size = sector_size.to_string();
    product::image(&source, &disk, &["--layout", "gpt", "--sector-size", &size, "--arch", "x86_64"]);
    let Some(table) = sgdisk::judge(&disk, sector_size) else { return };
    let [partition] = &table.partitions[..] else { panic!("{table:?}") };
    // The type GUID of the root partition for x86-64 in the Discoverable Partitions Specification.
    assert_eq!(partition.type_guid, "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709");
    assert_eq!(partition.offset % (1 << 20), 0, "the partition is not aligned");
    let expected = Expected::from_directory(&source, Owner::Root);
    oracle::judge(&disk, Some((partition.offset, partition.len)), &expected);
}

#[test]
fn a_small_tree_becomes_an_mbr_disk() {
    let scratch = scratch_with(&small::small());
    let (source, disk) = (scratch.join("source"), scratch.join("disk"));
    product::image(&source, &disk, &["--layout", "mbr"]);
    let Some(table) = sfdisk::judge(&disk) else { return };
    assert_eq!(table.label, "dos");
    let [partition] = &table.partitions[..] else { panic!("{table:?}") };
    assert_eq!(partition.type_code, "83");
    let expected = Expected::from_directory(&source, Owner::Root);
    oracle::judge(&disk, Some((partition.offset, partition.len)), &expected);
}

#[test]
fn dumps_are_cast_with_device_nodes_and_owners() {
    for dump in [fixtures::MINIMAL_DUMP, fixtures::EVERY_KIND_DUMP] {
        let scratch = Scratch::new();
        let source = scratch.file("tree.dump", dump);
        check_bare(&scratch, &source, &[], &Expected::from_dump(dump));
    }
}

#[test]
fn a_directory_of_20000_files_is_cast() {
    let _heavy = judges::heavy();
    let scratch = memory_with(&wide::wide(20_000));
    let source = scratch.join("source");
    check_bare(&scratch, &source, &[], &Expected::from_directory(&source, Owner::Root));
}

#[test]
fn a_directory_of_65500_directories_is_cast() {
    let _heavy = judges::heavy();
    let scratch = memory_with(&wide::wide_of_directories(65_500));
    let (source, image) = (scratch.join("source"), scratch.join("image"));
    product::image(&source, &image, &["--layout", "bare"]);
    let expected = Expected::from_directory(&source, Owner::Root);
    // The other judges would take minutes.
    let judges: [(&str, Judge); 2] =
        [("e2fsck", |volume, _| e2fsck::check(volume)), ("kernel", kernel::check)];
    oracle::judge_by(&image, None, &expected, &judges);
}

#[test]
fn a_file_that_spans_several_groups_is_stored() {
    let _heavy = judges::heavy();
    let scratch = memory_with(&big::big());
    let (source, image) = (scratch.join("source"), scratch.join("image"));
    check_bare(&scratch, &source, &[], &Expected::from_directory(&source, Owner::Root));
    let on_disk = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&image).unwrap()) * 512;
    assert!(on_disk < 16 << 20, "an image of little data takes {on_disk} bytes on disk");
}

#[test]
fn identity_and_size_match_the_flags() {
    let scratch = Scratch::new();
    let source = scratch.file("tree.dump", fixtures::MINIMAL_DUMP);
    let image = scratch.join("image");
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    let size: u64 = 64 << 20;
    let sizes = ["--layout", "bare", "--size", &size.to_string(), "--inodes", "4096", "--reserved", "7%"];
    let names = ["--label", "sixteen bytes ok", "--uuid", uuid];
    product::image(&source, &image, &[sizes.as_slice(), &names].concat());
    assert_eq!(fs::metadata(&image).unwrap().len(), size);

    let volume = Volume::new(&image, None);
    let Some(summary) = dumpe2fs::read(&volume).unwrap() else { return };
    assert_eq!(summary.text("Filesystem volume name"), Ok("sixteen bytes ok"));
    assert_eq!(summary.text("Filesystem UUID"), Ok(uuid));
    assert!(summary.number("Inode count").unwrap() >= 4096);
    let (blocks, reserved) = (summary.number("Block count"), summary.number("Reserved block count"));
    let (blocks, reserved) = (blocks.unwrap(), reserved.unwrap());
    assert!(reserved.abs_diff(blocks * 7 / 100) <= 1, "{reserved} of {blocks} blocks are reserved");
    oracle::judge(&image, None, &Expected::from_dump(fixtures::MINIMAL_DUMP));
}

#[test]
fn times_are_clamped_to_source_date_epoch() {
    let scratch = Scratch::new();
    let source = scratch.file("tree.dump", fixtures::EVERY_KIND_DUMP);
    let image = scratch.join("image");
    let epoch = oracle::expected::Time { seconds: 1_550_000_000, nanoseconds: 0 };
    product::image(&source, &image, &["--layout", "bare", "--source-date-epoch", "1550000000"]);
    let mut expected = Expected::from_dump(fixtures::EVERY_KIND_DUMP);
    for file in expected.files.values_mut() {
        file.mtime = file.mtime.map(|time| if time.seconds < epoch.seconds { time } else { epoch });
    }
    let readers: [(&str, Judge); 2] = [("debugfs", debugfs::check), ("ext4-view", ext4_view::check)];
    oracle::judge_by(&image, None, &expected, &readers);
}

#[test]
fn the_printed_tree_matches_the_source() {
    let scratch = scratch_with(&small::small());
    let source = scratch.join("source");
    let printed = run(rootcast().arg("tree").arg(&source)).success().unwrap().text();
    let expected = Expected::from_directory(&source, Owner::Root).without_bytes();
    let found = Expected::from_dump(&printed).without_bytes();
    expected.compare(&found, oracle::expected::Sees::EVERYTHING).unwrap_or_else(|why| panic!("{why}"));
}
