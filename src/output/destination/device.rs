//! A block device that is written in place.
//!
//! A file appears once it is complete; a device cannot. Its old contents are lost with the first
//! write, and a run that fails or is stopped leaves an incomplete image, which the error reports.
//! All bytes of the image are written, including zeros, so that no old data remains within it;
//! bytes after the end of the image are kept.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;

use super::reopen::reopen;
use crate::error::{Error, ErrorKind, Result};
use crate::shown;
use crate::zeros;

/// A block device, opened exclusively.
#[derive(Debug)]
pub(in crate::output) struct Device {
    file: File,
    path: PathBuf,
    /// The length in bytes.
    len: u64,
}

/// The minimum length of zeros, in bytes, to request from the device; shorter ones are written, as
/// that is faster.
const MIN_REQUEST: u64 = 1 << 20;

/// The alignment in bytes of ranges that the kernel zeroes: a multiple of the device's sector size.
const ALIGNMENT: u64 = 4096;

impl Device {
    /// The message if the product on the device is incomplete.
    pub(in crate::output) const INCOMPLETE: &str = "the previous contents of the device are lost, and it holds only a part of the image: write the image again";

    /// Opens the device, which must not be mounted or otherwise in use.
    pub(in crate::output) fn open(found: &OwnedFd, path: &Path) -> Result<Self> {
        let flags = OFlags::EXCL.bits().cast_signed();
        let opened = reopen(found, path, File::options().write(true).custom_flags(flags));
        let mut file = opened.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::BUSY) => {
                let message =
                    "is mounted or in use by another device: unmount it or write the image to a file";
                Error::at(ErrorKind::Usage, path, message)
            }
            _ => Error::io(path, error),
        })?;
        let len = file.seek(SeekFrom::End(0)).and_then(|len| file.rewind().map(|()| len));
        let len = len.map_err(|error| Error::io(path, error))?;
        Ok(Self { file, path: path.to_owned(), len })
    }

    /// Returns a regular file in place of a device.
    #[cfg(test)]
    pub(in crate::output) fn stand_in(file: File, path: &Path, len: u64) -> Self {
        Self { file, path: path.to_owned(), len }
    }

    pub(in crate::output) fn file(&self) -> &File {
        &self.file
    }

    /// The logical sector size, in bytes.
    pub(in crate::output) fn sector_size(&self) -> Option<u32> {
        rustix::fs::ioctl_blksszget(&self.file).ok()
    }

    /// Fails if the device is shorter than `bytes`.
    pub(in crate::output) fn check_room(&self, bytes: u64) -> Result<()> {
        if bytes <= self.len {
            return Ok(());
        }
        let message = format!(
            "the image has {bytes} bytes, the device {}: it is {} too small; nothing was written",
            self.len,
            shown::Count(bytes - self.len, "byte", "bytes")
        );
        Err(Error::at(ErrorKind::DoesNotFit, &self.path, message))
    }

    /// Returns the error of a failed write, with the size of the device if that is the cause.
    pub(in crate::output) fn refused(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::StorageFull {
            let message = format!("the image is longer than the device, which has {} bytes", self.len);
            return Error::at(ErrorKind::DoesNotFit, &self.path, message);
        }
        Error::io(&self.path, error)
    }

    /// Flushes the device.
    pub(in crate::output) fn finish(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| self.refused(error))
    }

    /// Adds to an error that the device holds an incomplete product.
    pub(in crate::output) fn with_incomplete(&self, error: Error) -> Error {
        // A signal ends the program without a message of its own; the caller reports it.
        if error.kind() == ErrorKind::Interrupted {
            return error;
        }
        Error::new(error.kind(), format!("{error}; {}: {}", shown::path(&self.path), Self::INCOMPLETE))
    }
}

/// Zeroes a range of a device, in bytes: by request to the device if that is fast, else by writing.
pub(in crate::output) fn zero(file: &File, range: Range<u64>) -> io::Result<()> {
    let start = range.start.next_multiple_of(ALIGNMENT);
    let end = range.end / ALIGNMENT * ALIGNMENT;
    if end < start || end - start < MIN_REQUEST {
        return write_zeros(file, range);
    }
    write_zeros(file, range.start..start)?;
    // PUNCH_HOLE also frees the blocks, and fails if the device does not guarantee zeros then; with
    // ZERO_RANGE the kernel writes them if the device cannot.
    let ways = [FallocateFlags::PUNCH_HOLE, FallocateFlags::ZERO_RANGE];
    let zeroed = ways
        .into_iter()
        .any(|way| rustix::fs::fallocate(file, way | FallocateFlags::KEEP_SIZE, start, end - start).is_ok());
    if !zeroed {
        write_zeros(file, start..end)?;
    }
    write_zeros(file, end..range.end)
}

fn write_zeros(file: &File, range: Range<u64>) -> io::Result<()> {
    let mut at = range.start;
    for piece in zeros::pieces(range.end.saturating_sub(range.start)) {
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It runs on a regular file, whose blocks the kernel zeroes by the same calls.
    #[test]
    fn only_the_requested_range_is_zeroed() {
        let len = 3 * MIN_REQUEST;
        for range in [
            0..len,
            1..len - 1,
            5..6,
            4095..4097,
            0..0,
            ALIGNMENT..MIN_REQUEST + ALIGNMENT,
            ALIGNMENT - 1..MIN_REQUEST + ALIGNMENT + 1,
            MIN_REQUEST + 7..len,
        ] {
            let file = tempfile::tempfile().expect("a file can be made");
            let mut expected = vec![0xff; usize::try_from(len).expect("small")];
            file.write_all_at(&expected, 0).expect("there is room");
            zero(&file, range.clone()).expect("there is room");
            let index = |at: u64| usize::try_from(at).expect("small");
            expected[index(range.start)..index(range.end)].fill(0);
            let mut found = vec![1; expected.len()];
            file.read_exact_at(&mut found, 0).expect("it is as long as before");
            assert!(found == expected, "{range:?}");
        }
    }
}
