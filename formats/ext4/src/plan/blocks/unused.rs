//! The blocks that are not allocated yet.

use std::collections::VecDeque;
use std::ops::Range;

use super::demand::Runs;
use super::extent::Extent;
use crate::ondisk::extent::MAX_LEN;
use crate::plan::groups::Geometry;

/// The unused blocks, in order. They are unbounded: allocations beyond the last block of the
/// geometry show how much larger the filesystem would have to be.
#[derive(Clone, Debug)]
pub(super) struct FreeSpace {
    pub(super) ranges: VecDeque<Range<u64>>,
    /// One past the last block taken.
    pub(super) end: u64,
}

impl FreeSpace {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let backups = geometry.backups.groups(u32::MAX);
        let starts = backups.iter().map(|group| geometry.first_block(*group) + geometry.backup_blocks());
        let ends = backups.iter().skip(1).map(|group| geometry.first_block(*group)).chain([u64::MAX]);
        Self {
            ranges: starts.zip(ends).map(|(start, end)| start..end).collect(),
            end: geometry.first_block(0) + geometry.backup_blocks(),
        }
    }

    /// Allocates `blocks` from the front and passes them to `piece` as ranges.
    pub(super) fn take(&mut self, mut blocks: u64, mut piece: impl FnMut(Range<u64>)) {
        while blocks > 0 {
            let front = self.ranges.front_mut().expect("the last range has no end");
            let end = front.end.min(front.start + blocks);
            piece(front.start..end);
            blocks -= end - front.start;
            self.end = self.end.max(end);
            front.start = end;
            if front.is_empty() {
                self.ranges.pop_front();
            }
        }
    }

    pub(super) fn take_block(&mut self) -> u64 {
        let mut block = 0;
        self.take(1, |range| block = range.start);
        block
    }

    /// Allocates `blocks` contiguous blocks from the first range that is long enough.
    pub(super) fn take_contiguous(&mut self, blocks: u64) -> u64 {
        let fits = |range: &Range<u64>| range.end - range.start >= blocks;
        let position = self.ranges.iter().position(fits).expect("the last range has no end");
        let start = self.ranges[position].start;
        self.ranges[position].start += blocks;
        self.end = self.end.max(start + blocks);
        if self.ranges[position].is_empty() {
            self.ranges.remove(position);
        }
        start
    }
}

/// Allocates the next `blocks` blocks of a file, as extents of at most the maximum length.
pub(super) fn take_extents(free: &mut FreeSpace, blocks: u32, mut runs: Runs<'_>, out: &mut Vec<Extent>) {
    free.take(u64::from(blocks), |range| push_extents(range, &mut runs, out));
}

/// Continues a file in a range, which must not be longer than the rest of the file. A hole ends an
/// extent.
pub(super) fn push_extents(range: Range<u64>, runs: &mut Runs<'_>, out: &mut Vec<Extent>) {
    let mut physical = range.start;
    while physical < range.end {
        let taken = runs.take((range.end - physical).min(MAX_LEN));
        let len = taken.end - taken.start;
        assert!(len > 0, "blocks are taken for data only");
        out.push(Extent { logical: taken.start, len, physical });
        physical += u64::from(len);
    }
}
