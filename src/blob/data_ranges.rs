//! The data ranges of files. Holes are the rest, and read as zeros.

use std::io;
use std::ops::Range;

use super::chunk::{Sink, grow};
use super::{Blob, Mapped};
use image_tree::Content as _;

impl Blob {
    /// Returns the same bytes with a map; those outside of `data` are known to be zeros.
    pub(crate) fn with_data(&self, data: Vec<Range<u64>>) -> Self {
        let content = self.unmapped().clone();
        Self::Mapped(Mapped::new(content, data).into())
    }

    /// Returns the file without its map of data ranges.
    #[must_use]
    pub fn unmapped(&self) -> &Self {
        match self {
            Blob::Mapped(mapped) => mapped.content(),
            blob => blob,
        }
    }

    /// Returns true if the source seems to store it with holes: an archive with a map of them, or a
    /// filesystem in fewer blocks than its length requires.
    pub(crate) fn may_have_holes(&self) -> bool {
        match self {
            Blob::Host(file) => file.sparse,
            Blob::Sparse(_) | Blob::Mapped(_) => true,
            Blob::Range(_) | Blob::Memory(_) => false,
        }
    }

    /// The data ranges in the source, in order. A filesystem without hole detection reports one
    /// range.
    ///
    /// # Errors
    /// Same as [`image_tree::Content::read_at`].
    pub(crate) fn find_data(&self, goes_on: &dyn Fn() -> bool) -> io::Result<Vec<Range<u64>>> {
        match self {
            Blob::Host(file) if file.sparse => file.find_data(goes_on),
            Blob::Sparse(sparse) => Ok(sparse.data().to_vec()),
            Blob::Mapped(mapped) => Ok(mapped.data().to_vec()),
            Blob::Host(_) | Blob::Range(_) | Blob::Memory(_) => Ok(std::iter::once(0..self.len()).collect()),
        }
    }

