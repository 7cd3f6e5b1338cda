//! The blocks to allocate.

use std::collections::BTreeMap;
use std::ops::Range;

use super::alignment::Alignment;
use crate::plan::data::SparseFile;
use crate::plan::sharing::Sharing;

/// The blocks to allocate, independent of the size of the filesystem.
#[derive(Debug, Default)]
pub(crate) struct BlockDemand {
    /// The number of blocks to allocate for every directory, slow symlink and regular file, by
    /// inode number.
    pub(crate) file_blocks: Vec<u32>,
    /// The blocks with data of files with holes, by inode number.
    pub(crate) sparse: BTreeMap<u32, SparseFile>,
    /// Inode numbers in the order in which their blocks are placed.
    pub(crate) order: Vec<u32>,
    /// The number of directories at the start of the order; xattr blocks follow those.
    pub(crate) directories: usize,
    /// The number of blocks of extended attributes.
    pub(crate) xattr_blocks: u32,
    /// The files that share the blocks of another, and so have none to allocate.
    pub(crate) sharing: Sharing,
    /// The alignment of large files; `None` for no alignment.
    pub(crate) alignment: Option<Alignment>,
}

impl BlockDemand {
    /// Makes files share the blocks of others. They then have the same holes: those of the first,
    /// or else of one of the others.
    pub(crate) fn share(&mut self, mut sharing: Sharing) {
        for (later, first) in sharing.iter() {
            self.file_blocks[later as usize] = 0;
            if let Some(sparse) = self.sparse.remove(&later)
                && !self.sparse.contains_key(&first)
            {
                self.file_blocks[first as usize] = sparse.blocks();
                self.sparse.insert(first, sparse);
            }
        }
        // Files without data blocks have nothing to share.
        sharing.retain(|first| self.file_blocks[first as usize] > 0);
        self.sharing = sharing;
    }

    /// Returns the blocks of a file to be allocated, as runs of its logical blocks in order.
    pub(super) fn runs(&self, number: u32) -> Runs<'_> {
        match self.sparse.get(&number) {
            Some(sparse) => Runs::of(sparse.runs()),
            None => Runs::one(0..self.file_blocks[number as usize]),
        }
    }
}

/// Logical blocks of a file that are still to be placed, in order.
#[derive(Clone, Debug)]
pub(super) struct Runs<'n> {
    current: Range<u32>,
    others: std::slice::Iter<'n, Range<u32>>,
}

impl<'n> Runs<'n> {
    pub(super) fn one(run: Range<u32>) -> Self {
        Self { current: run, others: [].iter() }
    }

    pub(super) fn of(runs: &'n [Range<u32>]) -> Self {
        Self { current: 0..0, others: runs.iter() }
    }

    /// Returns up to `most` consecutive blocks, which must not be 0; an empty range at the end.
    pub(super) fn take(&mut self, most: u64) -> Range<u32> {
        if self.current.is_empty() {
            self.current = self.others.next().cloned().unwrap_or(self.current.end..self.current.end);
        }
        let start = self.current.start;
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let end = start.saturating_add(most).min(self.current.end);
        self.current.start = end;
        start..end
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<u32>;

    /// Returns a whole run.
    fn next(&mut self) -> Option<Range<u32>> {
        let run = self.take(u64::MAX);
        (!run.is_empty()).then_some(run)
    }
}
