//! Arbitrary data and options, given in arbitrary pieces: the areas depend on the data only, and
//! verification finds every flipped bit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use dm_verity::{DataHasher, HashAlgorithm, HashTree, HashType, Options, Salt, Verifier, VerifyError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;

use crate::cases::{fec_area, hash_area, layout, noise, roots, size, tree};
use crate::judge::UUID;

fn options() -> impl Strategy<Value = Options> {
    let algorithm = select(HashAlgorithm::ALL.to_vec());
    let hash_type = select(vec![HashType::Normal, HashType::ChromeOs]);
    let block_size = || select(vec![512, 512, 512, 1024, 4096]);
    let salt = select(vec![0, 1, 32, 63, 64, 256]);
    (algorithm, hash_type, block_size(), block_size(), salt, any::<bool>(), select(vec![0, 0, 2, 5, 24]))
        .prop_map(|(algorithm, hash_type, data, hash, salt, superblock, fec)| {
            let mut options = Options::new(Salt::new(noise(salt, 3)).expect("a valid length"));
            options.algorithm = algorithm;
            options.hash_type = hash_type;
            options.data_block_size = size(data);
            options.hash_block_size = size(if fec == 0 { hash } else { data });
            options.superblock = superblock.then_some(UUID);
            options.fec = (fec != 0).then(|| roots(fec));
            options
        })
}

/// Data of some blocks, with ranges of zeros.
fn cases() -> impl Strategy<Value = (Options, Vec<u8>)> {
    let zeros = vec((any::<Index>(), any::<Index>()), 0..4);
    (options(), 1..160usize, zeros).prop_map(|(options, blocks, zeros)| {
        let len = blocks * usize::try_from(options.data_block_size.bytes()).expect("small");
        let mut data = noise(len, blocks as u64);
        for (start, end) in zeros {
            let (start, end) = (start.index(len), end.index(len));
            data[start.min(end)..start.max(end)].fill(0);
        }
        (options, data)
    })
}

/// Gives the pieces between the cuts, in this order, from two threads.
fn in_pieces(options: &Options, data: &[u8], cuts: &[Index], order: &[Index]) -> HashTree {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len())).chain([0, data.len()]).collect();
    ends.sort_unstable();
    let mut pieces: Vec<_> = ends.windows(2).map(|pair| pair[0]..pair[1]).collect();
    for (index, other) in order.iter().enumerate().take(pieces.len()) {
        let other = other.index(pieces.len());
        pieces.swap(index, other);
    }
    let hasher = DataHasher::new(&layout(options, data)).expect("it is small");
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(range) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            let bytes = &data[range.clone()];
            let offset = range.start as u64;
            if bytes.iter().all(|byte| *byte == 0) {
                hasher.zeros_at(offset, bytes.len() as u64).expect("it is within the data");
            } else {
                hasher.write_at(offset, bytes).expect("it is within the data");
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    hasher.finish().expect("it is complete")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn pieces_in_any_order_give_the_same_bytes(
        (options, data) in cases(),
        cuts in vec(any::<Index>(), 0..40),
        order in vec(any::<Index>(), 0..40),
    ) {
        let whole = tree(&options, &data);
        let pieces = in_pieces(&options, &data, &cuts, &order);
        prop_assert_eq!(pieces.root_hash(), whole.root_hash());
        prop_assert!(hash_area(&pieces) == hash_area(&whole));
        if options.fec.is_some() {
            prop_assert!(fec_area(&pieces) == fec_area(&whole));
        }
    }

    #[test]
    fn verification_accepts_the_data_and_finds_every_flipped_bit(
        (options, mut data) in cases(),
        at in any::<Index>(),
        bit in 0..8u32,
    ) {
        let tree = tree(&options, &data);
        let area = hash_area(&tree);
        let verifier = Verifier::new(tree.layout(), tree.root_hash(), &area, 0).expect("it is intact");
        prop_assert!(verifier.verify(0, &data).is_ok());
        let at = at.index(data.len());
        data[at] ^= 1u8 << bit;
        let block_size = u64::from(options.data_block_size.bytes());
        let bad = at as u64 / block_size;
        let found = verifier.verify(0, &data);
        prop_assert!(
            matches!(found, Err(VerifyError::DataBlock { block, offset }) if block == bad && offset == bad * block_size),
            "{:?}", found
        );
    }
}
