//! Chunks of lz4 by lz4_flex and liblz4.

use std::io;

use lz4::block::CompressionMode;

use crate::codec::CompressedPiece;

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
