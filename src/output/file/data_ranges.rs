//! The ranges of a chunk that are written to a file with holes.

use std::ops::Range;

use crate::output::chunks::in_memory;
use crate::zeros::is_zero;

/// The allocation unit of filesystems; a smaller hole saves nothing.
const BLOCK: usize = 4096;

/// The minimum length of a hole between data, in bytes.
pub(in crate::output) const MIN_HOLE: usize = 16 << 10;

/// Returns the ranges of a chunk to write: all except its blocks of zeros, aligned to the blocks of
/// the destination. Fewer zeros than [`MIN_HOLE`] between data are written too, as that costs less
/// than another write.
pub(super) fn data_ranges(bytes: &[u8], start: u64) -> impl Iterator<Item = Range<usize>> {
    let mut blocks = blocks(bytes.len(), start);
    std::iter::from_fn(move || {
        let mut data: Option<Range<usize>> = None;
        for block in blocks.by_ref() {
            let is_zero = is_zero(&bytes[block.clone()]);
            data = match data {
                None if is_zero => None,
                None => Some(block),
                Some(data) if !is_zero => Some(data.start..block.end),
                Some(data) if block.end - data.end >= MIN_HOLE => return Some(data),
                Some(data) => Some(data),
            };
        }
        data
    })
}

/// Splits `len` bytes which begin at `start` at multiples of [`BLOCK`].
fn blocks(len: usize, start: u64) -> impl Iterator<Item = Range<usize>> {
    let into_block = in_memory(start % BLOCK as u64);
    let mut position = 0;
    std::iter::from_fn(move || {
        let end = len.min(position + BLOCK - (position + into_block) % BLOCK);
        let block = std::mem::replace(&mut position, end)..end;
        (!block.is_empty()).then_some(block)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[(usize, u8)], start: u64, expected: &[(usize, usize)]) {
        let bytes: Vec<u8> = bytes.iter().flat_map(|(len, byte)| std::iter::repeat_n(*byte, *len)).collect();
        let ranges = data_ranges(&bytes, start).map(|range| (range.start, range.end));
        assert_eq!(ranges.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn zeros_at_the_ends_of_a_chunk_are_not_written() {
        check(&[], 0, &[]);
        check(&[(3 * BLOCK, 0)], 0, &[]);
        check(&[(BLOCK, 0), (1, 1), (3 * BLOCK, 0)], 0, &[(BLOCK, 2 * BLOCK)]);
        check(&[(10, 0), (1, 1), (9, 0)], 0, &[(0, 20)]);
    }

    #[test]
    fn blocks_are_those_of_the_destination() {
        check(&[(100, 0), (100, 1), (BLOCK, 0)], 4096 - 100, &[(100, 100 + BLOCK)]);
        check(&[(100, 1), (100, 0), (BLOCK, 0)], 4096 - 100, &[(0, 100)]);
        check(&[(100, 1), (200, 0)], 4096 - 150, &[(0, 150)]);
    }

    #[test]
    fn long_zeros_between_data_are_a_hole() {
        let hole = MIN_HOLE;
        check(&[(BLOCK, 1), (hole, 0), (1, 1)], 0, &[(0, BLOCK), (BLOCK + hole, BLOCK + hole + 1)]);
        check(&[(BLOCK, 1), (hole - 1, 0), (1, 1)], 0, &[(0, BLOCK + hole)]);
        check(
            &[(BLOCK, 1), (hole + BLOCK, 0), (1, 1)],
            0,
            &[(0, BLOCK), (hole + 2 * BLOCK, hole + 2 * BLOCK + 1)],
        );
    }
}
