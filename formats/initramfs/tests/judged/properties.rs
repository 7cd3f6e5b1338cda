//! Property tests with arbitrary trees and options: another reader finds the same tree, and the
//! kernel's rules are met.

use std::collections::BTreeMap;
use std::io::Cursor;

use cpio_archive::{CpioReader as _, newc::NewcReader};
use image_runs::read_all;
use image_tree::{Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp};
use initramfs::check::{Rule, check};
use initramfs::{Checksums, EarlyCpio, KernelConfig, Options, Precompressed, Storage, plan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;

use crate::compress::{gzip, zstd};
use crate::fixtures::{Bytes, noise};

#[derive(Clone, Debug)]
enum What {
    Directory,
    File(usize),
    Symlink(usize),
    Device(bool, Device),
    Fifo,
    Socket,
    Link(Index),
}

fn what() -> impl Strategy<Value = What> {
    let device = (select(vec![0, 1, 255, 4095]), select(vec![0, 256, 0xf_ffff]));
    prop_oneof![
        4 => Just(What::Directory),
        // Lengths around the padding, the minimum of aligned files, and a segment.
        5 => select(vec![0, 1, 2, 3, 4, 5, 4095, 16_383, 16_384, 16_385, 40_000]).prop_map(What::File),
        2 => select(vec![1, 2, 3, 4, 4095]).prop_map(What::Symlink),
        1 => (any::<bool>(), device)
            .prop_map(|(block, (major, minor))| What::Device(block, Device { major, minor })),
        1 => Just(What::Fifo),
        1 => Just(What::Socket),
        3 => any::<Index>().prop_map(What::Link),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z]{1,9}",
        1 => Just("n".repeat(255)),
        2 => "[a-z]{1,4}\\.ko\\.xz",
        // Names similar to special ones.
        1 => Just("TRAILER!!!.".to_owned()),
    ]
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let owner = || select(vec![0, 1000, 65_536, u32::MAX]);
    let time = select(vec![0, 1, 1_700_000_000, i64::from(u32::MAX)]);
    (0..=0o7777u16, owner(), owner(), time).prop_map(|(mode, uid, gid, time)| Metadata {
        uid,
        gid,
        mtime: Timestamp::from_seconds(time),
        ..Metadata::new(mode)
    })
}

fn trees() -> impl Strategy<Value = Bytes> {
    let addition = (any::<Index>(), name(), what(), metadata());
    (metadata(), vec(addition, 0..40)).prop_map(|(root, additions)| {
        let mut tree = Bytes::new(root);
        let mut directories = vec![InodeId::ROOT];
        let mut files: Vec<InodeId> = Vec::new();
        for (seed, (parent, name, what, metadata)) in (1..).zip(additions) {
            let parent = *parent.get(&directories);
            let name = Name::new(name).expect("a valid name");
            if tree.lookup(parent, name.as_bytes()).is_some() {
                continue;
            }
            let kind = match what {
                What::Directory => Inode::directory(metadata.clone()).kind,
                What::File(len) => Kind::Regular(noise(len, seed)),
                What::Symlink(len) => {
                    Kind::Symlink(LinkTarget::new(vec![b't'; len]).expect("a valid target"))
                }
                What::Device(true, device) => Kind::BlockDevice(device),
                What::Device(false, device) => Kind::CharacterDevice(device),
                What::Fifo => Kind::Fifo,
                What::Socket => Kind::Socket,
                What::Link(_) if files.is_empty() => continue,
                What::Link(which) => {
                    tree.link(parent, name, *which.get(&files)).expect("the name is free");
                    continue;
                }
            };
            let directory = matches!(kind, Kind::Directory(_));
            let id = tree.insert(parent, name, Inode { metadata, kind }).expect("the name is free");
            if directory { directories.push(id) } else { files.push(id) }
        }
        tree
    })
}

fn options() -> impl Strategy<Value = Options> {
    let segment_len = prop_oneof![Just(None), select(vec![4096, 5000, 65_536]).prop_map(Some)];
    let precompressed = select(vec![Precompressed::None, Precompressed::ByName]);
    let align = select(vec![4, 8, 512, 4096]);
    (segment_len, precompressed, align).prop_map(|(segment_len, precompressed, align)| {
        with!(Options::plain(), segment_len: segment_len, precompressed: precompressed, align: align)
    })
}

/// Path, mode, owners, links and time, and data: the reader does not support device numbers.
type Entry = (String, [u32; 5], Vec<u8>);

