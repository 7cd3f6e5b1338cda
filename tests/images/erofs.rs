//! Images with EROFS filesystems: every layout, before all judges.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fixtures::{self, Creation, small, wide};
use crate::judges;
use crate::oracle::erofs::{Utils, fsck};
use crate::oracle::expected::Content;
use crate::oracle::{EROFS_JUDGES, Expected, Owner, Volume, judge_by, kernel};
use crate::product::{Scratch, rootcast, run};

/// Makes an image of the directory `source` in `scratch`, and returns its path and the report.
fn image(scratch: &Scratch, source: &Path, arguments: &str) -> (PathBuf, Value) {
    let path = scratch.join("image");
    let mut command = rootcast();
    command.arg("image").arg(source).arg("-o").arg(&path).args(["--fs", "erofs", "--json", "-q"]);
    let outcome = run(command.args(arguments.split_whitespace()));
    let report = outcome.success().unwrap_or_else(|why| panic!("{arguments}: {why}"));
    (path, serde_json::from_slice(&report.stdout).unwrap())
}

/// Returns the place of the filesystem: its offset and length in bytes.
fn place(report: &Value) -> (u64, u64) {
    let partition = &report["partitions"][0];
    match partition.is_null() {
        true => (0, report["size"].as_u64().unwrap()),
        false => (partition["offset"].as_u64().unwrap(), partition["length"].as_u64().unwrap()),
    }
}

fn small_source() -> Scratch {
    let scratch = Scratch::new();
    small::small().make(&scratch.join("source"));
    scratch
}

#[test]
fn every_layout_holds_the_tree() {
    let scratch = small_source();
    let source = scratch.join("source");
    let expected = Expected::from_directory(&source, Owner::Root);
    for arguments in [
        "--layout bare",
        "--layout bare --inline none --size 64M",
        "--arch x86_64",
        "--layout mbr --sparse never",
        "--layout mbr --verity",
        "--preset kata --no-rootfs-check --measured --size-multiple 2M",
    ] {
        let (path, report) = image(&scratch, &source, arguments);
        assert_eq!(report["filesystem"]["type"], "erofs");
        judge_by(&path, Some(place(&report)), &expected, &EROFS_JUDGES);
    }
}

#[test]
fn blocks_of_every_length_hold_the_tree() {
    let scratch = small_source();
    let source = scratch.join("source");
    let expected = Expected::from_directory(&source, Owner::Root);
    for block in [512, 1024, 2048] {
        let (path, report) = image(&scratch, &source, &format!("--layout bare -b {block}"));
        assert_eq!(report["filesystem"]["oldest_kernel"], "6.4");
        // The checker of Debian 12 reads blocks of 4096 bytes only.
        judge_by(&path, None, &expected, &[("kernel", kernel::check_erofs)]);
    }
}

#[test]
fn every_kind_of_file_is_in_the_filesystem() {
    let scratch = Scratch::new();
    let dump = scratch.file("tree.dump", fixtures::EVERY_KIND_DUMP);
    let (path, _) = image(&scratch, &dump, "--layout bare");
    judge_by(&path, None, &Expected::from_dump(fixtures::EVERY_KIND_DUMP), &EROFS_JUDGES);
}

/// fsck.erofs of Debian 12 decodes nothing. That of Debian 13 refuses blocks longer than a page, and
/// does not read a checksum in a filesystem with blocks of 512 or 1024 bytes.
#[test]
fn tools_of_debian_13_extract_the_tree() {
    if !judges::long_tests() || !judges::is_root() {
        return;
    }
    let Some(utils) = Utils::of_debian_13() else { return };
    let scratch = small_source();
    let source = scratch.join("source");
    let expected = Expected::from_directory(&source, Owner::Root);
    for arguments in ["", "--inline none", "-b 2048", "--sparse always"] {
        let (path, _) = image(&scratch, &source, &format!("--layout bare {arguments}"));
        utils.check(&path, &expected).unwrap_or_else(|why| panic!("{arguments}: {why}"));
    }
}

fn digest(source: &Path, arguments: &str) -> String {
    let mut command = rootcast();
    command.arg("image").arg(source).args(["--fs", "erofs", "--digest", "-q"]);
    let outcome = run(command.args(arguments.split_whitespace()));
    outcome.success().unwrap_or_else(|why| panic!("{arguments}: {why}")).text().trim().to_owned()
}

