//! Options, data and lengths that reach each rule.

use dm_verity::{
    BlockSize, DataHasher, FecRoots, HashAlgorithm, HashTree, HashType, Layout, Options, Salt, plan,
};
use image_runs::read_all;

use crate::judge::UUID;

pub(crate) fn size(bytes: u64) -> BlockSize {
    BlockSize::new(bytes).expect("a valid size")
}

pub(crate) fn roots(roots: u64) -> FecRoots {
    FecRoots::new(roots).expect("a valid number")
}

/// All combinations of hash type, algorithm and superblock for blocks of these sizes, each with
/// another salt.
pub(crate) fn options(data: u64, hash: u64) -> Vec<Options> {
    let mut all = Vec::new();
    let mut salt_lens = [0, 1, 32, 64, 255, 256].into_iter().cycle();
    for hash_type in [HashType::Normal, HashType::ChromeOs] {
        for algorithm in HashAlgorithm::ALL {
            for superblock in [None, Some(UUID)] {
                let len = salt_lens.next().expect("it is a cycle");
                let mut options = Options::new(Salt::new(noise(len, 5)).expect("a valid length"));
                options.hash_type = hash_type;
                options.algorithm = algorithm;
                options.data_block_size = size(data);
                options.hash_block_size = size(hash);
                options.superblock = superblock;
                all.push(options);
            }
        }
    }
    all
}

/// The numbers of data blocks around each change of the tree's shape, up to a limit.
pub(crate) fn around_levels(options: &Options, max: u64) -> Vec<u64> {
    let per_block = u64::from(options.hash_block_size.bytes() / options.algorithm.digest_len());
    let mut all = vec![1, 2, 3];
    let mut full = per_block;
    while full < max {
        all.extend([full - 1, full, full + 1]);
        full *= per_block;
    }
    all.retain(|blocks| (1..=max).contains(blocks));
    all.sort_unstable();
    all.dedup();
    all
}

/// Bytes that repeat in no block.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb).to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(len);
    bytes
}

/// Data of blocks of noise, with zeros in the middle third.
pub(crate) fn data(options: &Options, blocks: u64) -> Vec<u8> {
    let block = usize::try_from(options.data_block_size.bytes()).expect("small");
    let blocks = usize::try_from(blocks).expect("small");
    let mut data = noise(blocks * block, blocks as u64);
    data[blocks / 3 * block..blocks * 2 / 3 * block].fill(0);
    data
}

pub(crate) fn layout(options: &Options, data: &[u8]) -> Layout {
    plan(options, data.len() as u64).expect("valid data")
}

/// The tree of data given as a whole.
pub(crate) fn tree(options: &Options, data: &[u8]) -> HashTree {
    let hasher = DataHasher::new(&layout(options, data)).expect("it is small");
    hasher.write_at(0, data).expect("it is within the data");
    hasher.finish().expect("it is complete")
}

pub(crate) fn hash_area(tree: &HashTree) -> Vec<u8> {
    read_all::<Vec<u8>>(&tree.hash_area()).expect("memory does not fail")
}

pub(crate) fn fec_area(tree: &HashTree) -> Vec<u8> {
    let area = tree.fec_area().expect("the options ask for one");
    read_all::<Vec<u8>>(&area).expect("memory does not fail")
}
