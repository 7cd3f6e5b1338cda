//! Tests of layouts: offsets, segments, lost metadata, rejected trees.

use std::collections::BTreeSet;
use std::io;
use std::process::Command;

use image_runs::{Image, Run, Source, read_all};
use image_tree::{Content, Device, Inode, InodeId, Kind, Metadata, Name, Timestamp, Tree};
use initramfs::check::check;
use initramfs::{
    Checksums, Compression, EarlyCpio, Error, KernelConfig, MetadataKind, Options, Precompressed, Storage,
    Unrepresentable, archive_padding, plan,
};
use tempfile::TempDir;

use crate::compress::gzip;
use crate::fixtures::{Bytes, add, empty, every_kind, file, link, noise, symlink, xattr};
use crate::judge::run;

/// Returns the offset of each content in the image.
fn contents<'l>(image: &'l dyn Image<Vec<u8>>) -> Vec<(u64, &'l Vec<u8>)> {
    let mut at = 0;
    let place = |run: Run<'l, Vec<u8>>| {
        let here = at;
        at += run.len;
        match run.source {
            Source::Content { content, offset: 0 } => Some((here, content)),
            Source::Content { .. } => panic!("files are whole"),
            _ => None,
        }
    };
    image.runs().filter_map(place).collect()
}

#[test]
fn the_bytes_are_pinned() {
    let sum = |options: &Options| {
        let tree = every_kind();
        let bytes =
            read_all(&plan(&tree, &EarlyCpio::none(), options).expect("the tree fits")).expect("in memory");
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        (bytes.len(), crc.sum())
    };
    // Different bytes mean a different layout, which needs a new name.
    assert_eq!(sum(&Options::plain()), (108_032, 3_225_065_155));
    assert_eq!(sum(&with!(Options::plain(), align: 4096)), (108_444, 879_688_576));
}

#[test]
fn names_are_padded_up_to_path_max() {
    // The root and `a` take 3984 bytes, so that the padded name before the next data has 4096 bytes
    // or one more.
    for (name, unaligned) in [("bcd", 0), ("bcde", 1)] {
        let mut tree = empty();
        file(&mut tree, "a", &[1; 3760]);
        file(&mut tree, name, &noise(16_384, 1));
        let layout = plan(&tree, &EarlyCpio::none(), &with!(Options::plain(), align: 4096)).expect("it fits");
        assert_eq!(layout.summary().unaligned, unaligned, "{name}");
        assert_eq!(contents(&layout)[1].0.is_multiple_of(4096), unaligned == 0, "{name}");
    }
}

/// Zeros make readers look for another archive, wherever in a block of 512 bytes the first ends.
#[test]
fn zeros_separate_precompressed_and_other_files() {
    for len in (0..512).step_by(4) {
        let mut tree = empty();
        file(&mut tree, "a.ko.xz", &vec![1; len]);
        file(&mut tree, "init", b"#!");
        let layout = plan(&tree, &EarlyCpio::none(), &Options::segmented(4096)).expect("it fits");
        let stored = layout.segments().next().expect("there are two");
        assert_eq!(stored.storage(), Storage::Plain);
        let bytes = read_all(&stored).expect("it is in memory");
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("it has a trailer") + 1;
        assert!(bytes[..end].ends_with(b"TRAILER!!!"));
        // The NUL of the name and its padding, and 4 more bytes.
        assert!((8..8 + 512).contains(&(bytes.len() - end)), "{len}: {} zeros", bytes.len() - end);
        assert!(bytes.len().is_multiple_of(512));
    }
}

