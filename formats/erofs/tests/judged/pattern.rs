//! File contents that are computed, so that large files need no memory.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use image_tree::Content;

/// Bytes that differ from offset to offset and from seed to seed, without a zero but in holes; seed
/// 0 is all zeros, for files larger than any disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) len: u64,
    pub(crate) seed: u64,
    /// The ranges outside of holes; none for everything.
    pub(crate) data: Option<Arc<[Range<u64>]>>,
}

impl Pattern {
    pub(crate) fn new(len: u64, seed: u64) -> Self {
        Self { len, seed, data: None }
    }

    /// One with holes between ranges of data.
    pub(crate) fn with_data(len: u64, seed: u64, data: Vec<Range<u64>>) -> Self {
        Self { len, seed, data: Some(data.into()) }
    }

    fn byte(&self, offset: u64) -> u8 {
        if self.seed == 0 {
            return 0;
        }
        let mixed = (offset + 1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(self.seed.wrapping_mul(0xD6E8_FEB8));
        (mixed >> 56) as u8 | 1
    }

    /// The parts of a range outside of holes.
    fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let whole = std::slice::from_ref(&(0..u64::MAX));
        let ranges = self.data.as_deref().unwrap_or(whole);
        let first = ranges.partition_point(|data| data.end <= range.start);
        ranges[first..]
            .iter()
            .map(move |data| data.start.max(range.start)..data.end.min(range.end))
            .take_while(|piece| !piece.is_empty())
    }
}

impl Content for Pattern {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        assert!(end <= self.len, "reads stay within the file");
        buffer.fill(0);
        for piece in self.pieces(offset..end) {
            let index = |at: u64| usize::try_from(at - offset).expect("within the buffer");
            for (byte, at) in buffer[index(piece.start)..index(piece.end)].iter_mut().zip(piece.start..) {
                *byte = self.byte(at);
            }
        }
        Ok(())
    }

    fn data_ranges(&self) -> Option<&[Range<u64>]> {
        self.data.as_deref()
    }
}
