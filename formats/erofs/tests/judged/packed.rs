//! Compressed filesystems.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use image_runs::write_sparse;
use image_tree::{Content, Inode, InodeId, Kind, Metadata, Name, Tree};
use mkfs_erofs::{
    Algorithm, BlockSize, ClusterSize, Codec, Inline, Need, Options, PackOptions, PackedUnit, Packing,
    Summary, plan_packed,
};
use proptest::prelude::*;
use proptest::sample::select;
use sha256_lanes::BlockHasher;
use tempfile::TempDir;
use uuid::Uuid;

use crate::judge::{duplicates, fsck, run};
use crate::kernel;
use crate::pattern::Pattern;

/// The bytes of a file, or those that were stored for some.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// A pattern, which is hardly compressible.
    Pattern(Pattern),
    Bytes(Vec<u8>),
}

impl Content for Held {
    fn len(&self) -> u64 {
        match self {
            Self::Pattern(pattern) => pattern.len,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Pattern(pattern) => pattern.read_at(buffer, offset),
            Self::Bytes(bytes) => bytes.read_at(buffer, offset),
        }
    }

    fn data_ranges(&self) -> Option<&[Range<u64>]> {
        match self {
            Self::Pattern(pattern) => pattern.data_ranges(),
            Self::Bytes(_) => None,
        }
    }
}

/// Bytes with repetitions, different for each seed.
pub(crate) fn text(len: u64, seed: u64) -> Vec<u8> {
    let len = usize::try_from(len).expect("it fits in memory");
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut bytes: Vec<u8> = Vec::with_capacity(len);
    while bytes.len() < len {
        let (run, back) = (next(60) + 1, usize::try_from(next(9000)).expect("small") + 1);
        for _ in 0..run {
            let byte = match bytes.len().checked_sub(back) {
                Some(at) if run > 8 => bytes[at],
                _ => u8::try_from(next(96)).expect("small"),
            };
            bytes.push(byte);
        }
    }
    bytes.truncate(len);
    bytes
}

/// Options of compression of every kind.
pub(crate) fn pack_options() -> impl Strategy<Value = PackOptions> {
    let codec =
        select(vec!["lz4", "lz4hc:1", "lz4hc:9", "lz4hc:12", "deflate:1", "deflate:9", "zstd:1", "zstd:9"]);
    let clusters = select(vec![4096, 8192, 16_384, 65_536, 131_072, 1 << 20]);
    (codec, clusters, any::<bool>(), any::<bool>())
        .prop_map(|(codec, clusters, dedupe, fragments)| options_of(codec, clusters, dedupe, fragments))
}

fn options_of(codec: &str, clusters: u64, dedupe: bool, fragments: bool) -> PackOptions {
    let codec: Codec = codec.parse().expect("a codec");
    let clusters = ClusterSize::new(clusters).expect("a power of two");
    with!(PackOptions::new(codec), clusters: clusters, dedupe: dedupe, fragments: fragments)
}

/// Plans, writes and judges a compressed filesystem of a tree, most of whose files are made
/// compressible.
pub(crate) fn judge(tree: Tree<Pattern>, options: &Options, shares: bool, pack: &PackOptions) {
    let shared = if shares { duplicates(&tree) } else { BTreeMap::new() };
    let options = with!(options.clone(), block_size: BlockSize::B4096, xattr_prefixes: Vec::new());
    let tree: Result<Tree<Held>, ()> = tree.try_map_content(|pattern| {
        Ok(match pattern {
            Pattern { data: None, seed, len } if seed % 4 > 0 && len < 1 << 20 => {
                Held::Bytes(text(len, seed))
            }
            pattern => Held::Pattern(pattern),
        })
    });
    let dir = TempDir::new().expect("a temporary directory");
    write_and_judge(&tree.expect("nothing fails"), &options, &shared, pack, &dir.path().join("image"));
}