#[test]
fn long_files_are_aligned_and_short_ones_are_not() {
    let mut tree = empty();
    for number in 0..40 {
        let len = 16_383 + number % 3 * 5000;
        file(&mut tree, &format!("usr/lib/{}", "x".repeat(number + 1)), &noise(len, number as u64 + 1));
    }
    // With padding, this name is likely to be longer than a path can be.
    let deep = format!("{}/deep", vec!["d".repeat(255); 15].join("/"));
    file(&mut tree, &deep, &noise(20_000, 99));
    let layout = plan(&tree, &EarlyCpio::none(), &with!(Options::plain(), align: 4096)).expect("it fits");
    let unaligned = contents(&layout)
        .into_iter()
        .filter(|(at, content)| content.len() >= 16_384 && !at.is_multiple_of(4096))
        .count();
    assert_eq!(unaligned as u64, layout.summary().unaligned);
    assert!(unaligned <= 1, "{unaligned}");
    assert!(contents(&layout).iter().any(|(at, content)| content.len() < 16_384 && !at.is_multiple_of(4096)));
    let bytes = read_all(&layout).expect("it is in memory");
    let report = check(&mut &*bytes, &KernelConfig::unknown()).expect("it is in memory");
    assert!(report.is_accepted(), "{:?}", report.findings);
    let plain = plan(&tree, &EarlyCpio::none(), &Options::plain()).expect("it fits");
    assert!(Image::<Vec<u8>>::len(&layout) - Image::<Vec<u8>>::len(&plain) < 28 * 4096);
}

#[test]
fn segments_cover_the_archive_and_end_at_entries() {
    let mut tree = every_kind();
    for number in 0..200 {
        file(&mut tree, &format!("usr/share/doc/{number}"), &noise(number * 37, number as u64 + 1));
    }
    file(&mut tree, "usr/lib/modules/6.12/kernel/a.ko.xz", &noise(9000, 1));
    file(&mut tree, "usr/lib/firmware/b.bin.zst", &noise(9000, 2));
    file(&mut tree, "usr/share/not-firmware.xz", b"x");
    let options = Options::segmented(16_384);
    let layout = plan(&tree, &EarlyCpio::none(), &options).expect("the tree fits");
    let whole = read_all(&layout).expect("it is in memory");
    let segments: Vec<_> = layout.segments().collect();
    let mut at = 0;
    for (number, segment) in segments.iter().enumerate() {
        assert_eq!(segment.range().start, at);
        at = segment.range().end;
        let range =
            usize::try_from(segment.range().start).expect("short")..usize::try_from(at).expect("short");
        assert_eq!(read_all(segment).expect("it is in memory"), whole[range]);
        assert_eq!(segment.storage() == Storage::Plain, number == 0);
    }
    assert_eq!(at, whole.len() as u64);
    assert!(segments.len() > 10, "{}", segments.len());
    // The big file is alone in its segment and not divided.
    assert!(segments.iter().any(|segment| segment.len() > 100_000 && contents(segment).len() == 1));
    // Only the files that are already compressed, with their parent directories.
    assert_eq!(contents(&segments[0]).len(), 2);
    assert!(segments[0].len().is_multiple_of(512));
    let compressed: Vec<u8> =
        segments[1..].iter().flat_map(|segment| gzip(&read_all(segment).expect("it is in memory"))).collect();
    let first = read_all(&segments[0]).expect("it is in memory");
    let bytes = [first, compressed].concat();
    let report = check(&mut &*bytes, &KernelConfig::unknown()).expect("it is in memory");
    assert_eq!(report.findings, []);
    assert_eq!((report.members, report.entries), (segments.len() as u64, layout.summary().entries));
}

#[test]
fn lsinitramfs_lists_early_stored_and_compressed_files() {
    let mut tree = empty();
    file(&mut tree, "init", b"#!");
    file(&mut tree, "usr/lib/modules/a.ko.xz", &noise(900, 1));
    let ucode = (noise(5000, 7), noise(3000, 8));
    let early = EarlyCpio::microcode(vec![&ucode.0, &ucode.1], vec![&ucode.1]);
    let layout = plan(&tree, &early, &Options::segmented(4096)).expect("the tree fits");
    let segments: Vec<_> = layout.segments().collect();
    assert_eq!(segments.len(), 3);
    let mut bytes: Vec<u8> = Vec::new();
    for segment in &segments {
        let part = read_all(segment).expect("it is in memory");
        bytes.extend(if segment.storage() == Storage::Plain { part } else { gzip(&part) });
    }
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("initrd");
    std::fs::write(&path, &bytes).expect("it is new");
    let Some(output) = run(Command::new("lsinitramfs").arg(&path), b"") else { return };
    assert!(output.status.success(), "{output:?}");
    let listed = String::from_utf8(output.stdout).expect("the names are text");
    let listed: BTreeSet<&str> = listed.lines().collect();
    let mut expected =
        BTreeSet::from([".", "init", "usr", "usr/lib", "usr/lib/modules", "usr/lib/modules/a.ko.xz"]);
    expected.extend(["kernel", "kernel/x86", "kernel/x86/microcode"]);
    expected.extend(["kernel/x86/microcode/AuthenticAMD.bin", "kernel/x86/microcode/GenuineIntel.bin"]);
    assert_eq!(listed, expected);
}

