//! A planned image that is read block by block.

use crate::blob::Blob;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::output::blocks::Blocks;

/// A planned image, of which any bytes can be read without that it is written: for servers of block
/// devices, such as vhost-user, ublk and NBD.
///
/// It holds some words for each run of the image in memory, and no contents of files. Threads share
/// it.
pub struct PlannedImage<'p> {
    blocks: Blocks<'p, Blob>,
    cancel: &'p Interrupt,
}

impl<'p> PlannedImage<'p> {
    pub(super) fn new(blocks: Blocks<'p, Blob>, cancel: &'p Interrupt) -> Self {
        Self { blocks, cancel }
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.blocks.len()
    }

    /// Returns true if the image has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Fills a buffer with the bytes at an offset.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) if the range is not within the image,
    /// [`BadInput`](crate::error::ErrorKind::BadInput) if a file changed since the tree was read,
    /// [`Io`](crate::error::ErrorKind::Io), [`Interrupted`](crate::error::ErrorKind::Interrupted).
    /// The buffer holds any bytes then.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.cancel.check()?;
        self.blocks.read_at(buffer, offset)
    }

    /// Returns the ranges that may hold other bytes than zeros, in order, as offsets and lengths in
    /// bytes: what a server need not report as holes.
    pub fn data(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.blocks.data()
    }
}

impl std::fmt::Debug for PlannedImage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlannedImage").field("len", &self.len()).finish_non_exhaustive()
    }
}
