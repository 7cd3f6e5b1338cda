//! The places of inodes.
//!
//! An inode is placed at the earliest offset behind the last one that its parts allow. What is left
//! before it is a gap, which later inodes fill: a bounded number of gaps is kept, so that the time
//! is bounded, and inodes that are close in the tree stay close.

use std::ops::Range;

use crate::BlockSize;
use crate::ondisk::inode::SLOT;

/// The maximum number of gaps that are kept.
const MAX_GAPS: usize = 256;

/// The room that an inode needs, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// The length of the inode itself, which is within one block.
    pub(crate) inode: u64,
    /// The length of the inode, its xattrs and its map.
    pub(crate) head: u64,
    /// The length of the tail, which is in the block in which the head ends.
    pub(crate) tail: u64,
    /// True if everything is within one block if there is a tail.
    pub(crate) whole: bool,
    /// True if the tail is read from a file, so that it cannot be within the checksum.
    pub(crate) has_content: bool,
}

impl Room {
    /// Returns true if some offset suits, wherever it is.
    pub(crate) fn exists(&self, block_size: BlockSize) -> bool {
        self.len() <= block_size.bytes()
            || (0..block_size.bytes() / SLOT).any(|slot| self.suits(slot * SLOT, block_size))
    }

    /// Returns the earliest suitable offset from `from` on.
    fn earliest(&self, from: u64, block_size: BlockSize) -> u64 {
        debug_assert!(self.exists(block_size));
        let mut start = from.next_multiple_of(SLOT);
        if self.has_content && self.tail > 0 {
            let behind = block_size.checksum_end().saturating_sub(self.head);
            start = start.max(behind.next_multiple_of(SLOT));
        }
        if self.len() <= block_size.bytes() {
            return if self.suits(start, block_size) {
                start
            } else {
                start.next_multiple_of(block_size.bytes())
            };
        }
        while !self.suits(start, block_size) {
            start += SLOT;
        }
        start
    }

    /// Returns true if no part crosses a block that must not do so.
    fn suits(&self, start: u64, block_size: BlockSize) -> bool {
        let block = |offset: u64| block_size.whole_blocks_of(offset);
        let end = start + self.len();
        if (self.whole && self.tail > 0) || self.len() <= block_size.bytes() {
            return block(start) == block(end - 1);
        }
        block(start) == block(start + self.inode - 1)
            && (self.tail == 0 || block(start + self.head - 1) == block(end - 1))
    }

    fn len(&self) -> u64 {
        self.head + self.tail
    }
}

/// The space that is given to inodes.
#[derive(Debug)]
pub(crate) struct MetadataSpace {
    block_size: BlockSize,
    end: u64,
    /// In order.
    gaps: Vec<Range<u64>>,
}

impl MetadataSpace {
    /// Creates the space from an offset on.
    pub(crate) fn new(start: u64, block_size: BlockSize) -> Self {
        Self { block_size, end: start, gaps: Vec::new() }
    }

    /// Returns the end of the space that is in use, in bytes.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Gives room to an inode, in the shortest gap with enough, and returns its offset in bytes.
    pub(crate) fn place(&mut self, room: Room) -> u64 {
        let len = room.head + room.tail;
        let fit = |gap: &Range<u64>| {
            let start = room.earliest(gap.start, self.block_size);
            (start + len <= gap.end).then_some(start)
        };
        let long_enough = self.gaps.iter().enumerate().filter(|(_, gap)| gap.end - gap.start >= len);
        let fits = long_enough.filter_map(|(index, gap)| Some((gap.end - gap.start, index, fit(gap)?)));
        if let Some((_, index, start)) = fits.min() {
            let gap = self.gaps.remove(index);
            self.keep(index, start + len..gap.end);
            self.keep(index, gap.start..start);
            return start;
        }
        let start = room.earliest(self.end, self.block_size);
        let gap = std::mem::replace(&mut self.end, start + len)..start;
        self.keep(self.gaps.len(), gap);
        if self.gaps.len() > MAX_GAPS {
            self.gaps.remove(0);
        }
        start
    }

    /// Gives room to an inode behind all others, and returns its offset in bytes.
    pub(crate) fn place_last(&mut self, room: Room) -> u64 {
        let start = room.earliest(self.end, self.block_size);
        self.end = start + room.head + room.tail;
        start
    }

    /// Keeps a gap if an inode may fit.
    fn keep(&mut self, index: usize, gap: Range<u64>) {
        let start = gap.start.next_multiple_of(SLOT);
        if start + SLOT <= gap.end {
            self.gaps.insert(index, start..gap.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(head: u64, tail: u64) -> Room {
        Room { inode: 32, head, tail, whole: false, has_content: false }
    }

    #[test]
    fn later_inodes_fill_gaps() {
        let mut space = MetadataSpace::new(1152, BlockSize::B4096);
        assert_eq!(space.place(room(32, 2000)), 1152);
        // 912 bytes are left of the block.
        assert_eq!(space.place(room(32, 1500)), 4096);
        assert_eq!(space.place(room(64, 0)), 3200, "the gap begins with a slot");
        assert_eq!(space.place(room(32, 0)), 3264);
        assert_eq!(space.end(), 4096 + 1532);
    }

    #[test]
    fn tails_of_files_are_behind_the_checksum() {
        for (block_size, first) in [(BlockSize::B512, 1536), (BlockSize::B4096, 4096)] {
            let mut space = MetadataSpace::new(1152, block_size);
            assert_eq!(space.place(Room { has_content: true, ..room(32, 9) }), first);
            assert_eq!(space.place(Room { has_content: true, ..room(32, 0) }), 1152);
        }
    }

    #[test]
    fn a_tail_is_in_the_block_in_which_a_long_head_ends() {
        let mut space = MetadataSpace::new(1152, BlockSize::B512);
        let long = room(32 + 1024, 400);
        let start = space.place(long);
        assert_eq!((start + long.head - 1) / 512, (start + long.head + long.tail - 1) / 512);
        assert!(long.exists(BlockSize::B512) && !room(32 + 1024, 481).exists(BlockSize::B512));
        assert!(!Room { whole: true, ..long }.exists(BlockSize::B512));
        assert!(
            room(32 + 1028, 508).exists(BlockSize::B512) && !room(32 + 1028, 509).exists(BlockSize::B512)
        );
    }
}