#[test]
fn microcode_is_collected_and_aligned_to_16_bytes() {
    let mut tree = empty();
    for name in ["06-03-02", "06-03-03", "06-03-04.initramfs", "06-03-05.xz"] {
        file(&mut tree, &format!("usr/lib/firmware/intel-ucode/{name}"), name.as_bytes());
    }
    for name in ["README", "microcode_amd.bin", "microcode_amd_fam15h.bin"] {
        file(&mut tree, &format!("usr/lib/firmware/amd-ucode/{name}"), name.as_bytes());
    }
    let early = EarlyCpio::microcode_from_tree(&tree);
    let layout = plan(&tree, &early, &Options::plain()).expect("the tree fits");
    let first = layout.segments().next().expect("there is one");
    let found: Vec<_> =
        contents(&first).into_iter().map(|(at, content)| (at % 16, content.as_slice())).collect();
    assert_eq!(found.len(), 4);
    assert_eq!(found[0], (0, &b"microcode_amd.bin"[..]));
    assert_eq!(found[1].1, b"microcode_amd_fam15h.bin");
    assert_eq!(found[2], (0, &b"06-03-02"[..]));
    assert_eq!(found[3], (8, &b"06-03-03"[..]));
    assert!(first.storage() == Storage::Plain && first.len().is_multiple_of(512));
}

#[test]
fn unsupported_metadata_is_listed() {
    let mut tree = empty();
    let ping = file(&mut tree, "bin/ping", b"x");
    for name in ["security.capability", "security.selinux", "system.posix_acl_access", "user.a"] {
        xattr(&mut tree, ping, name);
    }
    tree.metadata_mut(ping).mtime = Timestamp::new(7, 5).expect("valid");
    let target = symlink(&mut tree, "one", b"bin/ping");
    link(&mut tree, "two", target);
    let layout = plan(&tree, &EarlyCpio::none(), &Options::plain()).expect("the tree fits");
    let lost: Vec<String> = layout.unsupported_metadata().iter().map(ToString::to_string).collect();
    assert_eq!(
        lost,
        [
            "/bin/ping: its capabilities are lost, since an initramfs cannot store it",
            "/bin/ping: its SELinux label is lost, since an initramfs cannot store it",
            "/bin/ping: its xattr system.posix_acl_access is lost, since an initramfs cannot store it",
            "/bin/ping: its xattr user.a is lost, since an initramfs cannot store it",
            "/bin/ping: 5 ns of its mtime are lost, since an initramfs cannot store it",
            "/one: the identity of its 2 names is lost, since an initramfs cannot store it",
        ]
    );
    assert!(matches!(layout.unsupported_metadata()[2].kind, MetadataKind::Acl(_)));
}

/// A content of any length that cannot be read.
#[derive(Debug)]
struct Long(u64);

impl Content for Long {
    fn len(&self) -> u64 {
        self.0
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        unreachable!("planning reads nothing")
    }
}

#[test]
fn files_are_shorter_than_4_gib() {
    let tree = |len| {
        let mut tree: Tree<Long> = Tree::new(Metadata::new(0o755));
        let inode = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(Long(len)) };
        tree.insert(InodeId::ROOT, Name::new("f").expect("a valid name"), inode).expect("it is new");
        tree
    };
    let limit = u64::from(u32::MAX);
    let fits = tree(limit);
    let layout = plan(&fits, &EarlyCpio::none(), &Options::segmented(1 << 20)).expect("it fits");
    assert_eq!(layout.segments().count(), 2);
    let error =
        plan(&tree(limit + 1), &EarlyCpio::none(), &Options::plain()).map(|_| ()).expect_err("it does not");
    assert!(matches!(
        error,
        Error::Unrepresentable { path, reason: Unrepresentable::FileTooLarge { .. } } if path == b"/f"
    ));
}

