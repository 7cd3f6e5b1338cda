//! gzip (RFC 1952), without a name, a time or extra fields: the kernel rejects extra fields.
//!
//! ```text
//! short segment   one member by libdeflate, which compresses a buffer at once
//! long segment    header │ piece │ piece │ … │ empty last block │ crc32, length
//!                          each ends at a byte, and refers to the 32 KiB before it
//! ```

use std::io;

use flate2::{Compress, Compression, FlushCompress};
use libdeflater::{CompressionLvl, Compressor};

use super::{CompressedPiece, Piece};

/// The length of the pieces of a long segment, in bytes.
pub const PIECE_LEN: u64 = 1 << 20;

/// The window of DEFLATE: 32 KiB.
pub const CONTEXT_LEN: u64 = 32 << 10;

/// The highest level of zlib.
const MAX_ZLIB_LEVEL: u8 = 9;

/// An empty last block: the BFINAL bit, fixed Huffman codes, end of block.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// Compresses a whole segment into one member.
pub(super) fn whole(level: u8, bytes: &[u8]) -> io::Result<CompressedPiece> {
    let level =
        CompressionLvl::new(i32::from(level)).map_err(|_| unexpected("libdeflate has no such level"))?;
    let mut compressor = Compressor::new(level);
    let mut packed = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let len = compressor
        .gzip_compress(bytes, &mut packed)
        .map_err(|_| unexpected("libdeflate needs more room than it said"))?;
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
