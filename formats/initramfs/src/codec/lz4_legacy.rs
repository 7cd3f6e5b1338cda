//! The legacy format of lz4, the only one that the kernel supports: a magic, then chunks with their
//! compressed length.
//!
//! The kernel interprets the bytes after the last chunk as another length unless they are zero or
//! the magic: at least four zero bytes must precede anything not compressed with lz4
//! ([`archive_padding`](crate::archive_padding)).

use std::io;

use lz4::block::CompressionMode;

use super::CompressedPiece;

/// The magic 0x184C2102, in little-endian order.
pub(super) const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// The length of the pieces of a long segment, in bytes. A chunk is at most 8 MiB long.
pub const PIECE_LEN: u64 = 4 << 20;

/// Compresses one chunk, preceded by its length. Level 1 uses the fast algorithm, higher levels use
/// the high compression mode.
pub(super) fn chunk(level: u8, bytes: &[u8]) -> io::Result<CompressedPiece> {
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
    Ok(CompressedPiece { bytes: packed, note: 0 })
}

/// The size of the length field of a chunk, in bytes.
const LENGTH: usize = 4;