fn write_and_judge(
    tree: &Tree<Held>,
    options: &Options,
    shared: &BTreeMap<InodeId, InodeId>,
    pack: &PackOptions,
    image: &Path,
) -> Summary {
    let pack = with!(pack.clone(), inline: options.inline == Inline::Tails);
    let mut packing = Packing::new(tree, pack.clone(), |id| shared.contains_key(&id));
    let hasher = BlockHasher::new(b"", b"");
    let digest = |range: mkfs_erofs::Range| {
        let mut bytes = vec![0; usize::try_from(range.len).expect("short")];
        if let Kind::Regular(content) = &tree.get(range.inode).kind {
            content.read_at(&mut bytes, range.offset).expect("patterns never fail");
        }
        hasher.hash_one(&bytes)
    };
    let digests: Vec<_> = packing.tails_to_compare().into_iter().map(digest).collect();
    packing.note_digests(&digests);
    let units = packing.units();
    let mut buffer = Vec::new();
    let results = units.iter().map(|unit| {
        unit.read(tree, &mut buffer).expect("patterns never fail");
        let (extents, bytes) = pack.compress(unit, &buffer).expect("there is memory").split();
        PackedUnit { extents, stored: (!bytes.is_empty()).then_some(Held::Bytes(bytes)) }
    });
    let results = results.collect();
    let packed = packing.assemble(&units, results);
    let layout = plan_packed(tree, options, shared, packed).expect("the tree fits EROFS");
    write_sparse(&layout, &File::create(image).expect("the image is new")).expect("the image is written");
    let summary = layout.summary();
    // The checker of Debian 12 knows what Linux 6.0 knows.
    if pack.codec.algorithm() == Algorithm::Lz4 && !summary.needs.contains(&Need::Fragments) {
        if summary.needs.contains(&Need::SharedClusters) {
            return read_back(tree, image, summary);
        }
        fsck(image);
        let output = run(Command::new("fsck.erofs").arg("--extract").arg(image));
        assert!(output.is_none_or(|output| output.status.success()), "fsck.erofs --extract");
    }
    read_back(tree, image, summary)
}

fn read_back(tree: &Tree<Held>, image: &Path, summary: Summary) -> Summary {
    kernel::reads_back(tree, image);
    summary
}

fn add(tree: &mut Tree<Held>, name: &str, bytes: Vec<u8>) -> InodeId {
    let inode = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(Held::Bytes(bytes)) };
    tree.insert(InodeId::ROOT, Name::new(name).expect("a valid name"), inode).expect("the name is new")
}

fn noise(len: usize) -> Vec<u8> {
    let hasher = BlockHasher::new(b"", b"");
    (0u32..).flat_map(|index| hasher.hash_one(&index.to_le_bytes())).take(len).collect()
}

fn all(tree: &Tree<Held>, check: impl Fn(&PackOptions, Summary)) {
    let dir = TempDir::new().expect("a temporary directory");
    for codec in ["lz4", "lz4hc", "deflate", "zstd"] {
        for (clusters, dedupe, fragments) in [
            (4096, false, false),
            (8192, false, true),
            (131_072, false, false),
            (131_072, true, true),
            (1 << 20, true, false),
        ] {
            let pack = options_of(codec, clusters, dedupe, fragments);
            let options = Options::new(Uuid::from_u128(1));
            let image = dir.path().join("image");
            check(&pack, write_and_judge(tree, &options, &BTreeMap::new(), &pack, &image));
        }
    }
}

#[test]
fn files_at_each_boundary_are_read_back() {
    let mut tree = Tree::new(Metadata::new(0o755));
    for len in [1, 64, 65, 4095, 4096, 4097, 8191, 8192, 8193, 131_071, 131_072, 131_073, 262_144] {
        add(&mut tree, &format!("text {len}"), text(len, len));
        add(&mut tree, &format!("noise {len}"), noise(usize::try_from(len).expect("short")));
    }
    // Of zeros, a block of lz4 decodes to a MiB.
    add(&mut tree, "zeros", vec![0; 5_000_001]);
    // Its index takes more than a block in each form.
    add(&mut tree, "long", [text(9_000_000, 3), noise(50_001), text(100_000, 4)].concat());
    // Equal pieces that begin elsewhere.
    add(&mut tree, "shifted", [noise(777), text(3_000_000, 3)].concat());
    all(&tree, |pack, summary| {
        assert!(summary.compressed_files > 8, "{pack:?}: {summary:?}");
        assert_eq!(summary.needs.contains(&Need::SharedClusters), pack.dedupe);
        assert_eq!(summary.needs.contains(&Need::Fragments), pack.fragments);
        // Of two blocks, one is left.
        let is_long = pack.clusters.bytes() > 8192 || pack.dedupe;
        assert_eq!(summary.needs.contains(&Need::BigClusters), is_long, "{pack:?}");
    });
}

