//! Maps of holes in the form of GNU tar, version 1.0: decimal numbers on lines at the start of the
//! data, the number of extents first, then the offset and the length of each.

use std::ops::Range;

use image_tree::Content;

use crate::header;
use crate::options::Holes;

/// Returns the data ranges of a file that is stored with a map: one that has a hole.
pub(crate) fn extents<C: Content>(content: &C, holes: Holes) -> Option<&[Range<u64>]> {
    let ranges = content.data_ranges().filter(|_| holes == Holes::Map)?;
    (stored(ranges) < content.len()).then_some(ranges)
}

/// Returns the number of bytes in all ranges.
pub(crate) fn stored(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// Returns the map of a file of `len` bytes, padded to whole blocks.
pub(crate) fn map(ranges: &[Range<u64>], len: u64) -> Vec<u8> {
    // An extent without bytes states the length of a file that ends with a hole, as GNU tar does.
    let end = ranges.last().map_or(0, |range| range.end);
    let last = (end < len).then_some(len..len);
    let mut text = format!("{}\n", ranges.len() + usize::from(last.is_some())).into_bytes();
    for range in ranges.iter().chain(&last) {
        text.extend(format!("{}\n{}\n", range.start, range.end - range.start).into_bytes());
    }
    header::pad(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_end_with_the_length_of_the_file() {
        let text = |extents: &[(u64, u64)], len| {
            let ranges: Vec<Range<u64>> = extents.iter().map(|(start, end)| *start..*end).collect();
            let map = map(&ranges, len);
            assert!(map.len().is_multiple_of(512));
            String::from_utf8(map).expect("digits").trim_end_matches('\0').to_owned()
        };
        assert_eq!(text(&[(4096, 8192)], 8192), "1\n4096\n4096\n");
        assert_eq!(text(&[(0, 4096)], 9000), "2\n0\n4096\n9000\n0\n");
        assert_eq!(text(&[], 5), "1\n5\n0\n");
    }
}
