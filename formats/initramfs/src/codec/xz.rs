//! xz with only LZMA2 and a CRC-32: the kernel rejects the CRC-64 that is the default of xz.
//!
//! ```text
//! stream header │ block │ block │ … │ index: each block's size, packed and unpacked │ stream footer
//! ```
//!
//! liblzma compresses each piece into a separate stream, from which the block is extracted; the
//! index and footer of the segment's stream are written here (The .xz File Format, sections 2.1, 4
//! and 6).

/// The length of the pieces of a long segment, in bytes.
pub const PIECE_LEN: u64 = 8 << 20;

/// The stream header: magic, flags (a CRC-32 for each block), CRC-32 of the flags.
pub(super) const HEAD: [u8; HEADER] =
    [0xfd, b'7', b'z', b'X', b'Z', 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36];

/// The length of a stream header and of a stream footer, in bytes.
pub(super) const HEADER: usize = 12;

/// The stream flags: a CRC-32 for each block.
const FLAGS: [u8; 2] = [0x00, 0x01];

/// The header, index and footer around a segment's blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    /// The size without padding and the uncompressed size of each block.
    blocks: Vec<(u64, u64)>,
}

impl Frame {
    pub(super) fn add(&mut self, len: u64, unpadded_size: u64) {
        self.blocks.push((unpadded_size, len));
    }

    /// Returns the index and the footer.
    pub(super) fn tail(&self) -> Vec<u8> {
        let mut tail = vec![0];
        push_integer(&mut tail, self.blocks.len() as u64);
        for (unpadded_size, len) in &self.blocks {
            push_integer(&mut tail, *unpadded_size);
            push_integer(&mut tail, *len);
        }
        tail.resize(tail.len().next_multiple_of(4), 0);
        tail.extend(crc32fast::hash(&tail).to_le_bytes());
        // The limit of the format for an index is 16 GiB; a segment is at most 4 GiB and a header
        // long, so its index is far shorter.
        let backward_size = u32::try_from(tail.len() / 4 - 1).unwrap_or(u32::MAX);
        let mut fields = backward_size.to_le_bytes().to_vec();
        fields.extend(FLAGS);
        tail.extend(crc32fast::hash(&fields).to_le_bytes());
        tail.extend(fields);
        tail.extend(b"YZ");
        tail
    }
}

/// Appends a number with seven bits per byte, the lowest first (section 1.2).
fn push_integer(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(0x80 | (value & 0x7f).to_le_bytes()[0]);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