#[test]
fn what_is_not_shorter_is_stored_as_it_is() {
    let mut tree = Tree::new(Metadata::new(0o755));
    add(&mut tree, "noise", noise(1_000_000));
    add(&mut tree, "tiny", text(50, 1));
    all(&tree, |pack, summary| {
        if !pack.fragments {
            assert_eq!(
                (summary.compressed_files, summary.oldest_kernel().to_string()),
                (0, "5.4".to_owned())
            );
        }
    });
}

/// A filesystem with one file, of which the second half has the pieces of the first, and the offset
/// of its inode.
fn one_file(dir: &TempDir, pack: &PackOptions) -> (Tree<Held>, PathBuf, usize) {
    let mut tree = Tree::new(Metadata::new(0o755));
    let half = text(200_000, 1);
    add(&mut tree, "f", [&half[..], &noise(777), &half].concat());
    let image = dir.path().join("image");
    let options = with!(Options::new(Uuid::from_u128(1)), inline: Inline::None);
    write_and_judge(&tree, &options, &BTreeMap::new(), pack, &image);
    let bytes = fs::read(&image).expect("it was written");
    // The root is the first inode, with the only other one behind it or its names.
    let size = 400_777u32.to_le_bytes();
    let at = (1152..4096).step_by(32).find(|at| bytes[at + 8..at + 12] == size).expect("an inode");
    (tree, image, at)
}

#[test]
fn a_changed_byte_is_noticed() {
    for codec in ["lz4hc", "deflate", "zstd"] {
        let dir = TempDir::new().expect("a temporary directory");
        let (tree, image, inode) = one_file(&dir, &options_of(codec, 131_072, false, false));
        let good = fs::read(&image).expect("it was written");
        let map = inode + 32;
        assert_eq!(good[inode], 3 << 1, "{codec}: the form of compact indexes");
        let large = map + 8 + (32 - (map + 8) % 32) / 4 % 8 * 4;
        // The format and length of the inode; flags, algorithm and cluster bits of the header; the
        // offset, type, number of blocks and block of the first pack; the block of the second large
        // pack, in which the second extent begins; and stored bytes. Of distances, the kernel reads
        // that at which a read begins.
        let of_inode = [inode, inode + 8, map + 4, map + 6, map + 7];
        let of_packs = [map + 8, map + 9, map + 10, map + 12, large + 32 + 28, good.len() - 2000];
        for at in of_inode.into_iter().chain(of_packs) {
            assert_noticed(&tree, &image, &good, at, codec);
        }
    }
}

#[test]
fn a_changed_byte_in_full_indexes_is_noticed() {
    let dir = TempDir::new().expect("a temporary directory");
    let (tree, image, inode) = one_file(&dir, &options_of("lz4hc", 131_072, true, false));
    let good = fs::read(&image).expect("it was written");
    assert_eq!(good[inode], 1 << 1, "the form of full indexes");
    let first = inode + 32 + 16;
    // The type, offset and block of the first extent, and its number of blocks.
    for at in [first, first + 2, first + 4, first + 8 + 4] {
        assert_noticed(&tree, &image, &good, at, "lz4hc");
    }
}

/// Asserts that the kernel finds a fault in an image after a change of a byte.
fn assert_noticed(tree: &Tree<Held>, image: &Path, good: &[u8], at: usize, codec: &str) {
    if !kernel::judges() {
        return;
    }
    let mut bad = good.to_vec();
    bad[at] ^= 0x11;
    // The checksum covers metadata in the first block: it is not what is to notice this.
    bad[1024 + 8] &= !1;
    fs::write(image, &bad).expect("it can be written");
    kernel::read_back(tree, image).expect_err(&format!("{codec}: byte {at} was changed"));
}
