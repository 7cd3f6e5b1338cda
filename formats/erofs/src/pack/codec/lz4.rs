//! Blocks of lz4 by liblz4.

use std::io;

use lz4::block::{CompressionMode, compress_bound, compress_to_buffer};

/// Compresses by the fast algorithm.
pub(super) fn fast(bytes: &[u8]) -> io::Result<Vec<u8>> {
    block(bytes, CompressionMode::DEFAULT)
}

/// Compresses by the high compression mode.
pub(super) fn high(level: u8, bytes: &[u8]) -> io::Result<Vec<u8>> {
    block(bytes, CompressionMode::HIGHCOMPRESSION(i32::from(level)))
}

fn block(bytes: &[u8], mode: CompressionMode) -> io::Result<Vec<u8>> {
    let mut packed = vec![0; compress_bound(bytes.len())?];
    let len = compress_to_buffer(bytes, Some(mode), false, &mut packed)?;
    packed.truncate(len);
    Ok(packed)
}
