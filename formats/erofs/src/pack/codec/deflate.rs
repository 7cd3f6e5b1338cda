//! DEFLATE streams without framing by libdeflate.

use std::io;

use libdeflater::{CompressionLvl, Compressor};

/// A bit of the padding behind the header of a stored block, which decoders ignore.
const PADDING: u8 = 1 << 3;

/// Compresses into one stream.
///
/// In an image, zeros precede the stream, and readers find its first byte by that it is not zero.
/// The only first byte of a stream that can be zero is that of a stored block that is not the last:
/// three bits of header, all zero, and five of padding.
pub(super) fn raw(level: u8, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let level = CompressionLvl::new(i32::from(level))
        .map_err(|_| io::Error::other("libdeflate has no such level"))?;
    let mut compressor = Compressor::new(level);
    let mut packed = vec![0; compressor.deflate_compress_bound(bytes.len())];
    let len = compressor
        .deflate_compress(bytes, &mut packed)
        .map_err(|_| io::Error::other("libdeflate exceeded its own bound on the output"))?;
    packed.truncate(len);
    if let Some(first @ 0) = packed.first_mut() {
        *first = PADDING;
    }
    Ok(packed)
}
