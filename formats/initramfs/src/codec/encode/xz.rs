//! Blocks of xz by liblzma.

use std::io;

use liblzma::stream::{Action, Check, Filters, LzmaOptions, Status, Stream};

use super::slices::{SLICE, stopped};
use crate::codec::xz::{HEAD, HEADER};
use crate::codec::{Codec, CompressedPiece, ShouldContinue};

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