fn expected(tree: &Bytes) -> BTreeMap<String, (InodeId, Entry)> {
    let counts = tree.name_counts();
    let mut entries = BTreeMap::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let mut path = Vec::new();
        walk.write_path(&mut path);
        let path =
            if path == b"/" { ".".into() } else { String::from_utf8(path[1..].to_vec()).expect("text") };
        let inode = tree.get(step.id);
        let links = match &inode.kind {
            Kind::Directory(children) => {
                let inner = children.values().filter(|id| tree.entries(**id).is_some()).count();
                2 + inner as u64
            }
            _ => counts[step.id.index()],
        };
        let data = match &inode.kind {
            Kind::Regular(bytes) => bytes.clone(),
            Kind::Symlink(target) => target.as_bytes().to_vec(),
            _ => Vec::new(),
        };
        let metadata = &inode.metadata;
        let fields = [
            u32::from(inode.kind.type_bits() | metadata.mode),
            metadata.uid,
            metadata.gid,
            u32::try_from(links).expect("few"),
            u32::try_from(metadata.mtime.seconds()).expect("in range"),
        ];
        entries.insert(path.clone(), (step.id, (path, fields, data)));
    }
    entries
}

/// Returns the inode numbers and entries that the crate `cpio-archive` reads from an archive.
fn read(archive: &[u8]) -> Vec<(u32, Entry)> {
    let mut reader = NewcReader::new(Cursor::new(archive.to_vec()));
    let mut entries = Vec::new();
    while let Some(header) = reader.read_next().expect("the archive is whole") {
        let mut data = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut data).expect("the data is there");
        let name = header.name().trim_end_matches('\0').to_owned();
        let fields = [header.mode(), header.uid(), header.gid(), header.nlink(), header.mtime()];
        entries.push((header.inode(), (name, fields, data)));
    }
    entries
}

fn compare(tree: &Bytes, found: &[(u32, Entry)]) {
    let expected = expected(tree);
    assert_eq!(found.len(), expected.len());
    let mut numbers: BTreeMap<u32, InodeId> = BTreeMap::new();
    let mut data: BTreeMap<InodeId, usize> = BTreeMap::new();
    for (number, (name, fields, bytes)) in found {
        let (id, (_, expected_fields, expected_bytes)) = &expected[name];
        assert_eq!(fields, expected_fields, "{name}");
        assert_eq!(*numbers.entry(*number).or_insert(*id), *id, "{name}");
        if bytes == expected_bytes && !bytes.is_empty() {
            *data.entry(*id).or_default() += 1;
        } else {
            assert!(bytes.is_empty(), "{name}: other bytes");
        }
    }
    let inodes = tree.walk().filter(|step| step.first).count();
    assert_eq!(numbers.len(), inodes);
    assert_eq!(numbers.keys().next_back().copied(), u32::try_from(inodes).ok(), "numbers are dense");
    for (id, (name, _, bytes)) in expected.values() {
        let times = data.get(id).copied().unwrap_or(0);
        let symlink = matches!(tree.get(*id).kind, Kind::Symlink(_));
        assert!(symlink || times == usize::from(!bytes.is_empty()), "{name}: data {times} times");
    }
}

/// Returns a configuration with 100 cases, the same in each run, so that builds do not fail
/// randomly. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` override the values here.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 100,
        rng_seed: RngSeed::Fixed(0),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn another_reader_finds_the_tree(tree in trees()) {
        // cpio-archive does not accept names padded with NUL.
        let layout = plan(&tree, &EarlyCpio::none(), &Options::plain()).expect("the tree fits");
        compare(&tree, &read(&read_all(&layout).expect("it is in memory")));
    }

    #[test]
    fn planned_archives_pass_the_check(tree in trees(), mut options in options(), sums in any::<bool>()) {
        if sums {
            options.checksums = Some(Checksums::read(&tree).expect("it is in memory"));
        }
        let layout = plan(&tree, &EarlyCpio::none(), &options).expect("the tree fits");
        let mut bytes = Vec::new();
        for (number, segment) in layout.segments().enumerate() {
            let part = read_all(&segment).expect("it is in memory");
            match segment.storage() {
                Storage::Plain => bytes.extend(part),
                Storage::Compressed if number % 2 == 0 => bytes.extend(gzip(&part)),
                Storage::Compressed => bytes.extend(zstd(&part)),
                storage => panic!("{storage:?} is not checked"),
            }
        }
        let report = check(&mut &*bytes, &KernelConfig::unknown()).expect("it is in memory");
        prop_assert!(report.findings.iter().all(|finding| finding.rule == Rule::Init), "{:?}", report.findings);
        prop_assert_eq!(report.entries, layout.summary().entries);
        let whole = read_all(&layout).expect("it is in memory");
        let report = check(&mut &*whole, &KernelConfig::unknown()).expect("it is in memory");
        prop_assert!(report.is_accepted(), "{:?}", report.findings);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic_the_check(tree in trees(), at in any::<Index>(), byte in any::<u8>(), which in 0..3) {
        let layout = plan(&tree, &EarlyCpio::none(), &Options::plain()).expect("the tree fits");
        let whole = read_all(&layout).expect("it is in memory");
        let mut bytes = match which {
            0 => whole,
            1 => gzip(&whole),
            _ => zstd(&whole),
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        check(&mut &*bytes, &KernelConfig::unknown()).expect("the reader does not fail");
        check(&mut &bytes[..at], &KernelConfig::unknown()).expect("the reader does not fail");
    }
}
