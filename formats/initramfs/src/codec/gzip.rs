//! gzip (RFC 1952), without a name, a time or extra fields: the kernel rejects extra fields.
//!
//! ```text
//! short segment   one member by libdeflate, which compresses a buffer at once
//! long segment    header │ piece │ piece │ … │ empty last block │ crc32, length
//!                          each ends at a byte, and refers to the 32 KiB before it
//! ```

/// The length of the pieces of a long segment, in bytes.
pub const PIECE_LEN: u64 = 1 << 20;

/// The window of DEFLATE: 32 KiB.
pub const CONTEXT_LEN: u64 = 32 << 10;

/// An empty last block: the BFINAL bit, fixed Huffman codes, end of block.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// The header and trailer around the pieces of a long segment.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    head: [u8; 10],
    crc: crc32fast::Hasher,
    len: u64,
}

impl Frame {
    pub(super) fn new(level: u8) -> Self {
        // XFL: 2 for the best compression, 4 for the fastest, as libdeflate sets it.
        let extra_flags = match level {
            1 => 4,
            8.. => 2,
            _ => 0,
        };
        let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra_flags, 0xff];
        Self { head, crc: crc32fast::Hasher::new(), len: 0 }
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(super) fn add(&mut self, len: u64, crc32: u64) {
        // OK to unwrap: the note of a piece is its CRC-32.
        let crc32 = u32::try_from(crc32).unwrap_or(0);
        self.crc.combine(&crc32fast::Hasher::new_with_initial_len(crc32, len));
        self.len = self.len.wrapping_add(len);
    }

    pub(super) fn tail(&self) -> Vec<u8> {
        let mut tail = LAST_BLOCK.to_vec();
        tail.extend(self.crc.clone().finalize().to_le_bytes());
        // ISIZE: the length modulo 2^32.
        tail.extend(&self.len.to_le_bytes()[..4]);
        tail
    }
}
