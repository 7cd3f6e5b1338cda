//! Properties of arbitrary blocks and bytes.

use dax_header::{Error, InfoBlock, Mode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use uuid::Uuid;

fn blocks() -> impl Strategy<Value = InfoBlock> {
    let numbers = (any::<u64>(), any::<u64>(), any::<[u32; 5]>(), any::<[u16; 3]>());
    (any::<[u128; 2]>(), numbers, select(vec![Mode::Ram, Mode::Pmem])).prop_map(|(uuids, numbers, mode)| {
        let mut block = InfoBlock::in_ram(numbers.0);
        [block.uuid, block.parent_uuid] = uuids.map(Uuid::from_u128);
        block.npfns = numbers.1;
        [block.flags, block.start_pad, block.end_trunc, block.align, block.page_size] = numbers.2;
        [block.version_major, block.version_minor, block.page_struct_size] = numbers.3;
        block.mode = mode;
        block
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_written_block_parses_back(block in blocks(), len in any::<u64>()) {
        prop_assert_eq!(InfoBlock::parse(&block.to_bytes()), Ok(block.clone()));
        // The result is arbitrary; it must be one.
        let _ = block.check_device(len);
    }

    #[test]
    fn other_bytes_are_refused(bytes in vec(any::<u8>(), 0..5000)) {
        let is_refused = matches!(
            InfoBlock::parse(&bytes),
            Err(Error::Truncated { .. } | Error::Signature)
        );
        prop_assert!(is_refused);
    }
}