    /// Reads ranges of at most [`CHUNK`] bytes that the source stores, in order, until `sink`
    /// returns false.
    ///
    /// # Errors
    /// Same as [`image_tree::Content::read_at`].
    pub(crate) fn read_ranges(
        &self,
        ranges: &[Range<u64>],
        buffer: &mut Vec<u8>,
        sink: Sink<'_>,
    ) -> io::Result<()> {
        match self {
            Blob::Host(file) => file.read_ranges(ranges, buffer, sink),
            Blob::Sparse(sparse) => sparse.read_ranges(ranges, buffer, sink),
            Blob::Mapped(mapped) => mapped.content().read_ranges(ranges, buffer, sink),
            Blob::Range(_) | Blob::Memory(_) => {
                for range in ranges {
                    let bytes = grow(buffer, range.end - range.start)?;
                    self.read_at(bytes, range.start)?;
                    if !sink(range.start, bytes) {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a file may have one range of data")]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt as _;

    use super::super::tests::{change, scanned};
    use super::super::{Change, archive};
    use super::*;

    /// Returns a file of 10 MiB and 5 bytes with data at 1 MiB and at the end, with its state at a
    /// scan.
    fn with_holes(directory: &tempfile::TempDir) -> Blob {
        let file = File::create(directory.path().join("f")).expect("a new file");
        file.set_len((10 << 20) + 5).expect("a hole");
        file.write_all_at(&[1; 5000], 1 << 20).expect("room");
        file.write_all_at(&[2; 5], 10 << 20).expect("room");
        scanned(directory.path(), "f")
    }

    fn read(blob: &Blob, ranges: &[Range<u64>]) -> io::Result<Vec<(u64, Vec<u8>)>> {
        let mut found = Vec::new();
        blob.read_ranges(ranges, &mut Vec::new(), &mut |offset, bytes| {
            found.push((offset, bytes.to_vec()));
            true
        })?;
        Ok(found)
    }

    #[test]
    fn finds_the_data_of_a_file_on_a_filesystem() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
        let blob = with_holes(&directory);
        assert!(blob.may_have_holes());
        let ranges = blob.find_data(&|| true).expect("it can be read");
        // The ranges are whole pages.
        assert_eq!(ranges, [1 << 20..(1 << 20) + 8192, 10 << 20..(10 << 20) + 5]);
        let found = read(&blob, &ranges).expect("it can be read");
        assert_eq!(found[0].1[..5000], [1; 5000]);
        assert_eq!(found[0].1[5000..], [0; 3192]);
        assert_eq!(found[1], (10 << 20, vec![2; 5]));
        assert_eq!(blob.find_data(&|| false).expect("it was stopped"), []);

        fs::write(directory.path().join("dense"), [0; 5000]).expect("a new file");
        let dense = scanned(directory.path(), "dense");
        assert!(!dense.may_have_holes());
        assert_eq!(dense.find_data(&|| true).expect("nothing is read"), [0..5000]);
    }

    #[test]
    fn a_file_without_data_has_no_ranges() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
        File::create(directory.path().join("f")).and_then(|file| file.set_len(1 << 40)).expect("a hole");
        let blob = scanned(directory.path(), "f");
        assert_eq!(blob.find_data(&|| true).expect("it can be read"), []);
    }

    #[test]
    fn a_file_that_changed_is_named() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
        let blob = with_holes(&directory);
        fs::write(directory.path().join("f"), "0123456789").expect("shorter");
        let expected = Change::Size { scanned: (10 << 20) + 5, now: 10 };
        assert_eq!(change(&blob), expected);
        for error in [
            blob.find_data(&|| true).expect_err("it changed"),
            read(&blob, &[1 << 20..(1 << 20) + 8192]).expect_err("it changed"),
        ] {
            let change = super::super::ChangedWhileRead::within(&error).expect("a change");
            assert_eq!(change.change, expected);
        }
    }

    #[test]
    fn data_ranges_do_not_change_the_bytes() {
        let plain = Blob::from(b"\0\0ab\0\0".to_vec());
        let mapped = plain.with_data(vec![2..4]);
        assert_eq!(mapped.data_ranges(), Some(&[2..4][..]));
        assert_eq!((mapped.len(), mapped.unmapped()), (6, &plain));
        assert_eq!(mapped.with_data(vec![2..3]).unmapped(), &plain);
        assert_eq!(super::super::tests::read(&mapped).expect("memory"), b"\0\0ab\0\0");
        assert_eq!(read(&mapped, &[1..3, 3..4]).expect("memory"), [(1, b"\0a".to_vec()), (3, b"b".to_vec())]);
    }

    #[test]
    fn contiguous_pieces_of_an_archive_are_read_at_once() {
        let archive = archive::Archive::memory(b"..0123456789".as_slice().into());
        let stored = archive::ArchiveRange::new(archive.into(), 2, 10);
        let piece = |offset, len, stored| archive::Piece { offset, len, stored };
        let pieces = [piece(5, 3, 0), piece(8, 1, 3), piece(100, 4, 4), piece(1 << 50, 2, 8)];
        let sparse = Blob::Sparse(archive::Sparse::new((1 << 50) + 2, &pieces, stored).into());
        let ranges = sparse.find_data(&|| true).expect("it is known");
        assert_eq!(ranges, [5..8, 8..9, 100..104, 1 << 50..(1 << 50) + 2]);
        assert_eq!(sparse.data_ranges(), Some(&ranges[..]));
        let expected = [(5, "012"), (8, "3"), (100, "4567"), (1 << 50, "89")];
        let expected = expected.map(|(offset, text)| (offset, text.as_bytes().to_vec()));
        assert_eq!(read(&sparse, &ranges).expect("memory"), expected);
        // These are parts of pieces.
        let parts = [6..8, 101..102, 103..104];
        let expected = [(6, "12"), (101, "5"), (103, "7")];
        let expected = expected.map(|(offset, text)| (offset, text.as_bytes().to_vec()));
        assert_eq!(read(&sparse, &parts).expect("memory"), expected);
    }
}
