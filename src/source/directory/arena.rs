//! An append-only table whose items keep their places.

use std::cell::{Cell, OnceCell};

/// The number of segments: enough for every index of 32 bits.
const SEGMENTS: usize = 32;

/// A table that grows through a shared reference: an item is never moved or dropped before the
/// table is, so that references to it stay valid.
pub(super) struct Arena<T> {
    /// Each segment is twice as long as the one before it; the first one holds one item.
    segments: [OnceCell<Box<[OnceCell<T>]>>; SEGMENTS],
    len: Cell<u32>,
}

impl<T> Arena<T> {
    pub(super) fn new() -> Self {
        Self { segments: [const { OnceCell::new() }; SEGMENTS], len: Cell::new(0) }
    }

    /// The number of items.
    pub(super) fn len(&self) -> u32 {
        self.len.get()
    }

    /// Appends an item and returns its index; `None` if the table is full.
    pub(super) fn push(&self, item: T) -> Option<u32> {
        let index = self.len.get();
        let len = index.checked_add(1)?;
        let (segment, offset) = position(index)?;
        let segment = self.segments[segment]
            .get_or_init(|| (0..=offset_mask(segment)).map(|_| OnceCell::new()).collect());
        segment.get(offset)?.set(item).ok()?;
        self.len.set(len);
        Some(index)
    }

    /// Returns the item at an index; `None` beyond the last one.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        let (segment, offset) = position(u32::try_from(index).ok()?)?;
        self.segments[segment].get()?.get(offset)?.get()
    }

    /// Returns the items in the order of their indices.
    pub(super) fn into_items(self) -> impl Iterator<Item = T> {
        let segments = self.segments.into_iter().filter_map(OnceCell::into_inner);
        segments.flat_map(<[_]>::into_vec).filter_map(OnceCell::into_inner)
    }
}

/// Returns the segment of an index, and the offset in it; `None` for the last index of 32 bits.
fn position(index: u32) -> Option<(usize, usize)> {
    let number = index.checked_add(1)?;
    let segment = number.ilog2();
    Some((segment as usize, (number - (1 << segment)) as usize))
}

/// The highest offset in a segment.
fn offset_mask(segment: usize) -> usize {
    (1 << segment) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_places_while_the_table_grows() {
        let arena = Arena::new();
        assert_eq!((arena.push(0_u32), arena.len(), arena.get(1)), (Some(0), 1, None));
        let first = arena.get(0).expect("it was added");
        for number in 1..1000 {
            assert_eq!(arena.push(number), Some(number));
        }
        assert!(std::ptr::eq(first, arena.get(0).expect("it was added")));
        for number in 0..1000_u32 {
            assert_eq!(arena.get(number as usize), Some(&number));
        }
        assert_eq!((arena.len(), arena.get(1000), arena.get(usize::MAX)), (1000, None, None));
        assert!(arena.into_items().eq(0..1000));
    }

    #[test]
    fn every_index_has_a_position() {
        assert_eq!(
            [0, 1, 2, 3, 6, 7].map(position),
            [(0, 0), (1, 0), (1, 1), (2, 0), (2, 3), (3, 0)].map(Some)
        );
        assert_eq!(position(u32::MAX - 1), Some((31, (1 << 31) - 1)));
        assert_eq!(position(u32::MAX), None);
    }
}
