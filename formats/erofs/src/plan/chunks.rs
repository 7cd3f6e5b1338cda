//! Files in chunks: those with holes.

use std::ops::Range;

use image_tree::Content;

use crate::BlockSize;
use crate::ondisk::chunk::{Entries, MAX_LOG2};

/// The chunks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// The binary logarithm of the number of blocks in a chunk.
    pub(crate) log2: u8,
    pub(crate) entries: Entries,
    /// The number of the first block of the first chunk that is stored; the others follow it.
    pub(crate) first: u64,
    /// The number of chunks, holes included.
    count: u64,
    /// The runs of chunks that are stored, in order, with at least one hole between two of them.
    runs: Box<[Range<u64>]>,
    /// The number of blocks that are stored.
    blocks: u64,
}

impl Chunks {
    /// Divides a file into chunks of the length that takes the least space; returns `None` if that
    /// is no less than the whole file.
    ///
    /// # Panics
    /// Panics if the ranges of the content are invalid: a hole in place of data would lose it.
    pub(crate) fn of<C: Content>(content: &C, block_size: BlockSize, entries: Entries) -> Option<Self> {
        let (len, ranges) = (content.len(), content.data_ranges()?);
        let mut end_of_last = 0;
        for range in ranges {
            assert!(end_of_last <= range.start && range.start < range.end, "{range:?} is not in order");
            end_of_last = range.end;
        }
        assert!(end_of_last <= len, "data lies within the file");
        let all_blocks = block_size.blocks_of(len);
        let mut best: Option<(u64, Self)> = None;
        for log2 in 0..=MAX_LOG2 {
            let chunks = Self::with_log2(ranges, log2, all_blocks, block_size, entries);
            let cost = chunks.map_len().saturating_add(block_size.offset(chunks.blocks));
            let is_last = chunks.count <= 1;
            if best.as_ref().is_none_or(|(least, _)| cost <= *least) {
                best = Some((cost, chunks));
            }
            if is_last {
                break;
            }
        }
        best.filter(|(cost, _)| *cost < block_size.offset(all_blocks)).map(|(_, chunks)| chunks)
    }

    fn with_log2(
        ranges: &[Range<u64>],
        log2: u8,
        all_blocks: u64,
        block_size: BlockSize,
        entries: Entries,
    ) -> Self {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for range in ranges {
            let start = block_size.whole_blocks_of(range.start) >> log2;
            let end = (block_size.whole_blocks_of(range.end - 1) >> log2) + 1;
            match runs.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                _ => runs.push(start..end),
            }
        }
        let blocks = runs.iter().map(|run| (run.end << log2).min(all_blocks) - (run.start << log2)).sum();
        let count = all_blocks.div_ceil(1 << log2);
        Self { log2, entries, first: 0, count, runs: runs.into(), blocks }
    }

    /// The length of the map, in bytes.
    pub(crate) fn map_len(&self) -> u64 {
        self.count * self.entries.len()
    }

    /// The number of chunks, holes included.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The number of blocks that are stored.
    pub(crate) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Returns the runs of blocks of the file that are stored, each with the number of its first
    /// block in the filesystem. The last may reach beyond the end of the file.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (Range<u64>, u64)> {
        self.runs.iter().scan(self.first, |next, run| {
            let blocks = run.start << self.log2..run.end << self.log2;
            let first = *next;
            *next += blocks.end - blocks.start;
            Some((blocks, first))
        })
    }

    /// Writes entries of the map, from that of a chunk on.
    pub(crate) fn write_map(&self, first: u64, out: &mut [u8]) {
        let entry_len = usize::try_from(self.entries.len()).expect("at most 8");
        let mut runs = self.stored().skip_while(|(blocks, _)| blocks.end >> self.log2 <= first).peekable();
        for (chunk, out) in (first..).zip(out.chunks_exact_mut(entry_len)) {
            let start = chunk << self.log2;
            while runs.next_if(|(blocks, _)| blocks.end <= start).is_some() {}
            let run = runs.peek().filter(|(blocks, _)| blocks.start <= start);
            self.entries.write(run.map(|(blocks, first)| first + (start - blocks.start)), out);
        }
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a file may have one range of data")]
mod tests {
    use std::io;

    use super::*;

    struct Ranges(u64, Vec<Range<u64>>);

    impl Content for Ranges {
        fn len(&self) -> u64 {
            self.0
        }

        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            unreachable!("planning reads nothing")
        }

        fn data_ranges(&self) -> Option<&[Range<u64>]> {
            Some(&self.1)
        }
    }

    fn chunks(len: u64, ranges: &[Range<u64>]) -> Option<Chunks> {
        Chunks::of(&Ranges(len, ranges.to_vec()), BlockSize::B4096, Entries::Narrow)
    }

    fn map(chunks: &Chunks, first: u64) -> Vec<u32> {
        let mut map = vec![0; usize::try_from(chunks.map_len() - 4 * first).expect("short")];
        chunks.write_map(first, &mut map);
        map.as_chunks::<4>().0.iter().map(|entry| u32::from_le_bytes(*entry)).collect()
    }

    #[test]
    fn a_file_without_holes_has_no_chunks() {
        assert_eq!(chunks(0, &[]), None);
        assert_eq!(chunks(5000, &[0..5000]), None);
        assert_eq!(chunks(5000, &[0..1, 4096..4097]), None);
    }

    #[test]
    fn an_empty_file_is_one_chunk() {
        let hole = chunks(1 << 40, &[]).expect("a hole");
        assert_eq!((hole.count(), hole.blocks(), map(&hole, 0)), (1, 0, vec![u32::MAX]));
    }

    #[test]
    fn chunks_with_a_byte_of_data_are_stored() {
        let mut chunks =
            chunks(5 * 8192 + 1, &[100..101, 8191..8193, 5 * 8192..5 * 8192 + 1]).expect("holes");
        assert_eq!((chunks.log2, chunks.count(), chunks.blocks()), (0, 11, 4));
        chunks.first = 7;
        const HOLE: u32 = u32::MAX;
        let all = [7, 8, 9, HOLE, HOLE, HOLE, HOLE, HOLE, HOLE, HOLE, 10];
        for first in 0..11 {
            assert_eq!(map(&chunks, first as u64), all[first..]);
        }
    }

    #[test]
    fn the_map_of_a_long_file_is_short() {
        let chunks = chunks(1 << 40, &[0..1]).expect("holes");
        assert!(chunks.map_len() + chunks.blocks() * 4096 <= 4 << 20, "{} {}", chunks.log2, chunks.count());
    }

    #[test]
    #[should_panic(expected = "5..6 is not in order")]
    fn ranges_out_of_order_are_a_defect_of_the_content() {
        chunks(9, &[7..8, 5..6]);
    }

    #[test]
    #[should_panic(expected = "data lies within the file")]
    fn ranges_beyond_the_end_are_a_defect_of_the_content() {
        chunks(1024, &[0..1025]);
    }
}
