//! Where a regular file's bytes are.

use std::io;
use std::ops::Range;

/// The bytes of one regular file: a length known when planning, and reading at an offset when writing.
///
/// Several threads read one content at once.
pub trait Content: Send + Sync {
    /// The length in bytes. It never changes; a source that finds it has changed fails in [`Content::read_at`].
    fn len(&self) -> u64;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes at `offset`, which lie wholly within the length.
    ///
    /// # Errors
    /// When the bytes cannot be read or are no longer those that were planned. The error names the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// The ranges outside of which every byte is zero, in bytes; `None`, the default, where that is not known.
    ///
    /// They are in order, do not overlap, are not empty and lie within the length. Their bytes may be zero too. A format
    /// that can leaves out what lies between them: holes. The ranges never change.
    fn data_ranges(&self) -> Option<&[Range<u64>]> {
        None
    }
}

/// Bytes at hand.
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
