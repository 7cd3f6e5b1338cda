//! Arbitrary trees and options: every filesystem is clean, and another reader finds the tree in it.

use mkfs_ext4::{Error, Options, Size, plan};
use proptest::prelude::*;

use crate::judge::judge;
use crate::trees::cases;

/// 200 cases, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let default =
        ProptestConfig { max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => ProptestConfig { cases: 200, ..default },
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_written_is_clean_and_reads_back((tree, options) in cases()) {
        match plan(&tree, &options) {
            // What a size lacks is said exactly: with as much it fits, and with a block less it does not.
            Err(Error::TooSmall { needed_bytes, .. }) => {
                let total = |bytes| Options { size: Size::Total { bytes }, ..options.clone() };
                prop_assert!(plan(&tree, &total(needed_bytes - options.block_size.bytes())).is_err());
                judge(&tree, &total(needed_bytes));
            }
            _ => {
                judge(&tree, &options);
            }
        }
    }
}
