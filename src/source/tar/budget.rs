//! How much one archive may ask for.

use super::error::Problem;

/// What an archive may ask for at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of the unpacked archive, and, apart from that, of all its files without their holes.
    pub max_size: u64,
    /// Headers, and directories that no header is for.
    pub max_entries: u64,
    /// The memory that unpacking may take, in bytes: the window of zstd, and all of xz and lzma. None is 128 MiB for zstd
    /// and 576 MiB for the others, which is enough for every level that needs no flag of its own.
    pub decoder_memory: Option<u64>,
}

impl Limits {
    /// 1 TiB, 16,777,216 entries and the usual memory.
    pub const DEFAULT: Self = Self { max_size: 1 << 40, max_entries: 1 << 24, decoder_memory: None };

    /// The most that [`decoder_memory`](Self::decoder_memory) can be, in bytes: 8 GiB. No format needs more.
    pub const MAX_DECODER_MEMORY: u64 = 8 << 30;
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What is held in memory of names, link targets, xattrs and maps of holes at most, in bytes: 2 GiB.
const MAX_METADATA: u64 = 2 << 30;

/// What was asked for so far.
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

    /// One more header or directory.
    pub(super) fn entry(&mut self) -> Result<(), Problem> {
        self.entries += 1;
        if self.entries > self.limits.max_entries {
            return Err(Problem::MaxEntries(self.limits.max_entries));
        }
        Ok(())
    }

    /// A file with so many bytes of data.
    pub(super) fn file(&mut self, len: u64) -> Result<(), Problem> {
        self.size = self.size.saturating_add(len);
        if self.size > self.limits.max_size {
            let what = "the files up to here have, holes left out,";
            return Err(Problem::MaxSize { what, max: self.limits.max_size });
        }
        Ok(())
    }

    /// So many bytes of what stays in memory.
    pub(super) fn metadata(&mut self, len: usize) -> Result<(), Problem> {
        self.metadata = self.metadata.saturating_add(len as u64);
        if self.metadata > MAX_METADATA {
            return Err(Problem::MaxMetadata(MAX_METADATA));
        }
        Ok(())
    }
}
