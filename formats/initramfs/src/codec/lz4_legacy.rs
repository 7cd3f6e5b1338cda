//! The legacy format of lz4, the only one that the kernel unpacks: a magic, then chunks with their compressed length.
//!
//! The kernel takes what follows the last chunk for another length unless it is zero or the magic: what is not compressed with
//! lz4 needs at least four zero bytes before it ([`gap`](crate::gap)).

use std::io;

use lz4::block::CompressionMode;

use super::Packed;

/// 0x184C2102, in little endian.
pub(super) const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// The pieces of a long segment, in bytes. A chunk has 8 MiB at most.
pub const PIECE_LEN: u64 = 4 << 20;

/// One chunk with its length. Level 1 is the fast algorithm, higher ones the thorough one at that level.
pub(super) fn chunk(level: u8, bytes: &[u8]) -> io::Result<Packed> {
    let mut packed = vec![0; LENGTH + lz4_flex::block::get_maximum_output_size(bytes.len())];
    let out = &mut packed[LENGTH..];
    let len = match level {
        0 | 1 => lz4_flex::block::compress_into(bytes, out).map_err(io::Error::other)?,
        _ => {
            let mode = CompressionMode::HIGHCOMPRESSION(i32::from(level));
            lz4::block::compress_to_buffer(bytes, Some(mode), false, out)?
        }
    };
    packed.truncate(LENGTH + len);
    packed.shrink_to_fit();
    let len = u32::try_from(len).map_err(io::Error::other)?;
    packed[..LENGTH].copy_from_slice(&len.to_le_bytes());
    Ok(Packed { bytes: packed, note: 0 })
}

/// A chunk's length, in bytes.
const LENGTH: usize = 4;
