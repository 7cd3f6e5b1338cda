//! Hashing of a filesystem while its disk is written.

use std::ops::Range;

use dm_verity::{DataHasher, HashTree, Layout};

use crate::error::{Error, ErrorKind, Result};
use crate::output::Observer;

/// Hashes the data that a disk has from an offset on.
pub(super) struct Measurement {
    hasher: DataHasher,
    /// The range of the data on the disk, in bytes.
    data: Range<u64>,
}

impl Measurement {
    pub(super) fn new(layout: &Layout, offset: u64) -> Result<Self> {
        let hasher = DataHasher::new(layout).map_err(|error| Error::new(ErrorKind::Io, error))?;
        Ok(Self { hasher, data: offset..offset + layout.data_len() })
    }

    /// Returns the hash tree, once the whole disk was observed.
    pub(super) fn finish(self) -> Result<HashTree> {
        self.hasher.finish().map_err(failed)
    }
}

/// Returns the error of bytes that were given twice or not at all, which writers do not do.
fn failed(error: dm_verity::Error) -> Error {
    Error::new(ErrorKind::Verification, error)
}

impl Observer for Measurement {
    fn bytes_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let Range { start, end } = common(&self.data, offset, bytes.len() as u64);
        if start >= end {
            return Ok(());
        }
        // OK to unwrap: the range is within the bytes.
        let index = |at: u64| usize::try_from(at - offset).expect("an index of memory");
        let bytes = &bytes[index(start)..index(end)];
        self.hasher.write_at(start - self.data.start, bytes).map_err(failed)
    }

    fn zeros_at(&self, offset: u64, len: u64) -> Result<()> {
        let Range { start, end } = common(&self.data, offset, len);
        if start >= end {
            return Ok(());
        }
        self.hasher.zeros_at(start - self.data.start, end - start).map_err(failed)
    }
}

/// The part of the `len` bytes at an offset that is within a range.
fn common(range: &Range<u64>, offset: u64, len: u64) -> Range<u64> {
    range.start.max(offset)..range.end.min(offset.saturating_add(len))
}
