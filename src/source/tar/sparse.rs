//! Maps of holes: GNU's old one in headers, and versions 0.0, 0.1 and 1.0 of its extended headers.

use super::error::{MapProblem, Problem};
use crate::blob::archive::Piece;

/// Returns the extents of data in order, with holes between them. `pairs` are their offsets and
/// lengths, `size` is the length of the whole file, and `stored` that of the data in the archive:
/// all extents, one after the other. All are in bytes.
pub(super) fn pieces(pairs: &[(u64, u64)], size: u64, stored: u64) -> Result<Box<[Piece]>, Problem> {
    let (mut end, mut sum) = (0, 0_u64);
    let mut pieces = Vec::with_capacity(pairs.len());
    for &(offset, len) in pairs {
        let piece_end = offset.checked_add(len).filter(|end| *end <= size);
        let piece_end = piece_end.ok_or(Problem::Map(MapProblem::Beyond { offset, len, size }))?;
        if offset < end {
            return Err(Problem::Map(MapProblem::Overlap { offset, end }));
        }
        end = piece_end;
        // An empty extent at the end only states the length of the file.
        if len > 0 {
            pieces.push(Piece { offset, len, stored: sum });
        }
        // Extents within `size` that do not overlap cannot exceed it.
        sum = sum.saturating_add(len);
    }
    if sum != stored {
        return Err(Problem::Map(MapProblem::Stored { pieces: sum, stored }));
    }
    Ok(pieces.into())
}

/// The map of version 1.0 at the start of the payload: decimal numbers, each on a line, in whole
/// blocks.
pub(super) struct TextMap {
    /// The number of values that have not been read yet; none before the first line, which states
    /// the count.
    left: Option<u64>,
    number: Vec<u8>,
    offset: Option<u64>,
    pub(super) pairs: Vec<(u64, u64)>,
}

impl TextMap {
    pub(super) fn new() -> Self {
        Self { left: None, number: Vec::new(), offset: None, pairs: Vec::new() }
    }

    /// Parses the next block. Returns true if the map ends in it.
    pub(super) fn push(&mut self, block: &[u8]) -> Result<bool, Problem> {
        let wrong = || Problem::Map(MapProblem::Text);
        for byte in block {
            if *byte != b'\n' {
                // 2^63 has 19 digits.
                if !byte.is_ascii_digit() || self.number.len() >= 19 {
                    return Err(wrong());
                }
                self.number.push(*byte);
                continue;
            }
            let number = super::pax::length(&self.number).ok_or_else(wrong)?;
            self.number.clear();
            match self.left {
                None => self.left = Some(number.checked_mul(2).ok_or_else(wrong)?),
                Some(left) => {
                    match self.offset.take() {
                        None => self.offset = Some(number),
                        Some(offset) => self.pairs.push((offset, number)),
                    }
                    self.left = Some(left - 1);
                }
            }
            if self.left == Some(0) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_text_map_across_blocks() {
        let text: String = std::iter::once("100\n".to_owned())
            .chain((0..100).map(|index| format!("{}\n{}\n", index * 4096, 512)))
            .collect();
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        let mut map = TextMap::new();
        let ends: Vec<bool> = bytes.chunks(512).map(|block| map.push(block).expect("a map")).collect();
        assert!(ends.len() > 1 && ends.iter().rposition(|end| !end) == ends.len().checked_sub(2));
        assert_eq!(map.pairs.len(), 100);
        assert_eq!(map.pairs[99], (99 * 4096, 512));
        for wrong in ["x\n", "-1\n", "\n", "99999999999999999999\n", "9223372036854775807\n\0"] {
            assert!(TextMap::new().push(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(TextMap::new().push(b"0\n\0\0").expect("an empty map"));
    }

    #[test]
    fn refuses_inconsistent_maps() {
        let text = |pairs: &[(u64, u64)], size, stored| match pieces(pairs, size, stored) {
            Ok(pieces) => format!("{} pieces", pieces.len()),
            Err(problem) => problem.to_string(),
        };
        assert_eq!(text(&[(0, 1), (4, 2), (10, 0)], 10, 3), "2 pieces");
        assert_eq!(text(&[], 10, 0), "0 pieces");
        assert_eq!(
            text(&[(4, 2), (5, 1)], 10, 3),
            "its sparse map has a piece at 5, where the one before it ends at 6"
        );
        assert_eq!(
            text(&[(4, 2), (0, 1)], 10, 3),
            "its sparse map has a piece at 0, where the one before it ends at 6"
        );
        assert_eq!(
            text(&[(4, 7)], 10, 7),
            "its sparse map has a piece of 7 bytes at 4 in a file of 10 bytes"
        );
        assert_eq!(
            text(&[(u64::MAX, 2)], 10, 7),
            "its sparse map has a piece of 2 bytes at 18446744073709551615 in a file of 10 bytes"
        );
        assert_eq!(text(&[(4, 2)], 10, 7), "its sparse map covers 2 bytes, but 7 are stored");
    }
}