#[test]
fn bytes_depend_on_neither_threads_nor_the_order_of_creation() {
    let mut fixture = small::small();
    fixture.items.extend(wide::wide(1000).items.into_iter().filter(|item| !item.path.is_empty()));
    let make = |creation| {
        let scratch = Scratch::new();
        fixture.make_as(&scratch.join("source"), creation);
        scratch
    };
    let (plain, reversed) = (make(Creation::DEFAULT), make(Creation { reversed: true, ..Creation::DEFAULT }));
    let first = digest(&plain.join("source"), "--arch x86_64 -j 1");
    assert_eq!(digest(&plain.join("source"), "--arch x86_64 -j 7"), first);
    assert_eq!(digest(&reversed.join("source"), "--arch x86_64 -j 2"), first);
}

/// The digests of images of the dump `every-kind`. A change of one is a change of the format, and
/// needs a new name for it.
const PINNED: [(&str, &str); 3] = [
    ("--layout bare", "123032f9ab771ad3ec2654382a432b48bd53ca5828ee6cd9931a1ba624e0d674"),
    (
        "--layout gpt --arch x86_64 --verity",
        "af6eec139c52650cb87959a547465fa1d55ce49090a618c8c573002064fcc8f8",
    ),
    (
        "--layout bare -b 512 --inline none --source-date-epoch 1700000000",
        "276423d3925ef6809dc9b7140e76b8e899bf95ea500658a8e4d7fb0c04318ed9",
    ),
];

#[test]
fn images_have_their_pinned_digests() {
    let scratch = Scratch::new();
    let dump = scratch.file("tree.dump", fixtures::EVERY_KIND_DUMP);
    let found = PINNED.map(|(arguments, _)| (arguments, digest(&dump, arguments)));
    assert_eq!(found, PINNED.map(|(arguments, pinned)| (arguments, pinned.to_owned())));
}

#[test]
fn a_stream_and_a_digest_are_those_of_the_file() {
    let scratch = small_source();
    let source = scratch.join("source");
    let (path, _) = image(&scratch, &source, "--layout bare");
    let mut command = rootcast();
    command.arg("image").arg(&source).args(["--fs", "erofs", "--layout", "bare", "-q", "-o", "-"]);
    let streamed = run(&mut command).success().unwrap_or_else(|why| panic!("{why}")).stdout;
    assert!(streamed == fs::read(&path).unwrap());
    let sha256 = Content::read(File::open(&path).unwrap()).unwrap().sha256;
    let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest(&source, "--layout bare"), hex);
}

/// One bit in each structure: some judge has to object.
#[test]
fn a_changed_byte_in_every_structure_is_noticed() {
    if !judges::may_mount() {
        return;
    }
    let scratch = Scratch::new();
    let text = "/ 0 40755 2 0 0 0 5.0 - - -\n\
                /a 5 100644 1 0 0 0 5.0 - hello -\n\
                /b 1 100644 1 287454020 0 0 6.0 - x - user.b=value\n";
    let (path, _) = image(&scratch, &scratch.file("tree.dump", text), "--layout bare");
    let (volume, expected) = (Volume::new(&path, None), Expected::from_dump(text));
    judge_by(&path, None, &expected, &EROFS_JUDGES);
    let bytes = fs::read(&path).unwrap();
    let find = |needle: &[u8]| {
        let at = bytes.windows(needle.len()).position(|window| window == needle);
        at.unwrap_or_else(|| panic!("{} is not in the image", needle.escape_ascii())) as u64
    };
    let root = 1152;
    for (what, offset) in [
        ("magic", 1024),
        ("checksum", 1028),
        ("uuid", 1024 + 0x30),
        ("blkszbits", 1024 + 0x0c),
        ("feature_incompat", 1024 + 0x53),
        ("root: i_format", root),
        ("root: i_mode", root + 5),
        ("root: i_size", root + 8),
        ("directory: nid", root + 32),
        ("directory: a name", find(b"...ab") + 3),
        ("an inode: i_uid", find(&287_454_020u32.to_le_bytes())),
        ("an xattr: its value", find(b"value")),
        ("data: a byte", find(b"hello")),
    ] {
        let copy = volume.copy();
        let file = File::options().read(true).write(true).open(&copy.volume.image).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
        let verdicts = [fsck(&copy.volume), kernel::check_erofs(&copy.volume, &expected)];
        assert!(verdicts.iter().any(Result::is_err), "nobody noticed the changed byte at {offset} in {what}");
    }
}
