use std::collections::BTreeSet;

use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};

use super::compress::BLOCK;
use super::packed::PackedExtent;
use super::*;

/// Bytes with repetitions, different for each seed.
fn text(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    };
    let mut bytes: Vec<u8> = Vec::new();
    while bytes.len() < len {
        let (run, back) = (next() % 60 + 1, next() % 9000 + 1);
        for _ in 0..run {
            let byte = match bytes.len().checked_sub(back) {
                Some(at) if run > 8 => bytes[at],
                _ => u8::try_from(next() % 96).unwrap(),
            };
            bytes.push(byte);
        }
    }
    bytes.truncate(len);
    bytes
}

/// Bytes that no codec makes shorter.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let hasher = sha256_lanes::BlockHasher::new(&seed.to_le_bytes(), b"");
    (0u32..).flat_map(|index| hasher.hash_one(&index.to_le_bytes())).take(len).collect()
}

/// Returns files at the edges of blocks, pieces and units.
fn files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (seed, len) in (1..).zip([
        0, 1, 64, 65, 2000, 4095, 4096, 4097, 8191, 8192, 8193, 40_000, 131_071, 131_072, 131_073, 270_000,
        1_100_000,
    ]) {
        files.push(text(len, seed));
        files.push(noise(len.min(300_000), seed));
    }
    files.push(vec![0; 3_000_000]);
    files.push([noise(100_001, 50), text(100_000, 51), noise(70_003, 52), vec![0; 50_000]].concat());
    // Again what is in the last one, and in another; somewhere else, with --dedupe.
    files.push([text(777, 60), noise(100_001, 50), text(100_000, 51)].concat());
    files.push(text(2000, 5));
    files
}

fn tree(files: &[Vec<u8>]) -> Tree<Vec<u8>> {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (index, bytes) in files.iter().enumerate() {
        let kind = Kind::Regular(bytes.clone());
        let name = Name::new(format!("{index:03}")).unwrap();
        tree.insert(InodeId::ROOT, name, Inode { metadata: Metadata::new(0o644), kind }).unwrap();
    }
    tree
}

fn content(tree: &Tree<Vec<u8>>, range: Range) -> &[u8] {
    let Kind::Regular(bytes) = &tree.get(range.inode).kind else { panic!("a range of a file") };
    &bytes[usize::try_from(range.offset).unwrap()..][..usize::try_from(range.len).unwrap()]
}

/// Packs a tree; the units are compressed in the given order.
fn pack(tree: &Tree<Vec<u8>>, options: &PackOptions, backwards: bool) -> Packed<Vec<u8>> {
    let mut packing = Packing::new(tree, options.clone(), |_| false);
    let hasher = sha256_lanes::BlockHasher::new(b"", b"");
    let digests: Vec<_> =
        packing.tails_to_compare().into_iter().map(|range| hasher.hash_one(content(tree, range))).collect();
    packing.note_digests(&digests);
    let units = packing.units();
    let mut order: Vec<usize> = (0..units.len()).collect();
    if backwards {
        order.reverse();
    }
    let mut results = vec![None; units.len()];
    let mut buffer = Vec::new();
    for index in order {
        units[index].read(tree, &mut buffer).unwrap();
        let compressed = options.compress(&units[index], &buffer).unwrap();
        assert_eq!(Compressed::from_bytes(&compressed.to_bytes()), Some(compressed.clone()));
        let (extents, bytes) = compressed.split();
        results[index] = Some(PackedUnit { extents, stored: (!bytes.is_empty()).then_some(bytes) });
    }
    packing.assemble(&units, results.into_iter().map(Option::unwrap).collect())
}

fn decode(codec: Codec, packed: &[u8], len: usize) -> Vec<u8> {
    match codec.algorithm() {
        Algorithm::Lz4 => ::lz4::block::decompress(packed, Some(i32::try_from(len).unwrap())).unwrap(),
        Algorithm::Deflate => {
            let mut out = vec![0; len];
            libdeflater::Decompressor::new().deflate_decompress(packed, &mut out).unwrap();
            out
        }
        Algorithm::Zstd => ::zstd::bulk::decompress(packed, len).unwrap(),
    }
}

/// Returns the bytes of some extents, and checks what the kernel expects of them.
fn decoded(
    tree: &Tree<Vec<u8>>,
    packed: &Packed<Vec<u8>>,
    codec: Codec,
    extents: &[PackedExtent],
    inline: bool,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut begun = BTreeSet::new();
    for (index, extent) in extents.iter().enumerate() {
        let len = usize::try_from(extent.len).unwrap();
        let blocks = if extent.plain { len.div_ceil(4096) } else { 1 };
        for block in 0..blocks {
            assert!(begun.insert((bytes.len() + block * 4096) / 4096), "two extents begin in one block");
        }
        let cluster = packed.clusters[extent.cluster as usize];
        assert_eq!(cluster.plain, extent.plain);
        let stored = match cluster.source {
            Source::Stored { content, offset, len } => packed.contents[content]
                [usize::try_from(offset).unwrap()..][..usize::try_from(len).unwrap()]
                .to_vec(),
            Source::File { inode, offset, len } => content(tree, Range { inode, offset, len }).to_vec(),
        };
        if extent.plain {
            bytes.extend(stored);
        } else {
            let may_be_inline = inline && index + 1 == extents.len() && (stored.len() as u64) < BLOCK;
            assert!(cluster.blocks() * BLOCK < u64::from(extent.len) || may_be_inline);
            assert_ne!(stored[0], 0, "zeros precede what is stored");
            bytes.extend(decode(codec, &stored, len));
        }
    }
    bytes
}

