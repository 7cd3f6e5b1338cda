//! Pfn info blocks.

use dax_header::uuid::Uuid;
use dax_header::{Error, InfoBlock};

use crate::{Choices, Outcome};

/// Parses arbitrary bytes as an info block. A valid one is written again as the same.
pub fn check(bytes: &[u8]) -> Outcome {
    let block = match InfoBlock::parse(bytes) {
        Ok(block) => block,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    /// The end of the fields. The bytes behind them count in the checksum only.
    const FIELDS: usize = 94;
    let mut changed = bytes[..InfoBlock::LEN].to_vec();
    changed[FIELDS] ^= 1;
    assert!(InfoBlock::parse(&changed).is_err_and(|error| matches!(error, Error::Checksum { .. })));
    let (written, rest) = (block.to_bytes(), &bytes[FIELDS..InfoBlock::LEN - 8]);
    assert_eq!(written[..FIELDS], bytes[..FIELDS]);
    if rest.iter().all(|byte| *byte == 0) {
        assert_eq!(written[..], bytes[..InfoBlock::LEN]);
    }
    let end_trunc = if block.version_minor < 1 { 0 } else { u64::from(block.end_trunc) };
    for len in [0, 1 << 21, 1 << 30, (1 << 30) + end_trunc, block.data_offset, u64::MAX] {
        if block.check_device(len).is_ok() {
            assert!(block.data_offset >= 8192 && block.data_offset < len - end_trunc, "{len}");
            assert!((len - end_trunc).is_multiple_of(1 << 21), "{len}");
        }
    }
    Outcome::Checked
}

/// Creates an info block, sometimes with a wrong byte.
#[must_use]
pub fn block(bytes: &[u8]) -> Vec<u8> {
    let mut choices = Choices::new(bytes);
    let mut block = InfoBlock::in_ram(choices.one_of(&[1 << 21, 1 << 30, 4096]));
    if choices.rarely(4) {
        block.data_offset = choices.u64();
    }
    block.uuid = Uuid::from_u128(choices.u128());
    block.version_minor = choices.one_of(&[2, 0, 1, 4]);
    block.align = choices.one_of(&[1 << 21, 0, 4096, 1 << 30, 8192]);
    block.start_pad = choices.one_of(&[0, 4096, 1 << 21]);
    block.end_trunc = choices.one_of(&[0, 4096]);
    block.npfns = choices.u64();
    let mut out = block.to_bytes().to_vec();
    if choices.wrong() {
        let at = choices.index(out.len());
        out[at] ^= 1 << choices.up_to(7);
    }
    assert!(InfoBlock::parse(&out[1..]).is_err_and(|error| matches!(error, Error::Truncated { .. })));
    out
}
