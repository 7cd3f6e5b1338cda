//! An archive that is held open; files are ranges of it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use image_tree::Content;

use super::chunk::{CHUNK, Sink, grow};
use super::content::Certainty;
use super::identity::{Identity, file_size};
use super::spooled::Spooled;
use crate::error::{Change, ChangedWhileRead};
use crate::shown;

/// The bytes of an archive, or the part that was kept.
///
/// It holds one file open, whatever the number of contents that are ranges of it.
#[derive(Debug)]
pub struct Archive {
    bytes: Arc<Bytes>,
    /// The digest of all bytes of the archive, unpacked, once it was verified.
    verified: OnceLock<Box<str>>,
}

#[derive(Debug)]
enum Bytes {
    /// A file of the host, which must not change after it was opened.
    Host { file: File, path: PathBuf, size: u64, identity: Identity, is_cached: bool },
    /// Unpacked bytes, which no other process can change.
    Spool(Spooled),
    /// Bytes in memory.
    Memory(Arc<[u8]>),
}

impl Archive {
    /// Returns an archive that is a regular file of the host.
    pub(crate) fn host(file: File, path: &Path) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&file)?;
        let (size, identity) = (file_size(&stat), Identity::of(&stat));
        Ok(Self::of(Bytes::Host { file, path: path.to_owned(), size, identity, is_cached: false }))
    }

    fn of(bytes: Bytes) -> Self {
        Self { bytes: Arc::new(bytes), verified: OnceLock::new() }
    }

    /// Returns an archive that is a file of the cache, whose time of use other runs change.
    pub(crate) fn cached(file: File, name: &Path) -> io::Result<Self> {
        let mut archive = Self::host(file, name)?;
        if let Some(Bytes::Host { is_cached, .. }) = Arc::get_mut(&mut archive.bytes) {
            *is_cached = true;
        }
        Ok(archive)
    }

    /// Returns the archive of what is unpacked into a spool.
    pub(super) fn spooled(spooled: Spooled) -> Self {
        Self::of(Bytes::Spool(spooled))
    }

    /// The spool, if the archive is one.
    pub(super) fn as_spooled(&self) -> Option<&Spooled> {
        match &*self.bytes {
            Bytes::Spool(spooled) => Some(spooled),
            Bytes::Host { .. } | Bytes::Memory(_) => None,
        }
    }

    /// Returns the same bytes as an archive of its own, such as a layer within an archive, which is
    /// not verified.
    pub(crate) fn share(&self) -> Self {
        Self { bytes: Arc::clone(&self.bytes), verified: OnceLock::new() }
    }

    /// Records the digest of all bytes of the archive, unpacked.
    pub(crate) fn set_verified(&self, digest: &str) {
        // OK to ignore: there is one digest.
        let _ = self.verified.set(digest.into());
    }

    /// Returns an archive in memory.
    pub(crate) fn memory(bytes: Arc<[u8]>) -> Self {
        Self::of(Bytes::Memory(bytes))
    }

    /// The length of the archive in bytes when it was opened; 0 for a spool.
    pub(crate) fn len(&self) -> u64 {
        match &*self.bytes {
            Bytes::Host { size, .. } => *size,
            Bytes::Spool(_) => 0,
            Bytes::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Reads without checking that the archive is unchanged, for callers that check at the end.
    pub(crate) fn read_unchecked(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match &*self.bytes {
            Bytes::Host { file, .. } => file.read_exact_at(buffer, offset),
            Bytes::Spool(spooled) => spooled.read_at(buffer, offset),
            Bytes::Memory(bytes) => bytes.read_at(buffer, offset),
        }
    }

    /// Fails if the archive has changed since it was opened.
    pub(crate) fn check_unchanged(&self) -> io::Result<()> {
        let Bytes::Host { file, path, size, identity, is_cached } = &*self.bytes else { return Ok(()) };
        match identity.difference(*size, &rustix::fs::fstat(file)?) {
            // It was used or removed by another run.
            Some(Change::Inode) if *is_cached => Ok(()),
            Some(change) => Err(io::Error::other(ChangedWhileRead { path: path.clone(), change })),
            None => Ok(()),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match (self.read_unchecked(buffer, offset), &*self.bytes) {
            (Err(error), Bytes::Host { path, size, .. }) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.check_unchanged()?;
                // The filesystem returns fewer bytes than `st_size`.
                let change = Change::Size { scanned: *size, now: offset };
                Err(io::Error::other(ChangedWhileRead { path: path.clone(), change }))
            }
            (Err(error), Bytes::Host { path, .. }) => {
                Err(io::Error::new(error.kind(), format!("{}: cannot be read: {error}", shown::path(path))))
            }
            (Err(error), Bytes::Spool(spooled)) => {
                let (source, what) = (&spooled.source, "what was unpacked from it cannot be read");
                Err(io::Error::new(error.kind(), format!("{}: {what}: {error}", shown::path(source))))
            }
            (result, _) => result.and_then(|()| self.check_unchanged()),
        }
    }
}

/// A file that is one range of an archive.
#[derive(Clone, Debug)]
pub struct ArchiveRange {
    archive: Arc<Archive>,
    /// The offset in the archive, or the address in a spool, in bytes.
    offset: u64,
    /// The offset in the archive from the start of its first member, unpacked, in bytes.
    position: u64,
    len: u64,
}

impl ArchiveRange {
    /// Returns the `len` bytes of the archive at `offset`.
    pub(crate) fn new(archive: Arc<Archive>, offset: u64, len: u64) -> Self {
        Self { archive, offset, position: offset, len }
    }

    /// Returns the same range, whose offset in the unpacked archive is another one.
    pub(crate) fn at_position(self, position: u64) -> Self {
        Self { position, ..self }
    }

    /// Returns all bytes of an archive that is not a spool.
    pub(crate) fn whole(archive: Arc<Archive>) -> Self {
        let len = archive.len();
        Self { archive, offset: 0, position: 0, len }
    }

    /// The archive, and the offset of the range in it, in bytes.
    pub(crate) fn place(&self) -> (&Arc<Archive>, u64) {
        (&self.archive, self.offset)
    }

    /// The spool, and the offset in its file of a byte of the range, if that is in the file.
    pub(super) fn in_file(&self, offset: u64) -> Option<(&Spooled, u64)> {
        let spooled = self.archive.as_spooled()?;
        Some((spooled, Spooled::file_offset(self.offset)?.saturating_add(offset)))
    }

    /// Same as [`Identified::identify`](super::Identified::identify).
    pub(super) fn identify(&self, sink: &mut dyn FnMut(&[u8])) -> Certainty {
        let Some(digest) = self.archive.verified.get() else { return Certainty::Unknown };
        sink(digest.as_bytes());
        sink(&self.position.to_le_bytes());
        match &*self.archive.bytes {
            Bytes::Spool(_) | Bytes::Host { is_cached: true, .. } => Certainty::Certain,
            Bytes::Host { .. } | Bytes::Memory(_) => Certainty::Verified,
        }
    }

    fn check(&self, buffer: &[u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.len);
        end.map(|_| ()).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

impl Content for ArchiveRange {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.check(buffer, offset)?;
        self.archive.read_at(buffer, self.offset.saturating_add(offset))
    }
}

/// Ranges are equal if they are the same bytes of the same open archive.
impl PartialEq for ArchiveRange {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.archive.bytes, &other.archive.bytes)
            && (self.offset, self.len) == (other.offset, other.len)
    }
}