fn all_options() -> Vec<PackOptions> {
    let mut all = Vec::new();
    for codec in ["lz4", "lz4hc:9", "deflate:6", "zstd:3"] {
        let codec: Codec = codec.parse().unwrap();
        for clusters in [4096, 8192, 65_536, 131_072, 1 << 20] {
            for flags in 0..8 {
                let mut options = PackOptions::new(codec);
                options.clusters = ClusterSize::new(clusters).unwrap();
                options.dedupe = flags & 1 != 0;
                options.fragments = flags & 2 != 0;
                options.inline = flags & 4 != 0;
                all.push(options);
            }
        }
    }
    all
}

#[test]
fn every_file_is_decoded_from_its_extents() {
    let files = files();
    let tree = tree(&files);
    // A part of the combinations keeps the test short.
    for options in all_options().iter().step_by(11) {
        let packed = pack(&tree, options, false);
        let fragments = packed
            .fragments
            .as_ref()
            .map_or(Vec::new(), |file| decoded(&tree, &packed, options.codec, &file.extents, false));
        assert_eq!(packed.fragments.is_some(), options.fragments);
        let most = match (options.dedupe, options.clusters.bytes()) {
            (true, clusters) => clusters.max(32 << 10),
            (false, 4096) => 1 << 20,
            (false, clusters) => clusters,
        };
        let extents = packed.files.values().chain(&packed.fragments).flat_map(|file| &file.extents);
        assert!(extents.map(|extent| extent.len).max() <= Some(most), "a longer piece with {options:?}");
        let mut packed_files = 0;
        for (id, file) in &packed.files {
            let whole = Range { inode: *id, offset: 0, len: file.len };
            let mut bytes = decoded(&tree, &packed, options.codec, &file.extents, file.inline);
            if let Some(offset) = file.fragment {
                let rest = usize::try_from(file.len).unwrap() - bytes.len();
                bytes.extend(&fragments[usize::try_from(offset).unwrap()..][..rest]);
            }
            assert!(bytes == content(&tree, whole), "{options:?} {id:?}");
            packed_files += 1;
        }
        assert!(packed_files >= 8, "{packed_files} with {options:?}");
        assert_eq!(packed.has_shared_pieces, options.dedupe);
    }
}

#[test]
fn the_order_of_compression_cannot_show() {
    let tree = tree(&files());
    for options in all_options().iter().step_by(37) {
        assert_eq!(format!("{:?}", pack(&tree, options, false)), format!("{:?}", pack(&tree, options, true)));
    }
}

#[test]
fn equal_tails_are_stored_once() {
    let mut files = vec![text(3000, 1); 3];
    files.push(text(3000, 2));
    files.push([text(131_072, 3), text(3000, 1)].concat());
    let mut options = PackOptions::new("lz4hc".parse().unwrap());
    options.fragments = true;
    let packed = pack(&tree(&files), &options, false);
    let offsets: Vec<_> = packed.files.values().map(|file| file.fragment).collect();
    assert_eq!(offsets, [Some(0), Some(0), Some(0), Some(3000), Some(0)]);
    assert_eq!(packed.fragments.map(|file| file.len), Some(8192));
}

#[test]
fn a_longer_file_changes_few_units() {
    let many = |first| {
        let mut files: Vec<_> = (0..900).map(|index| text(1000 + index * 37 % 9001, 7)).collect();
        files[0] = text(first, 9);
        files
    };
    for fragments in [false, true] {
        let units = |files: &[Vec<u8>]| -> BTreeSet<String> {
            let tree = tree(files);
            let mut options = PackOptions::new("lz4hc".parse().unwrap());
            options.fragments = fragments;
            let mut packing = Packing::new(&tree, options, |_| false);
            let mut buffer = Vec::new();
            let units = packing.units();
            let unit = |unit: &Unit| {
                unit.read(&tree, &mut buffer).unwrap();
                format!(
                    "{} {:?}",
                    unit.identity(),
                    sha256_lanes::BlockHasher::new(b"", b"").hash_one(&buffer)
                )
            };
            units.iter().map(unit).collect()
        };
        let (before, after) = (units(&many(1000)), units(&many(5000)));
        assert!(before.len() > 5, "{}", before.len());
        let changed = after.difference(&before).count();
        assert!((1..=3).contains(&changed), "{changed} of {}", after.len());
    }
}

#[test]
fn results_that_were_not_written_are_refused() {
    let options = PackOptions::new("lz4hc".parse().unwrap());
    let tree = tree(&[text(300_000, 1)]);
    let units = Packing::new(&tree, options.clone(), |_| false).units();
    let mut buffer = Vec::new();
    units[0].read(&tree, &mut buffer).unwrap();
    let bytes = options.compress(&units[0], &buffer).unwrap().to_bytes();
    assert!(Compressed::from_bytes(&bytes).is_some());
    for len in [0, 3, 4, 7, 20, bytes.len() - 1] {
        assert_eq!(Compressed::from_bytes(&bytes[..len]), None);
    }
    let mut more = bytes.clone();
    more.push(0);
    assert_eq!(Compressed::from_bytes(&more), None);
    assert!(options.compress(&units[0], &buffer[1..]).is_err());
}
