//! Limits on the resources that one archive can take.

use super::error::Problem;

/// The limits on an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of the unpacked archive, and, separately, of all its files without their holes.
    pub max_size: u64,
    /// The number of headers, and of directories without a header.
    pub max_entries: u64,
    /// The memory that unpacking may take, in bytes: the window of zstd, and all memory of xz and
    /// lzma. None means 128 MiB for zstd and 576 MiB for the others, which is enough for every
    /// level that needs no flag of its own.
    pub decoder_memory: Option<u64>,
}

impl Limits {
    /// 1 TiB, 16,777,216 entries and the default memory.
    pub const DEFAULT: Self = Self { max_size: 1 << 40, max_entries: 1 << 24, decoder_memory: None };

    /// The maximum of [`decoder_memory`](Self::decoder_memory), in bytes: 8 GiB. No format needs
    /// more.
    pub const MAX_DECODER_MEMORY: u64 = 8 << 30;
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The most memory for names, link targets, xattrs and sparse maps, in bytes: 2 GiB.
const MAX_METADATA: u64 = 2 << 30;

/// The amounts charged so far.
pub(super) struct Budget {
    limits: Limits,
    size: u64,
    entries: u64,
    metadata: u64,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, size: 0, entries: 0, metadata: 0 }
    }

    /// Charges one header or directory.
    pub(super) fn entry(&mut self) -> Result<(), Problem> {
        self.entries += 1;
        if self.entries > self.limits.max_entries {
            return Err(Problem::MaxEntries(self.limits.max_entries));
        }
        Ok(())
    }

    /// Charges a file with `len` bytes of data.
    pub(super) fn file(&mut self, len: u64) -> Result<(), Problem> {
        self.size = self.size.saturating_add(len);
        if self.size > self.limits.max_size {
            let what = "the files up to here have, holes left out,";
            return Err(Problem::MaxSize { what, max: self.limits.max_size });
        }
        Ok(())
    }

    /// Charges `len` bytes that stay in memory.
    pub(super) fn metadata(&mut self, len: usize) -> Result<(), Problem> {
        self.metadata = self.metadata.saturating_add(len as u64);
        if self.metadata > MAX_METADATA {
            return Err(Problem::MaxMetadata(MAX_METADATA));
        }
        Ok(())
    }
}
