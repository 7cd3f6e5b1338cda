//! File contents that are computed, so that large files need no memory.

use std::io;

use image_tree::Content;

/// Bytes that differ from offset to offset and from seed to seed, without a zero block; seed 0 is all zeros, for files
/// larger than any disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) len: u64,
    pub(crate) seed: u64,
}

impl Pattern {
    pub(crate) fn byte(&self, offset: u64) -> u8 {
        if self.seed == 0 {
            return 0;
        }
        let mixed = (offset + 1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(self.seed.wrapping_mul(0xD6E8_FEB8));
        (mixed >> 56) as u8 | 1
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        (0..self.len).map(|offset| self.byte(offset)).collect()
    }
}

impl Content for Pattern {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        assert!(offset + buffer.len() as u64 <= self.len, "reads stay within the file");
        for (byte, offset) in buffer.iter_mut().zip(offset..) {
            *byte = self.byte(offset);
        }
        Ok(())
    }
}