impl Eq for ArchiveRange {}

/// A file with holes: pieces of another content, with zeros between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparse<C> {
    len: u64,
    /// The data ranges of the file, one for each piece.
    data: Box<[Range<u64>]>,
    /// The start of each piece in the stored content, in bytes.
    stored_at: Box<[u64]>,
    stored: C,
}

/// Bytes of a file that are not in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The offset in the file.
    pub(crate) offset: u64,
    pub(crate) len: u64,
    /// The offset in the stored content.
    pub(crate) stored: u64,
}

impl<C: Content> Sparse<C> {
    /// Returns a file of `len` bytes. The pieces are in order, do not overlap, are within `len`,
    /// and their stored ranges are within `stored`.
    pub(crate) fn new(len: u64, pieces: &[Piece], stored: C) -> Self {
        let data = pieces.iter().map(|piece| piece.offset..piece.offset + piece.len).collect();
        let stored_at = pieces.iter().map(|piece| piece.stored).collect();
        Self { len, data, stored_at, stored }
    }

    /// The data ranges of the file, in order.
    pub(crate) fn data(&self) -> &[Range<u64>] {
        &self.data
    }

    /// The stored content, and the lengths and offsets that place its bytes in the file.
    pub(super) fn parts(&self) -> (&C, impl Iterator<Item = u64>) {
        let places = self.data.iter().zip(&self.stored_at);
        let numbers = places.flat_map(|(data, stored)| [data.start, data.end, *stored]);
        (&self.stored, std::iter::once(self.len).chain(numbers))
    }

