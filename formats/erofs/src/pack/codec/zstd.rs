//! Frames of zstd by libzstd.

use std::io;

use zstd::bulk::Compressor;
use zstd::zstd_safe::{CParameter, compress_bound};

use crate::ondisk::compression_config::zstd_window_log;

/// Compresses into one frame, whose window is no longer than the least power of two that holds the
/// bytes, and at most the one that images declare.
pub(super) fn frame(level: u8, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::with_capacity(compress_bound(bytes.len()));
    let mut compressor = Compressor::new(i32::from(level))?;
    let window_log = u32::from(zstd_window_log(bytes.len() as u64));
    compressor.set_parameter(CParameter::WindowLog(window_log))?;
    compressor.compress_to_buffer(bytes, &mut packed)?;
    Ok(packed)
}
