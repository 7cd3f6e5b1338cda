//! Observation of the bytes of an image while they are written.

use crate::error::Result;

/// Receives every byte of an image exactly once, from several threads and in any order, as the
/// bytes are gathered to be written. So nothing is read a second time, except what is cloned.
pub trait Observer: Sync {
    /// Receives the bytes at an offset of the image.
    ///
    /// # Errors
    /// Those of the observer, which end the writing.
    fn bytes_at(&self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Receives `len` zeros at an offset of the image.
    ///
    /// # Errors
    /// As [`bytes_at`](Self::bytes_at).
    fn zeros_at(&self, offset: u64, len: u64) -> Result<()>;
}
