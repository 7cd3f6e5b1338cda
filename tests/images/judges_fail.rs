//! Tests of the judges: each has to detect one changed byte, and one wrong word in the expectation.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::fixtures;
use crate::images::mke2fs::{self, Foreign};
use crate::judges;
use crate::oracle::{JUDGES, Volume, debugfs, dumpe2fs, e2fsck, ext4_view, kernel, sgdisk};
use crate::product::run;

const MIB: u64 = 1 << 20;
const BLOCK: u64 = 4096;

/// Makes a filesystem with a structure of every kind, or returns `None` after a visible skip:
/// mke2fs makes extent blocks of the file with holes and xattr blocks, and e2fsck makes a hash tree
/// of the wide directory.
fn rich_filesystem() -> Option<Foreign> {
    let mut fixture = fixtures::small::small();
    let wide = fixtures::wide::wide(600).items.into_iter().filter(|item| !item.path.is_empty());
    fixture.items.extend(wide);
    let foreign = mke2fs::filesystem(&fixture, 64 * MIB, &[])?;
    let mut e2fsck = judges::command("e2fsck")?;
    let outcome = run(e2fsck.arg("-fyD").arg(&foreign.image));
    assert!(matches!(outcome.code, Some(0 | 1)), "{outcome}");
    Some(foreign)
}

