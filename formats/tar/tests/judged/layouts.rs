//! The bytes of archives, their segments, and what is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use tar_archive::image_runs::{Image, Run, Source, read_all, write_to};
use tar_archive::image_tree::{Content, Device, Inode, InodeId, Kind, Metadata, Name, Tree};
use tar_archive::{Error, Options, Unrepresentable, plan};

use crate::fixtures::{File, Files, add, every_kind, file, link, noise, sparse, xattr};

fn bytes(image: &dyn Image<File>) -> Vec<u8> {
    read_all(image).expect("it is in memory")
}

#[test]
fn a_plain_file_takes_one_header() {
    let mut tree = Files::new(Metadata::new(0o755));
    let id = file(&mut tree, b"f", b"data");
    *tree.metadata_mut(id) = Metadata { uid: 0o12, gid: 0o34, ..Metadata::new(0o4750) };
    let archive = bytes(&plan(&tree, &Options::archive()).expect("it fits"));
    let mut expected = vec![0; 4 * 512];
    expected[0] = b'f';
    expected[100..148].copy_from_slice(b"0004750\x000000012\x000000034\x0000000000004\x0000000000000\x00");
    expected[156] = b'0';
    expected[257..265].copy_from_slice(b"ustar\x0000");
    expected[329..345].copy_from_slice(b"0000000\x000000000\x00");
    let sum: u32 = expected[..512].iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    expected[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    expected[512..516].copy_from_slice(b"data");
    assert_eq!(archive, expected);
}

#[test]
fn an_empty_tree_is_an_empty_archive() {
    let tree = Files::new(Metadata::new(0o755));
    let layout = plan(&tree, &Options::archive()).expect("it fits");
    assert_eq!((bytes(&layout), layout.summary().entries), (vec![0; 1024], 0));
}

#[test]
fn segments_are_consecutive_parts_that_end_at_fixed_places() {
    let mut tree = every_kind();
    let big = file(&mut tree, b"big-xattrs", &noise(10_000, 3));
    for number in 0..17 {
        xattr(&mut tree, big, &format!("user.{number}"), &noise(65_000, number));
    }
    let layout = plan(&tree, &Options::archive()).expect("it fits");
    let whole = bytes(&layout);
    for segment_len in [10_000, 65_536, 1 << 20, u64::MAX] {
        let segments: Vec<_> = layout.segments(segment_len).collect();
        let parts: Vec<Vec<u8>> = segments.iter().map(|segment| bytes(segment)).collect();
        assert!(parts.concat() == whole, "{segment_len}");
        for (segment, part) in segments.iter().zip(&parts) {
            assert_eq!(segment.len(), part.len() as u64);
            let end = segment.range().end;
            let is_exact = end.is_multiple_of(segment_len) || end == layout.len();
            assert!(is_exact || end.is_multiple_of(512), "{segment_len}: a segment ends at {end}");
        }
        let count = segments.len() as u64;
        assert!(count <= layout.len() / segment_len.max(512) + 1, "{count} segments of {segment_len}");
        let mut written = Vec::new();
        for segment in &segments {
            write_to(segment, &mut written).expect("memory");
        }
        assert!(written == whole);
    }
}

#[test]
fn records_are_there_only_if_a_header_cannot_hold_the_value() {
    let count = |tree: &Files, record: &[u8]| {
        let archive = bytes(&plan(tree, &Options::archive()).expect("it fits"));
        archive.windows(record.len()).filter(|bytes| *bytes == record).count()
    };
    let with = |change: &dyn Fn(&mut Files)| {
        let mut tree = Files::new(Metadata::new(0o755));
        change(&mut tree);
        tree
    };
    let named = |name: &[u8]| with(&|tree| _ = file(tree, name, b""));
    assert_eq!(count(&named(&[b'n'; 100]), b" path="), 0);
    assert_eq!(count(&named(&[b'n'; 101]), b" path="), 1);
    assert_eq!(count(&named(&[b'n'; 101]), b" hdrcharset="), 0);
    assert_eq!(count(&named(&[b'\xff'; 101]), b" hdrcharset=BINARY\n"), 1);
    assert_eq!(count(&named(&[b'\xff'; 100]), b" hdrcharset="), 0);
    let owned = |uid, gid| {
        with(&|tree| {
            let id = file(tree, b"f", b"");
            *tree.metadata_mut(id) = Metadata { uid, gid, ..Metadata::new(0o644) };
        })
    };
    assert_eq!(count(&owned(0o7_777_777, 0o7_777_777), b"id="), 0);
    assert_eq!(count(&owned(0o10_000_000, 0), b" uid=2097152\n"), 1);
    assert_eq!(count(&owned(0, 0o10_000_000), b" gid=2097152\n"), 1);
    let device =
        |major, minor| with(&|tree| _ = add(tree, b"f", Kind::CharacterDevice(Device { major, minor })));
    assert_eq!(count(&device(0o7_777_777, 0o7_777_777), b" SCHILY.dev"), 0);
    assert_eq!(count(&device(0o10_000_000, 5), b" SCHILY.devmajor=2097152\n"), 1);
    assert_eq!(count(&device(5, 0o10_000_000), b" SCHILY.devminor=2097152\n"), 1);
    // Further names of a file have no records of their own.
    let linked = with(&|tree| {
        let id = file(tree, b"f", b"");
        xattr(tree, id, "user.k", b"v");
        link(tree, "g", id);
    });
    assert_eq!(count(&linked, b" SCHILY.xattr.user.k=v\n"), 1);
}

#[test]
fn an_upper_layer_states_its_root_directory_and_takes_only_empty_whiteouts() {
    let tree = Files::new(Metadata::new(0o755));
    let len = |options: &Options| plan(&tree, options).expect("it fits").len();
    assert_eq!(len(&Options::upper_layer()), len(&Options::layer()) + 512);
    let named = |data: &[u8]| {
        let mut tree = Files::new(Metadata::new(0o755));
        file(&mut tree, b".wh.x", data);
        tree
    };
    plan(&named(b""), &Options::upper_layer()).expect("a whiteout");
    for (data, options) in [(&b"x"[..], Options::upper_layer()), (b"", Options::layer())] {
        let error = plan(&named(data), &options).expect_err("it is not a whiteout");
        assert!(
            matches!(error, Error::Unrepresentable { reason: Unrepresentable::WhiteoutName, .. }),
            "{error}"
        );
    }
}

/// A file of any length whose bytes need not be in memory.
#[derive(Debug)]
struct Huge(u64);

impl Content for Huge {
    fn len(&self) -> u64 {
        self.0
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
        unreachable!("planning reads nothing")
    }
}

fn huge(lengths: &[u64]) -> Tree<Huge> {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (number, len) in lengths.iter().enumerate() {
        let inode = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(Huge(*len)) };
        tree.insert(InodeId::ROOT, Name::new(number.to_string()).expect("a name"), inode).expect("new");
    }
    tree
}

