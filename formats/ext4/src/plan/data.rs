//! The logical blocks of files with data. The blocks between them are holes, which are not
//! allocated.

use std::ops::Range;

use image_tree::Content;

use crate::BlockSize;

/// Returns the number of blocks of a file, including holes.
pub(crate) fn blocks_of<C: Content>(content: &C, block_size: BlockSize) -> u32 {
    u32::try_from(block_size.blocks_of(content.len())).expect("longer files are refused first")
}

/// The blocks with data of a file with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SparseFile {
    /// In order, with at least one block between two of them.
    runs: Box<[Range<u32>]>,
}

impl SparseFile {
    /// Returns `None` if every block has data.
    ///
    /// # Panics
    /// Panics if the ranges of the content are invalid: a hole in place of data would lose it.
    pub(crate) fn of<C: Content>(content: &C, block_size: BlockSize) -> Option<Self> {
        let ranges = content.data_ranges()?;
        let blocks = blocks_of(content, block_size);
        let mut runs: Vec<Range<u32>> = Vec::new();
        let mut end_of_last = 0;
        for range in ranges {
            assert!(end_of_last <= range.start && range.start < range.end, "{range:?} is not in order");
            end_of_last = range.end;
            let end = block_size.blocks_of(range.end);
            let [start, end] = [range.start >> block_size.log2(), end].map(|block| {
                u32::try_from(block).ok().filter(|block| *block <= blocks).expect("data lies within the file")
            });
            match runs.last_mut() {
                Some(last) if start <= last.end => last.end = end,
                _ => runs.push(start..end),
            }
        }
        let is_whole = blocks == 0 || matches!(&runs[..], [run] if *run == (0..blocks));
        (!is_whole).then(|| Self { runs: runs.into() })
    }

    /// Returns the number of blocks with data.
    pub(crate) fn blocks(&self) -> u32 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Returns the runs of consecutive blocks with data, in order.
    pub(crate) fn runs(&self) -> &[Range<u32>] {
        &self.runs
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::io;

    use super::*;

    /// A content with a length and these ranges of data.
    pub(crate) struct Ranges(pub(crate) u64, pub(crate) Vec<Range<u64>>);

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
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a file may have one range of data")]
mod tests {
    use super::testing::Ranges;
    use super::*;

    fn check(len: u64, ranges: &[Range<u64>], expected: Option<&[Range<u32>]>) {
        let file = SparseFile::of(&Ranges(len, ranges.into()), BlockSize::B1024);
        assert_eq!(file.as_ref().map(SparseFile::runs), expected, "{ranges:?} of {len}");
    }

    #[test]
    fn blocks_with_a_byte_of_data_are_data() {
        check(0, &[], None);
        check(1, &[], Some(&[]));
        check(5000, &[], Some(&[]));
        check(5000, &[0..5000], None);
        check(5000, &[0..1, 4999..5000], Some(&[0..1, 4..5]));
        check(5000, &[1023..1025], Some(&[0..2]));
        check(5000, &[1024..2048, 3072..3073], Some(&[1..2, 3..4]));
    }

    #[test]
    fn runs_that_meet_in_a_block_or_at_its_edge_are_one() {
        check(9000, &[0..1, 1023..1024, 1024..1025], Some(&[0..2]));
        check(9000, &[1024..1025, 2047..2048, 2048..2049], Some(&[1..3]));
        let every_block: Vec<_> = (0..9).map(|block| block * 1024..block * 1024 + 1).collect();
        check(9000, &every_block, None);
    }

    #[test]
    #[should_panic(expected = "5..6 is not in order")]
    fn ranges_out_of_order_are_a_defect_of_the_content() {
        check(9, &[7..8, 5..6], None);
    }

    #[test]
    #[should_panic(expected = "data lies within the file")]
    fn ranges_beyond_the_end_are_a_defect_of_the_content() {
        check(1024, &[0..1025], None);
    }
}