/// Flips one bit of the byte at `offset`.
fn flip(image: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(image).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

/// Runs `judge` on a copy in which the byte at `offset` is changed; it has to report an error.
fn assert_noticed(volume: &Volume, what: &str, offset: u64, judge: impl Fn(&Volume) -> Result<(), String>) {
    let copy = volume.copy();
    flip(&copy.volume.image, offset);
    assert!(judge(&copy.volume).is_err(), "nobody noticed the changed byte at {offset} in the {what}");
}

#[test]
fn e2fsck_notices_a_changed_byte_in_every_structure() {
    let Some(foreign) = rich_filesystem() else { return };
    let volume = Volume::new(&foreign.image, None);
    e2fsck::check_clean(&volume).unwrap();
    for (what, offset) in structures(&volume) {
        assert_noticed(&volume, what, offset, e2fsck::check_clean);
    }
}

/// Returns a significant byte of each structure.
fn structures(volume: &Volume) -> Vec<(&'static str, u64)> {
    let first_block = |path: &str| blocks(volume, path)[0];
    let holes = "\"/contents/holes\"";
    let extent_block = field(volume, &format!("stat {holes}"), "(ETB0):");
    let xattr_block = field(volume, "stat \"/xattrs/large\"", "File ACL: ");
    let inode = |path| {
        let place = ask(volume, &format!("imap {path}"));
        // `Inode 12 is part of block group 0` and `located at block 45, offset 0x0b00`.
        let (block, offset) =
            place.split_once("located at block ").unwrap().1.split_once(", offset 0x").unwrap();
        block.parse::<u64>().unwrap() * BLOCK + u64::from_str_radix(offset.trim(), 16).unwrap()
    };
    vec![
        // The offset of each field is from the kernel's documentation of the structure.
        ("superblock: s_free_inodes_count", 1024 + 0x10),
        ("superblock: s_uuid", 1024 + 0x68),
        ("group descriptor: bg_used_dirs_count_lo", BLOCK + 0x10),
        ("group descriptor: bg_checksum", BLOCK + 0x1e),
        ("block bitmap", group(volume, "Block bitmap at ") * BLOCK + 100),
        ("inode bitmap", group(volume, "Inode bitmap at ") * BLOCK + 1),
        ("inode: i_mode", inode("/contents/4097")),
        ("inode: i_mtime_extra", inode("/contents/4097") + 0x88),
        ("inode: i_block", inode("/contents/4097") + 0x28 + 20),
        ("inode: an xattr in it", inode("/xattrs/small") + 0xfc),
        ("directory block: a name", first_block("/names") * BLOCK + 32),
        ("directory block: its checksum", first_block("/names") * BLOCK + BLOCK - 1),
        ("hash tree root: an entry", first_block("/wide") * BLOCK + 40),
        ("hash tree leaf: a name", blocks(volume, "/wide")[1] * BLOCK + 8),
        ("extent block: a start", extent_block * BLOCK + 12 + 8),
        ("xattr block: a value", xattr_block * BLOCK + BLOCK - 1),
        ("symlink block: its target's end", first_block("\"/links/symlink of 61\"") * BLOCK + 61),
        ("journal: its superblock's magic number", first_block("<8>") * BLOCK),
    ]
}

/// Returns the output of debugfs for one request.
fn ask(volume: &Volume, request: &str) -> String {
    debugfs::request(volume, request).unwrap().expect("debugfs was there a moment ago")
}

/// Returns the blocks of a file's data, in order.
fn blocks(volume: &Volume, path: &str) -> Vec<u64> {
    ask(volume, &format!("blocks {path}")).split_whitespace().map(|block| block.parse().unwrap()).collect()
}

/// Returns the number after a label.
fn field(volume: &Volume, request: &str, label: &str) -> u64 {
    let text = ask(volume, request);
    let (_, rest) = text.split_once(label).unwrap_or_else(|| panic!("no {label} in {text}"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// Returns the block after a label of the first group of dumpe2fs.
fn group(volume: &Volume, label: &str) -> u64 {
    let text = run(judges::command("dumpe2fs").unwrap().arg(&volume.image)).success().unwrap().text();
    let (_, rest) = text.split_once(label).unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn readers_notice_a_changed_byte_of_data() {
    let Some(foreign) = rich_filesystem() else { return };
    let volume = Volume::new(&foreign.image, None);
    let offset = blocks(&volume, "/contents/1000000")[100] * BLOCK + 77;
    // e2fsck does not: ext4 has no data checksums.
    let copy = volume.copy();
    flip(&copy.volume.image, offset);
    e2fsck::check_clean(&copy.volume).unwrap();
    assert_noticed(&volume, "data", offset, |volume| debugfs::check(volume, &foreign.expected));
    assert_noticed(&volume, "data", offset, |volume| ext4_view::check(volume, &foreign.expected));
    if judges::may_mount() {
        assert_noticed(&volume, "data", offset, |volume| kernel::check(volume, &foreign.expected));
    }
}

#[test]
fn readers_notice_a_wrong_expectation() {
    use crate::oracle::expected::{Content, Expected, Kind, Time};
    type Change = fn(&mut Expected);
    let Some(foreign) = rich_filesystem() else { return };
    let volume = Volume::new(&foreign.image, None);
    let changes: [(&str, Change); 14] = [
        ("kind", |expected| expected.file_mut("/links/fifo").kind = Kind::Socket),
        ("bytes", |expected| expected.file_mut("/contents/1").kind = Kind::Regular(Content::of(b"y"))),
        ("target", |expected| expected.file_mut("/links/symlink of 1").kind = Kind::Symlink(b"u".to_vec())),
        ("mode", |expected| expected.file_mut("/modes/4755").mode = 0o755),
        ("mode of a directory", |expected| expected.file_mut("/modes").mode = 0o777),
        ("uid", |expected| expected.file_mut("/contents/1").uid += 1),
        ("gid", |expected| expected.file_mut("/contents/1").gid += 1),
        ("seconds", |expected| {
            expected.file_mut("/contents/1").mtime = Some(Time { seconds: 1_600_000_001, nanoseconds: 0 });
        }),
        ("nanoseconds", |expected| {
            expected.file_mut("/contents/1").mtime = Some(Time { seconds: 1_600_000_000, nanoseconds: 1 });
        }),
        ("a file too many", |expected| {
            expected.files.remove(b"/contents/1".as_slice());
        }),
        ("a file too few", |expected| {
            let file = expected.file_mut("/contents/1").clone();
            expected.files.insert(b"/contents/2".to_vec(), file);
        }),
        // The crate ext4-view reads neither of these.
        ("xattr's value", |expected| {
            expected.file_mut("/xattrs/small").xattrs.insert(b"user.s".to_vec(), b"other".to_vec());
        }),
        ("xattr", |expected| {
            expected.file_mut("/contents/1").xattrs.insert(b"user.x".to_vec(), Vec::new());
        }),
        ("hard link", |expected| expected.file_mut("/links/file").same_as = None),
    ];
    for (what, change) in changes {
        let mut expected = foreign.expected.clone();
        change(&mut expected);
        assert_ne!(expected, foreign.expected, "{what}: nothing was changed");
        let blind = matches!(what, "xattr" | "xattr's value" | "hard link");
        for (name, judge) in JUDGES {
            let compares = name == "debugfs" || name == "ext4-view" && !blind;
            let compares = compares || name == "kernel" && judges::may_mount();
            if compares {
                let Err(why) = judge(&volume, &expected) else {
                    panic!("{name} did not notice a wrong {what}")
                };
                assert!(
                    why.lines().count() == 1,
                    "{name} says more than what is wrong about the {what}: {why}"
                );
            }
        }
    }
}

#[test]
fn a_wrong_link_count_is_noticed() {
    let Some(foreign) = rich_filesystem() else { return };
    let copy = Volume::new(&foreign.image, None).copy();
    debugfs::change(&copy.volume, &["set_inode_field /names links_count 3".to_owned()]).unwrap();
    for judge in [debugfs::check, kernel::check] {
        let verdict = judge(&copy.volume, &foreign.expected);
        match verdict {
            Err(why) => assert!(why.contains("/names: link count: expected 2"), "{why}"),
            Ok(()) => assert!(!judges::may_mount(), "a wrong link count went unnoticed"),
        }
    }
}

#[test]
fn sgdisk_notices_a_changed_byte_in_a_table() {
    let Some(foreign) = mke2fs::filesystem(&fixtures::big::small_only(), 16 * MIB, &[]) else { return };
    let disk = foreign.scratch.join("disk");
    if mke2fs::gpt_disk(&foreign.image, &disk).is_none() {
        return;
    }
    let disk = Volume::new(&disk, None);
    let backup_header = disk.len - 512;
    for (what, offset) in [
        ("protective MBR: the partition's type", 446 + 4),
        ("GPT header: the disk's GUID", 512 + 56),
        ("GPT header: its checksum", 512 + 16),
        ("GPT entry: the partition's GUID", 1024 + 16),
        ("GPT entry: its first sector", 1024 + 32),
        ("GPT entry: its name", 1024 + 56),
        ("backup header: the disk's GUID", backup_header + 56),
        ("backup entry: its last sector", backup_header - 32 * 512 + 40),
    ] {
        assert_noticed(&disk, what, offset, |disk| sgdisk::check(&disk.image, 512));
    }
}

#[test]
fn dumpe2fs_reads_filesystems_of_mke2fs() {
    let options = ["-L", "a label", "-U", "01234567-89ab-cdef-0123-456789abcdef", "-N", "4096", "-m", "7"];
    let fixture = fixtures::big::small_only();
    let Some(foreign) = mke2fs::filesystem(&fixture, 16 * MIB, &options) else { return };
    let Some(summary) = dumpe2fs::read(&Volume::new(&foreign.image, None)).unwrap() else { return };
    assert_eq!(summary.text("Filesystem volume name"), Ok("a label"));
    assert_eq!(summary.text("Filesystem UUID"), Ok("01234567-89ab-cdef-0123-456789abcdef"));
    assert_eq!(summary.number("Inode count"), Ok(4096));
    assert_eq!(summary.number("Block count"), Ok(16 * MIB / BLOCK));
    assert_eq!(summary.number("Reserved block count"), Ok(16 * MIB / BLOCK * 7 / 100));
    let features = summary.features().unwrap();
    assert!(features.contains("metadata_csum") && features.contains("orphan_file"), "{features:?}");
}
