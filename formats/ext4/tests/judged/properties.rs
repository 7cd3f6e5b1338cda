//! Arbitrary trees and options: every filesystem is clean, and another reader finds the tree in it.

use mkfs_ext4::{Error, Size, plan};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::judge::judge;
use crate::trees::cases;

/// Returns a configuration with a number of cases, the same ones in each run, so that builds do not
/// fail by chance. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` override it.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn arbitrary_trees_are_clean_and_read_back((tree, options) in cases()) {
        match plan(&tree, &options) {
            // The missing length is exact: with as much it fits, and with a block less it
            // does not.
            Err(Error::TooSmall { needed_bytes, .. }) => {
                let total = |bytes| with!(options.clone(), size: Size::Total { bytes });
                prop_assert!(plan(&tree, &total(needed_bytes - options.block_size.bytes())).is_err());
                judge(&tree, &total(needed_bytes));
            }
            _ => {
                judge(&tree, &options);
            }
        }
    }
}
