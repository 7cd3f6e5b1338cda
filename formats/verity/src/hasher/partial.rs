//! Blocks of which only some bytes have been given.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::{BlockSize, Error};

/// The blocks that are not complete, by their index.
pub(super) struct PartialBlocks {
    block_size: usize,
    blocks: Mutex<BTreeMap<u64, Partial>>,
}

struct Partial {
    bytes: Vec<u8>,
    /// The ranges that were given; they do not overlap.
    given: Vec<Range<usize>>,
}

impl PartialBlocks {
    pub(super) fn new(block_size: BlockSize) -> Self {
        Self { block_size: block_size.as_usize(), blocks: Mutex::default() }
    }

    /// Takes a range of a block, `None` for zeros, and returns the block if it is complete.
    pub(super) fn give(
        &self,
        block: u64,
        range: Range<usize>,
        bytes: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Error> {
        // OK to ignore poison: a thread that panics ends the whole computation.
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let partial = blocks
            .entry(block)
            .or_insert_with(|| Partial { bytes: vec![0; self.block_size], given: Vec::new() });
        if partial.given.iter().any(|given| range.start < given.end && given.start < range.end) {
            return Err(Error::GivenTwice { block });
        }
        if let Some(bytes) = bytes {
            partial.bytes[range.clone()].copy_from_slice(bytes);
        }
        partial.add(range);
        // Without overlaps, one range as long as the block is the whole block.
        if partial.given.first().is_some_and(|given| given.len() == self.block_size) {
            return Ok(blocks.remove(&block).map(|partial| partial.bytes));
        }
        Ok(None)
    }

    /// The first block that is not complete.
    pub(super) fn first(&self) -> Option<u64> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.first_key_value().map(|(block, _)| *block)
    }
}

impl Partial {
    /// Adds a range, joined with the ranges that it touches.
    fn add(&mut self, mut range: Range<usize>) {
        self.given.retain(|given| {
            let touches = given.end == range.start || given.start == range.end;
            if touches {
                range = range.start.min(given.start)..range.end.max(given.end);
            }
            !touches
        });
        self.given.push(range);
    }
}