#[test]
fn lengths_from_8_gib_on_are_records() {
    for (len, head) in [((1 << 33) - 1, 512), (1 << 33, 3 * 512)] {
        let tree = huge(&[len]);
        let layout = plan(&tree, &Options::archive()).expect("it fits");
        assert_eq!(layout.len(), head + len.next_multiple_of(512) + 1024);
        let first = layout.runs().next().expect("a head");
        let Run { source: Source::Rendered { by, key }, len } = first else { panic!("{first:?}") };
        let mut bytes = vec![0; usize::try_from(len).expect("small")];
        by.render(key, &mut bytes);
        let has_record = bytes
            .windows(20)
            .any(|bytes| bytes == b"\n19 size=8589934592\n" || bytes == b"19 size=8589934592\n\0");
        assert_eq!(has_record, head > 512);
    }
}

#[test]
fn lengths_beyond_64_bits_are_refused() {
    let max = i64::MAX.unsigned_abs();
    let tree = huge(&[max + 1]);
    let error = plan(&tree, &Options::archive()).expect_err("it is too long");
    assert!(matches!(error, Error::Unrepresentable { reason: Unrepresentable::FileTooLarge { .. }, .. }));
    let tree = huge(&[max, max, max]);
    assert!(matches!(plan(&tree, &Options::archive()), Err(Error::TooLong)));
}

#[test]
fn what_a_format_cannot_hold_is_refused_by_path() {
    let refused = |tree: &Files, options: &Options| match plan(tree, options) {
        Err(Error::Unrepresentable { path, reason }) => (path, reason),
        other => panic!("{other:?}"),
    };
    let mut tree = Files::new(Metadata::new(0o755));
    add(&mut tree, b"d/socket", Kind::Socket);
    assert_eq!(refused(&tree, &Options::archive()), (b"/d/socket".to_vec(), Unrepresentable::Socket));

    let mut tree = Files::new(Metadata::new(0o755));
    file(&mut tree, b"d/.wh.x", b"");
    plan(&tree, &Options::archive()).expect("an archive holds any name");
    assert_eq!(refused(&tree, &Options::layer()), (b"/d/.wh.x".to_vec(), Unrepresentable::WhiteoutName));

    let mut tree = Files::new(Metadata::new(0o755));
    add(&mut tree, b"n", Kind::CharacterDevice(Device { major: 0, minor: 0 }));
    plan(&tree, &Options::archive()).expect("an archive holds any device");
    assert_eq!(refused(&tree, &Options::layer()), (b"/n".to_vec(), Unrepresentable::WhiteoutDevice));

    let mut tree = Files::new(Metadata::new(0o755));
    let id = file(&mut tree, b"f", b"");
    xattr(&mut tree, id, "user.empty", b"");
    plan(&tree, &Options::archive()).expect("an archive holds empty xattrs");
    let (path, reason) = refused(&tree, &Options::layer());
    assert_eq!((path, matches!(reason, Unrepresentable::EmptyXattr(_))), (b"/f".to_vec(), true));
}

#[test]
fn only_archives_have_maps_of_holes() {
    let mut tree = Files::new(Metadata::new(0o755));
    sparse(&mut tree, b"s", 1 << 20, &[(0, 4096)]);
    let archive = plan(&tree, &Options::archive()).expect("it fits");
    assert_eq!(archive.summary().data_bytes, 4096);
    let layer = plan(&tree, &Options::layer()).expect("it fits");
    assert_eq!((layer.summary().data_bytes, layer.len()), (1 << 20, 512 + (1 << 20) + 1024));
}

/// Returns a configuration with 100 cases, the same in each run, so that builds do not fail
/// randomly.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 100,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn segments_cover_any_archive(
        lengths in vec((select(vec![0, 1, 511, 512, 513, 5000, 70_000]), 1..120_usize), 0..12),
        segment_len in select(vec![512_u64, 700, 1024, 5000, 65_536]),
    ) {
        let mut tree = Files::new(Metadata::new(0o700));
        for (number, (len, name)) in lengths.iter().enumerate() {
            let path = format!("{number}{}", "n".repeat(*name));
            file(&mut tree, path.as_bytes(), &noise(*len, number as u64));
        }
        let layout = plan(&tree, &Options::archive()).expect("it fits");
        let parts: Vec<u8> = layout.segments(segment_len).flat_map(|segment| bytes(&segment)).collect();
        prop_assert!(parts == bytes(&layout));
    }
}