    /// Same as `Blob::read_ranges`. Pieces that are stored contiguously are read at once.
    pub(super) fn read_ranges(
        &self,
        mut ranges: &[Range<u64>],
        buffer: &mut Vec<u8>,
        sink: Sink<'_>,
    ) -> io::Result<()> {
        while !ranges.is_empty() {
            let (count, stored) = self.stored_together(ranges);
            let bytes = grow(buffer, stored.end - stored.start)?;
            self.stored.read_at(bytes, stored.start)?;
            let (together, others) = ranges.split_at_checked(count).filter(|_| count > 0).ok_or(
                // A range outside of the pieces is not stored.
                io::ErrorKind::UnexpectedEof,
            )?;
            let mut rest: &[u8] = bytes;
            for range in together {
                let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
                let (here, behind) = rest.split_at(len);
                if !sink(range.start, here) {
                    return Ok(());
                }
                rest = behind;
            }
            ranges = others;
        }
        Ok(())
    }

    /// Returns the number of leading ranges that are stored contiguously, and their range in the
    /// stored content: at most [`CHUNK`] bytes, or one range.
    fn stored_together(&self, ranges: &[Range<u64>]) -> (usize, Range<u64>) {
        let first = ranges.first().map_or(0, |range| range.start);
        let mut number = self.data.partition_point(|data| data.end <= first);
        let mut stored = 0..0;
        for (count, range) in ranges.iter().enumerate() {
            while self.data.get(number).is_some_and(|data| data.end <= range.start) {
                number += 1;
            }
            let (Some(data), Some(stored_at)) = (self.data.get(number), self.stored_at.get(number)) else {
                return (count, stored);
            };
            if range.start < data.start || data.end < range.end {
                return (count, stored);
            }
            let (at, len) = (stored_at + (range.start - data.start), range.end - range.start);
            if count == 0 {
                stored = at..at;
            } else if at != stored.end || stored.end - stored.start + len > CHUNK {
                return (count, stored);
            }
            stored.end += len;
        }
        (ranges.len(), stored)
    }
}

impl<C: Content> Content for Sparse<C> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.len);
        let end = end.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        buffer.fill(0);
        let first = self.data.partition_point(|data| data.end <= offset);
        let pieces = self.data[first..].iter().zip(&self.stored_at[first..]);
        for (data, stored) in pieces.take_while(|(data, _)| data.start < end) {
            let (from, to) = (data.start.max(offset), data.end.min(end));
            let index = |at: u64| usize::try_from(at - offset).map_err(io::Error::other);
            let part = buffer.get_mut(index(from)?..index(to)?);
            let part = part.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            self.stored.read_at(part, stored + (from - data.start))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Blob;

    #[test]
    fn holes_read_as_zeros() {
        let pieces = [Piece { offset: 2, len: 3, stored: 0 }, Piece { offset: 7, len: 1, stored: 3 }];
        let file = Sparse::new(10, &pieces, b"abcd".to_vec());
        let all = b"\0\0abc\0\0d\0\0";
        for start in 0..=all.len() {
            for end in start..=all.len() {
                let mut found = vec![b'?'; end - start];
                file.read_at(&mut found, start as u64).expect("it lies within");
                assert_eq!(found, all[start..end], "{start}..{end}");
            }
        }
        file.read_at(&mut [0; 2], 9).expect_err("it is partly beyond the end");
    }

    #[test]
    fn reads_beyond_the_end_of_a_range_are_errors() {
        let archive = Arc::new(Archive::memory(b"0123456789".as_slice().into()));
        let range = ArchiveRange::new(archive, 2, 5);
        let mut found = [0; 5];
        range.read_at(&mut found, 0).expect("it lies within");
        assert_eq!(&found, b"23456");
        range.read_at(&mut found[..2], 4).expect_err("one byte is not of the range");
    }

    #[test]
    fn an_archive_that_changed_is_named() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("a.tar");
        std::fs::write(&path, "0123456789").expect("a new file");
        let archive = Archive::host(File::open(&path).expect("it is there"), &path).expect("a file");
        let blob = Blob::Range(ArchiveRange::new(Arc::new(archive), 8, 2));
        let mut found = [0; 2];
        blob.read_at(&mut found, 0).expect("nobody changed it");
        assert_eq!(&found, b"89");
        for (text, now) in [("012", 3), ("0123456789abc", 13)] {
            std::fs::write(&path, text).expect("the test's own file");
            let error = blob.read_at(&mut found, 0).expect_err("it changed");
            let change = ChangedWhileRead::within(&error).expect("a change");
            assert_eq!((&change.path, change.change), (&path, Change::Size { scanned: 10, now }));
        }
    }
}
