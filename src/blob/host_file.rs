//! A file of the host, which is opened for each read.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;
use thiserror::Error;

use super::chunk::{Sink, grow};
use super::content::CloneFile;
use super::directory::HostDirectory;
use super::identity::Identity;
use crate::error::{Change, ChangedWhileRead};
use crate::shown;

/// A file of the host beneath a directory that is held open, with its state at the scan.
///
/// It takes about 100 bytes plus the name, and holds no file open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFile {
    pub(super) directory: Arc<HostDirectory>,
    pub(super) name: Box<[u8]>,
    pub(super) size: u64,
    pub(super) identity: Identity,
    /// Set if the file had fewer blocks than its length requires.
    pub(super) sparse: bool,
}

/// A failed system call on a file of the host.
#[derive(Debug, Error)]
#[error("{}: cannot be {what}", shown::path(.path))]
struct Unreadable {
    path: PathBuf,
    what: &'static str,
    source: Errno,
}

impl CloneFile for HostFile {
    fn device(&self) -> u64 {
        self.identity.device
    }

    fn host_path(&self) -> PathBuf {
        HostFile::host_path(self)
    }

    fn with_open_file(&self, borrower: &mut dyn FnMut(&File)) -> io::Result<()> {
        let file = File::from(self.open()?);
        borrower(&file);
        self.check_unchanged(&file)
    }
}

impl HostFile {
    /// The file's path on the host.
    #[must_use]
    pub fn host_path(&self) -> PathBuf {
        self.directory.host_path_of(&self.name)
    }

    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        // Non-blocking, because the name may now be a fifo, and opening that waits for a writer.
        self.directory.open(&self.name, OFlags::RDONLY | OFlags::NONBLOCK).map_err(|errno| match errno {
            Errno::NOENT => self.changed(Change::Gone),
            // The file, or a directory above it, is now a symbolic link or not a directory.
            Errno::LOOP | Errno::NOTDIR | Errno::NXIO => self.changed(Change::Replaced),
            errno => self.unreadable("opened", errno),
        })
    }

    fn check_unchanged(&self, file: impl AsFd) -> io::Result<()> {
        let now = rustix::fs::fstat(file).map_err(|errno| self.unreadable("examined", errno))?;
        match self.identity.difference(self.size, &now) {
            Some(change) => Err(self.changed(change)),
            None => Ok(()),
        }
    }

    /// The size and the other attributes that must not change.
    pub(crate) fn identity(&self) -> (u64, Identity) {
        (self.size, self.identity)
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let file = self.open()?;
        let filled = self.fill(&file, buffer, offset)?;
        if filled < buffer.len() {
            return Err(self.ended(&file, offset.saturating_add(filled as u64)));
        }
        self.check_unchanged(&file)
    }

    /// Reads as much of a buffer as the file has, and returns the number of bytes read.
    fn fill(&self, file: impl AsFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(&file, rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(Errno::INTR) => {}
                // A directory or a device has replaced the file; the comparison reports which.
                Err(Errno::ISDIR | Errno::SPIPE | Errno::AGAIN) => break,
                Err(errno) => return Err(self.unreadable("read", errno)),
            }
        }
        Ok(filled)
    }

    /// Returns the error of a read that ended at `now`, before the length.
    fn ended(&self, file: impl AsFd, now: u64) -> io::Error {
        match self.check_unchanged(file) {
            Err(error) => error,
            // The filesystem returns fewer bytes than `st_size`, as for files in /proc and /sys.
            Ok(()) => self.changed(Change::Size { scanned: self.size, now }),
        }
    }

    fn changed(&self, change: Change) -> io::Error {
        io::Error::other(ChangedWhileRead { path: self.host_path(), change })
    }

    fn unreadable(&self, what: &'static str, errno: Errno) -> io::Error {
        let kind = io::Error::from(errno).kind();
        io::Error::new(kind, Unreadable { path: self.host_path(), what, source: errno })
    }
}

impl HostFile {
    pub(super) fn find_data(&self, goes_on: &dyn Fn() -> bool) -> io::Result<Vec<Range<u64>>> {
        let mut found = Ok(Vec::new());
        self.with_open_file(&mut |file| found = list(file, self.size, goes_on))?;
        found.map_err(|errno| self.unreadable("examined", errno))
    }

    /// Opens the file once, and checks once that it is unchanged.
    pub(super) fn read_ranges(
        &self,
        ranges: &[Range<u64>],
        buffer: &mut Vec<u8>,
        sink: Sink<'_>,
    ) -> io::Result<()> {
        let file = self.open()?;
        for range in ranges {
            let bytes = grow(buffer, range.end - range.start)?;
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
