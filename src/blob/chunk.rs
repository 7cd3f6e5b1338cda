//! Reads of ranges of a file, chunk by chunk.

use std::io;
use std::ops::Range;

use image_tree::Content;

use crate::error::{Result, classify_read_error};
use crate::interrupt::Interrupt;

/// The maximum number of bytes read at once.
pub(crate) const CHUNK: u64 = 1 << 20;

/// A callback for ranges of a file: an offset, and the bytes there. Returns true to continue.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(u64, &[u8]) -> bool;

/// Returns the first `len` bytes of a buffer, which grows as needed.
pub(super) fn grow(buffer: &mut Vec<u8>, len: u64) -> io::Result<&mut [u8]> {
    let len = usize::try_from(len).map_err(io::Error::other)?;
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    Ok(&mut buffer[..len])
}

/// Splits a range at multiples of [`CHUNK`].
pub(crate) fn chunks(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let mut start = range.start;
    std::iter::from_fn(move || {
        let end = range.end.min((start / CHUNK + 1).saturating_mul(CHUNK));
        let chunk = std::mem::replace(&mut start, end)..end;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Reads a range of a content in [`chunks`], and calls `sink` with the offset of each and its
/// bytes. The buffer grows to the longest of them.
///
/// # Errors
/// The error of [`classify_read_error`] if the content cannot be read;
/// [`Interrupted`](crate::error::ErrorKind::Interrupted) after a signal.
pub(crate) fn read_chunks<C: Content>(
    content: &C,
    range: Range<u64>,
    buffer: &mut Vec<u8>,
    interrupt: &Interrupt,
    mut sink: impl FnMut(u64, &[u8]),
) -> Result<()> {
    for chunk in chunks(range) {
        interrupt.check()?;
        let bytes = grow(buffer, chunk.end - chunk.start).map_err(classify_read_error)?;
        content.read_at(bytes, chunk.start).map_err(classify_read_error)?;
        sink(chunk.start, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_split_at_multiples_of_the_chunk() {
        let found = |range| chunks(range).map(|chunk| (chunk.start, chunk.end)).collect::<Vec<_>>();
        assert_eq!(found(5..5), []);
        assert_eq!(found(5..CHUNK), [(5, CHUNK)]);
        assert_eq!(found(5..2 * CHUNK + 1), [(5, CHUNK), (CHUNK, 2 * CHUNK), (2 * CHUNK, 2 * CHUNK + 1)]);
        assert_eq!(found(u64::MAX - 1..u64::MAX), [(u64::MAX - 1, u64::MAX)]);
    }

    #[test]
    fn every_byte_of_a_range_is_read_once_in_order() {
        let len = usize::try_from(CHUNK).expect("small") + 7;
        let content: Vec<u8> = (0..=250).cycle().take(len).collect();
        let (mut buffer, mut found) = (Vec::new(), vec![0; 3]);
        let range = 3..content.len() as u64;
        read_chunks(&content, range, &mut buffer, &Interrupt::default(), |offset, bytes| {
            assert_eq!(offset, found.len() as u64);
            found.extend_from_slice(bytes);
        })
        .expect("memory");
        assert_eq!(found[3..], content[3..]);
    }
}
