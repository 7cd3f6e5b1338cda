//! The alignment of files to pages.

use std::ops::Range;

use crate::BlockSize;
use crate::options::DataAlignment;

/// A [`DataAlignment`] in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alignment {
    /// The number of blocks in a page; at least 2.
    pub(super) unit: u64,
    /// The number of blocks from the start of a page to the start of the filesystem.
    pub(super) phase: u64,
}

impl Alignment {
    /// Returns `None` if pages are not larger than blocks.
    pub(crate) fn of(alignment: DataAlignment, block_size: BlockSize) -> Option<Self> {
        let unit = alignment.bytes / block_size.bytes();
        let phase = alignment.filesystem_offset / block_size.bytes() % unit.max(1);
        (unit > 1).then_some(Self { unit, phase })
    }

    /// Returns the first block from `from` on with the same offset in its page as the block
    /// `logical` of the file.
    pub(super) fn next(self, from: u64, logical: u32) -> u64 {
        let is = (from % self.unit + self.phase) % self.unit;
        let wanted = u64::from(logical) % self.unit;
        from + (self.unit + wanted - is) % self.unit
    }

    /// Returns true if a run of logical blocks contains a whole page of the file, and so is worth
    /// the gap before it, which is not longer than the run.
    pub(super) fn holds_page(self, run: &Range<u32>) -> bool {
        u64::from(run.start).next_multiple_of(self.unit) + self.unit <= u64::from(run.end)
    }
}
