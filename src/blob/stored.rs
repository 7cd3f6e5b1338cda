//! The data ranges of files. Holes are the rest, and read as zeros.

use std::fs::File;
use std::io;
use std::ops::Range;

use image_tree::Content as _;
use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::{Blob, CloneFile as _, HostFile};

/// The maximum number of bytes read at once.
pub(crate) const CHUNK: u64 = 1 << 20;

/// A file with a map of its data ranges.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapped {
    content: Blob,
    /// The data ranges, in order. All other bytes are zeros.
    data: Box<[Range<u64>]>,
}

impl Mapped {
    /// The file itself.
    #[must_use]
    pub fn content(&self) -> &Blob {
        &self.content
    }

    /// As [`image_tree::Content::data_ranges`].
    #[must_use]
    pub fn data(&self) -> &[Range<u64>] {
        &self.data
    }
}

/// A callback for ranges of a file: an offset, and the bytes there. Returns true to continue.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(u64, &[u8]) -> bool;

impl Blob {
    /// Returns the same bytes with a map; those outside of `data` are known to be zeros.
    pub(crate) fn with_data(&self, data: Vec<Range<u64>>) -> Self {
        let content = self.itself().clone();
        Self::Mapped(Mapped { content, data: data.into() }.into())
    }

    /// Returns the file without its map of data ranges.
    #[must_use]
    pub fn itself(&self) -> &Self {
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
    /// As [`image_tree::Content::read_at`].
    pub(crate) fn stored_ranges(&self, goes_on: &dyn Fn() -> bool) -> io::Result<Vec<Range<u64>>> {
        match self {
            Blob::Host(file) if file.sparse => file.stored_ranges(goes_on),
            Blob::Sparse(sparse) => Ok(sparse.data().to_vec()),
            Blob::Mapped(mapped) => Ok(mapped.data().to_vec()),
            Blob::Host(_) | Blob::Range(_) | Blob::Memory(_) => Ok(std::iter::once(0..self.len()).collect()),
        }
    }

    /// Reads ranges of at most [`CHUNK`] bytes that the source stores, in order, until `sink`
    /// returns false.
    ///
    /// # Errors
    /// As [`image_tree::Content::read_at`].
    pub(crate) fn read_ranges(
        &self,
        ranges: &[Range<u64>],
        buffer: &mut Vec<u8>,
        sink: Sink<'_>,
    ) -> io::Result<()> {
        match self {
            Blob::Host(file) => file.read_ranges(ranges, buffer, sink),
            Blob::Sparse(sparse) => sparse.read_ranges(ranges, buffer, sink),
            Blob::Mapped(mapped) => mapped.content.read_ranges(ranges, buffer, sink),
            Blob::Range(_) | Blob::Memory(_) => {
                for range in ranges {
                    let bytes = room(buffer, range.end - range.start)?;
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

/// Returns the first `len` bytes of a buffer, which grows as needed.
pub(super) fn room(buffer: &mut Vec<u8>, len: u64) -> io::Result<&mut [u8]> {
    let len = usize::try_from(len).map_err(io::Error::other)?;
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    Ok(&mut buffer[..len])
}

impl HostFile {
    fn stored_ranges(&self, goes_on: &dyn Fn() -> bool) -> io::Result<Vec<Range<u64>>> {
        let mut found = Ok(Vec::new());
        self.lend(&mut |file| found = list(file, self.size, goes_on))?;
        found.map_err(|errno| self.unreadable("examined", errno))
    }

    /// Opens the file once, and checks once that it is unchanged.
    fn read_ranges(&self, ranges: &[Range<u64>], buffer: &mut Vec<u8>, sink: Sink<'_>) -> io::Result<()> {
        let file = self.open()?;
        for range in ranges {
            let bytes = room(buffer, range.end - range.start)?;
            let filled = self.fill(&file, bytes, range.start)?;
            if filled < bytes.len() {
                return Err(self.ended(&file, range.start.saturating_add(filled as u64)));
            }
            if !sink(range.start, bytes) {
                break;
            }
        }
        self.check_unchanged(&file)
    }
}

/// Lists the data ranges of a file with lseek(2).
fn list(file: &File, len: u64, goes_on: &dyn Fn() -> bool) -> rustix::io::Result<Vec<Range<u64>>> {
    let mut ranges = Vec::new();
    let mut end = 0;
    while end < len && goes_on() {
        let start = match rustix::fs::seek(file, SeekFrom::Data(end)) {
            Ok(start) => start.max(end),
            // There is no data up to the end.
            Err(Errno::NXIO) => break,
            // The filesystem does not support SEEK_DATA.
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => end,
            Err(errno) => return Err(errno),
        };
        let hole = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
            // A hole before its data is invalid.
            Ok(hole) if hole > start => hole,
            Ok(_) | Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => len,
            Err(errno) => return Err(errno),
        };
        if start >= len {
            break;
        }
        end = hole.min(len);
        ranges.push(start..end);
    }
    Ok(ranges)
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a file may have one range of data")]
mod tests {
    use std::fs;
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
    fn a_filesystem_names_the_data_of_a_file() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
        let blob = with_holes(&directory);
        assert!(blob.may_have_holes());
        let ranges = blob.stored_ranges(&|| true).expect("it can be read");
        // The ranges are whole pages.
        assert_eq!(ranges, [1 << 20..(1 << 20) + 8192, 10 << 20..(10 << 20) + 5]);
        let found = read(&blob, &ranges).expect("it can be read");
        assert_eq!(found[0].1[..5000], [1; 5000]);
        assert_eq!(found[0].1[5000..], [0; 3192]);
        assert_eq!(found[1], (10 << 20, vec![2; 5]));
        assert_eq!(blob.stored_ranges(&|| false).expect("it was stopped"), []);

        fs::write(directory.path().join("dense"), [0; 5000]).expect("a new file");
        let dense = scanned(directory.path(), "dense");
        assert!(!dense.may_have_holes());
        assert_eq!(dense.stored_ranges(&|| true).expect("nothing is read"), [0..5000]);
    }

    #[test]
    fn a_file_without_any_data() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
        File::create(directory.path().join("f")).and_then(|file| file.set_len(1 << 40)).expect("a hole");
        let blob = scanned(directory.path(), "f");
        assert_eq!(blob.stored_ranges(&|| true).expect("it can be read"), []);
    }

    #[test]
    fn a_file_that_changed_is_named() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
        let blob = with_holes(&directory);
        fs::write(directory.path().join("f"), "0123456789").expect("shorter");
        let expected = Change::Size { scanned: (10 << 20) + 5, now: 10 };
        assert_eq!(change(&blob), expected);
        for error in [
            blob.stored_ranges(&|| true).expect_err("it changed"),
            read(&blob, &[1 << 20..(1 << 20) + 8192]).expect_err("it changed"),
        ] {
            let change = super::super::ChangedWhileRead::within(&error).expect("a change");
            assert_eq!(change.change, expected);
        }
    }

    #[test]
    fn what_is_known_of_holes_changes_no_byte() {
        let plain = Blob::from(b"\0\0ab\0\0".to_vec());
        let mapped = plain.with_data(vec![2..4]);
        assert_eq!(mapped.data_ranges(), Some(&[2..4][..]));
        assert_eq!((mapped.len(), mapped.itself()), (6, &plain));
        assert_eq!(mapped.with_data(vec![2..3]).itself(), &plain);
        assert_eq!(super::super::tests::read(&mapped).expect("memory"), b"\0\0ab\0\0");
        assert_eq!(read(&mapped, &[1..3, 3..4]).expect("memory"), [(1, b"\0a".to_vec()), (3, b"b".to_vec())]);
    }

    #[test]
    fn pieces_of_an_archive_are_read_together() {
        let archive = archive::Archive::memory(b"..0123456789".as_slice().into());
        let stored = archive::ArchiveRange::new(archive.into(), 2, 10);
        let piece = |offset, len, stored| archive::Piece { offset, len, stored };
        let pieces = [piece(5, 3, 0), piece(8, 1, 3), piece(100, 4, 4), piece(1 << 50, 2, 8)];
        let sparse = Blob::Sparse(archive::Sparse::new((1 << 50) + 2, &pieces, stored).into());
        let ranges = sparse.stored_ranges(&|| true).expect("it is known");
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