#[track_caller]
fn refused(tree: &Bytes, options: &Options) -> Error {
    plan(tree, &EarlyCpio::none(), options).map(|_| ()).expect_err("it does not fit")
}

#[test]
fn unrepresentable_files_are_errors() {
    let reason = |tree: &Bytes| match refused(tree, &Options::plain()) {
        Error::Unrepresentable { reason, .. } => reason,
        other => panic!("{other}"),
    };
    let mut tree = empty();
    let deep = vec!["d".repeat(255); 16].join("/");
    file(&mut tree, &deep[..4095], b"");
    plan(&tree, &EarlyCpio::none(), &Options::plain()).expect("the longest path");
    let mut tree = empty();
    file(&mut tree, &format!("{deep}/x")[..4097], b"");
    assert_eq!(reason(&tree), Unrepresentable::PathTooLong { len: 4097, limit: 4095 });
    let mut tree = empty();
    file(&mut tree, "usr/TRAILER!!!", b"");
    plan(&tree, &EarlyCpio::none(), &Options::plain()).expect("only the whole path is the end");
    file(&mut tree, "TRAILER!!!", b"");
    assert_eq!(reason(&tree), Unrepresentable::Trailer);
    for seconds in [-1, i64::from(u32::MAX) + 1] {
        let mut tree = empty();
        tree.metadata_mut(InodeId::ROOT).mtime = Timestamp::from_seconds(seconds);
        assert!(matches!(reason(&tree), Unrepresentable::Time { .. }));
    }
    let mut tree = empty();
    add(&mut tree, "d", Kind::BlockDevice(Device { major: 4096, minor: 0 }));
    assert!(matches!(reason(&tree), Unrepresentable::Device(_)));
}

#[test]
fn options_out_of_range_are_errors() {
    let mut tree = empty();
    file(&mut tree, "init", b"#!");
    for align in [0, 2, 12, 8192] {
        assert!(matches!(refused(&tree, &with!(Options::plain(), align: align)), Error::Alignment(_)));
    }
    assert!(matches!(refused(&tree, &Options::segmented(4095)), Error::SegmentLen(4095)));
    let options = with!(Options::plain(), checksums: Some(Checksums::default()));
    assert!(matches!(refused(&tree, &options), Error::NoChecksum { path } if path == b"/init"));
}

#[test]
fn every_file_or_no_file_may_be_precompressed() {
    let mut tree = empty();
    let init = file(&mut tree, "init", b"#!");
    let options = with!(Options::plain(), precompressed: Precompressed::Files([init].into()));
    assert_eq!(Precompressed::from_magic(&tree).expect("in memory"), Precompressed::Files(BTreeSet::new()));
    let zipped = file(&mut tree, "usr/share/zipped", &gzip(b"x"));
    assert_eq!(Precompressed::from_magic(&tree).expect("in memory"), Precompressed::Files([zipped].into()));
    let options = with!(options, precompressed: Precompressed::Files([init, zipped].into()));
    let layout = plan(&tree, &EarlyCpio::none(), &options).expect("it fits");
    let storages: Vec<_> = layout.segments().map(|segment| segment.storage()).collect();
    assert_eq!(storages, [Storage::Plain]);
    let nothing = empty();
    let layout = plan(&nothing, &EarlyCpio::none(), &options).expect("it fits");
    assert_eq!(layout.segments().map(|segment| segment.len()).collect::<Vec<_>>(), [112 + 124]);
}

#[test]
fn padding_aligns_archives_and_ends_lz4() {
    for (position, compression, len) in [
        (0, None, 0),
        (5, None, 3),
        (8, Some(Compression::Gzip), 0),
        (9, Some(Compression::Zstd), 3),
        (8, Some(Compression::Lz4), 4),
        (9, Some(Compression::Lz4), 7),
        (11, Some(Compression::Lz4), 5),
    ] {
        assert_eq!(archive_padding(position, compression), len, "{position} {compression:?}");
    }
}
