//! Reads of ranges of a file, chunk by chunk.

use std::io;

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
