//! A complete output that does not have its name yet.

use std::path::Path;

use super::atomic::AtomicFile;
use super::replaced::Replaced;
use crate::error::{Error, Result};

/// The statistics of a written image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The image's length in bytes.
    pub len: u64,
    /// The number of bytes written.
    pub written_bytes: u64,
    /// The number of bytes shared with the sources.
    pub cloned_bytes: u64,
    /// The number of bytes left as holes.
    pub hole_bytes: u64,
}

impl Written {
    /// Returns the statistics of an image of which every byte was written.
    pub(in crate::output) fn all(len: u64) -> Self {
        Self { len, written_bytes: len, cloned_bytes: 0, hole_bytes: 0 }
    }
}

/// A complete output. A regular file gets its name by [`publish`](Self::publish), and leaves
/// nothing if it is dropped before; everything else is where it was written.
pub struct Unpublished<'d> {
    path: &'d Path,
    file: Option<AtomicFile>,
    written: Written,
}

impl<'d> Unpublished<'d> {
    pub(in crate::output) fn new(path: &'d Path, file: Option<AtomicFile>, written: Written) -> Self {
        Self { path, file, written }
    }

    /// Gives a regular file its name.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if the kernel rejects that; there is no new file then,
    /// and an existing one is unchanged.
    pub fn publish(self) -> Result<Written> {
        let Self { path, file, written } = self;
        file.map_or(Ok(()), AtomicFile::publish).map_err(|error| Error::io(path, error))?;
        Ok(written)
    }

    /// Gives a regular file its name until [`Replaced::keep`] makes that final.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub(in crate::output) fn replace(self) -> Result<(Written, Option<Replaced>)> {
        let Self { path, file, written } = self;
        let replaced = file.map(AtomicFile::replace).transpose();
        Ok((written, replaced.map_err(|error| Error::io(path, error))?))
    }
}
