//! gzip by libdeflate and zlib-rs.

use std::io;

use flate2::{Compress, Compression, FlushCompress};
use libdeflater::{CompressionLvl, Compressor};

use crate::codec::{CompressedPiece, Piece};

/// The highest level of zlib.
const MAX_ZLIB_LEVEL: u8 = 9;

/// Compresses a whole segment into one member.
pub(super) fn whole(level: u8, bytes: &[u8]) -> io::Result<CompressedPiece> {
    let level =
        CompressionLvl::new(i32::from(level)).map_err(|_| unexpected("libdeflate has no such level"))?;
    let mut compressor = Compressor::new(level);
    let mut packed = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let len = compressor
        .gzip_compress(bytes, &mut packed)
        .map_err(|_| unexpected("libdeflate exceeded its own bound on the output"))?;
    packed.truncate(len);
    packed.shrink_to_fit();
    Ok(CompressedPiece { bytes: packed, note: 0 })
}

/// Compresses a part of a long segment: DEFLATE blocks that end at a byte boundary, none of them
/// the last.
pub(super) fn part(level: u8, piece: Piece<'_>) -> io::Result<CompressedPiece> {
    let level = u32::from(level.min(MAX_ZLIB_LEVEL));
    let mut compress = Compress::new(Compression::new(level), false);
    if !piece.context.is_empty() {
        compress.set_dictionary(piece.context).map_err(io::Error::other)?;
    }
    // zlib's output for incompressible bytes is hardly longer than the input.
    let mut packed = Vec::with_capacity(piece.bytes.len() + piece.bytes.len() / 1024 + 1024);
    let mut rest = piece.bytes;
    loop {
        let before = compress.total_in();
        compress.compress_vec(rest, &mut packed, FlushCompress::Sync).map_err(io::Error::other)?;
        let taken = usize::try_from(compress.total_in() - before).map_err(io::Error::other)?;
        rest = rest.get(taken..).unwrap_or_default();
        // The flush is complete if zlib did not fill the output buffer.
        if rest.is_empty() && packed.len() < packed.capacity() {
            break;
        }
        packed.reserve(piece.bytes.len() / 8 + 1024);
    }
    packed.shrink_to_fit();
    Ok(CompressedPiece { bytes: packed, note: u64::from(crc32fast::hash(piece.bytes)) })
}

fn unexpected(message: &str) -> io::Error {
    io::Error::other(message.to_owned())
}
