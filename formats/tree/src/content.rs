//! The bytes of regular files.

use std::io;
use std::ops::Range;

/// The bytes of one regular file: the length is known when planning, the bytes are read at an
/// offset when writing.
///
/// Several threads may read one content at the same time.
pub trait Content: Send + Sync {
    /// The length in bytes. It never changes; if a source detects a change, [`Content::read_at`]
    /// fails.
    fn len(&self) -> u64;

    /// Returns true if the file has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes at `offset`, which must be within the length.
    ///
    /// # Errors
    /// Returns an error if the bytes cannot be read or have changed since planning. The error names
    /// the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// The ranges outside of which every byte is zero, in bytes; `None`, the default, if they are
    /// not known.
    ///
    /// They are in order, do not overlap, are not empty and are within the length. They may contain
    /// zero bytes too. The gaps between them are holes, which a format omits if it can. The ranges
    /// never change.
    fn data_ranges(&self) -> Option<&[Range<u64>]> {
        None
    }
}

/// Bytes in memory.
impl Content for [u8] {
    fn len(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let source = start
            .checked_add(buffer.len())
            .and_then(|end| self.get(start..end))
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        buffer.copy_from_slice(source);
        Ok(())
    }
}

impl Content for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_at(buffer, offset)
    }
}
