//! xz with only LZMA2 and a CRC-32: the kernel rejects the CRC-64 that is the default of xz.
//!
//! ```text
//! stream header │ block │ block │ … │ index: each block's size, packed and unpacked │ stream footer
//! ```
//!
//! liblzma compresses each piece into a separate stream, from which the block is extracted; the
//! index and footer of the segment's stream are written here (The .xz File Format, sections 2.1, 4
//! and 6).

use std::io;

use liblzma::stream::{Action, Check, Filters, LzmaOptions, Status, Stream};

use super::{Codec, CompressedPiece, SLICE, ShouldContinue, stopped};

/// The length of the pieces of a long segment, in bytes.
pub const PIECE_LEN: u64 = 8 << 20;

/// The stream header: magic, flags (a CRC-32 for each block), CRC-32 of the flags.
pub(super) const HEAD: [u8; HEADER] =
    [0xfd, b'7', b'z', b'X', b'Z', 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36];

/// The length of a stream header and of a stream footer, in bytes.
const HEADER: usize = 12;

/// The stream flags: a CRC-32 for each block.
const FLAGS: [u8; 2] = [0x00, 0x01];

/// Compresses one block.
pub(super) fn block(
    codec: &Codec,
    bytes: &[u8],
    should_continue: ShouldContinue<'_>,
) -> io::Result<CompressedPiece> {
    let mut packed = stream(codec, bytes, should_continue)?;
    let found =
        block_in(&packed).ok_or_else(|| io::Error::other("liblzma did not make a stream of one block"))?;
    packed.truncate(found.end);
    packed.drain(..HEADER);
    packed.shrink_to_fit();
    Ok(CompressedPiece { bytes: packed, note: found.unpadded_size })
}

fn stream(codec: &Codec, bytes: &[u8], should_continue: ShouldContinue<'_>) -> io::Result<Vec<u8>> {
    let mut options = LzmaOptions::new_preset(u32::from(codec.level()))?;
    options.dict_size(1 << codec.window_log());
    let mut filters = Filters::new();
    filters.lzma2(&options);
    let mut encoder = Stream::new_stream_encoder(&filters, Check::Crc32)?;
    let mut packed = Vec::with_capacity(bytes.len() / 4 + 4096);
    let mut rest = bytes;
    loop {
        if !should_continue() {
            return Err(stopped());
        }
        let slice = &rest[..rest.len().min(SLICE)];
        let action = if slice.len() == rest.len() { Action::Finish } else { Action::Run };
        let before = encoder.total_in();
        let status = encoder.process_vec(slice, &mut packed, action)?;
        if matches!(status, Status::StreamEnd) {
            return Ok(packed);
        }
        let taken = usize::try_from(encoder.total_in() - before).map_err(io::Error::other)?;
        rest = rest.get(taken..).unwrap_or_default();
        if packed.len() == packed.capacity() {
            packed.reserve(packed.capacity());
        }
    }
}

/// The end of the only block of a stream, and its size without padding.
struct Found {
    end: usize,
    unpadded_size: u64,
}

fn block_in(stream: &[u8]) -> Option<Found> {
    let footer = stream.get(stream.len().checked_sub(HEADER)?..)?;
    let index_len =
        (u32::from_le_bytes(*footer.get(4..)?.first_chunk()?) as usize).checked_add(1)?.checked_mul(4)?;
    let end = stream.len().checked_sub(HEADER)?.checked_sub(index_len)?;
    let [0, 1, records @ ..] = stream.get(end..)? else { return None };
    let mut unpadded_size = 0;
    for (index, byte) in records.iter().enumerate().take(9) {
        unpadded_size |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let len = u64::try_from(end.checked_sub(HEADER)?).ok()?;
            let is_block = stream.starts_with(&HEAD) && unpadded_size.checked_next_multiple_of(4)? == len;
            return is_block.then_some(Found { end, unpadded_size });
        }
    }
    None
}

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
