//! Computed file contents, so that large files do not take memory.

use std::io;
use std::ops::Range;

use image_tree::Content;

/// Bytes that depend on offset and seed; they are zero only in holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) len: u64,
    pub(crate) seed: u64,
    /// The ranges outside of holes; `None` for a file without holes.
    pub(crate) data: Option<&'static [Range<u64>]>,
}

impl Pattern {
    pub(crate) fn byte(&self, offset: u64) -> u8 {
        if self.data.is_some_and(|data| !data.iter().any(|range| range.contains(&offset))) {
            return 0;
        }
        let mixed = (offset + 1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(self.seed.wrapping_mul(0xD6E8_FEB8));
        let [high, ..] = mixed.to_be_bytes();
        high | 1
    }

    pub(crate) fn fill(&self, buffer: &mut [u8], offset: u64) {
        for (byte, offset) in buffer.iter_mut().zip(offset..) {
            *byte = self.byte(offset);
        }
    }
}

impl Content for Pattern {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        assert!(
            end.is_some_and(|end| end <= self.len),
            "a read at {offset} leaves the file of {} bytes",
            self.len
        );
        self.fill(buffer, offset);
        Ok(())
    }

    fn data_ranges(&self) -> Option<&[Range<u64>]> {
        self.data
    }
}
