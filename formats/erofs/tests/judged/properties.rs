//! Arbitrary trees and options: fsck.erofs finds no error, and the kernel finds the tree.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::judge::judge;
use crate::packed::{self, pack_options};
use crate::trees::cases;

/// Returns the configuration: the same cases in each run, of that number, so that builds do not fail
/// by chance, and 10,000 with `ROOTCAST_LONG_TESTS=1`. `PROPTEST_RNG_SEED` and `PROPTEST_CASES`
/// override it.
fn config(cases: u32) -> ProptestConfig {
    let is_long = std::env::var_os("ROOTCAST_LONG_TESTS").is_some_and(|value| value == "1");
    ProptestConfig {
        cases: if is_long { 10_000 } else { cases },
        rng_seed: RngSeed::Fixed(0),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn arbitrary_trees_are_clean_and_read_back((tree, options, shares) in cases()) {
        judge(&tree, &options, shares);
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn arbitrary_trees_are_read_back_compressed((tree, options, shares) in cases(), pack in pack_options()) {
        packed::judge(tree, &options, shares, &pack);
    }
}
