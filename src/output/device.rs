//! A block device that is written in place.
//!
//! A file appears when it is whole; a device cannot. What is on it is gone with the first write, and a run that fails or is
//! stopped leaves a part of the image, of which the error says so. All bytes of the image are written, also those that are zero,
//! so that nothing of what was there before shows within it; what lies behind the image's end stays.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;

use super::destination::reopen;
use crate::error::{Error, ErrorKind, Result};
use crate::report::shown;

/// A block device that nobody else has opened for itself.
#[derive(Debug)]
pub(super) struct Device {
    file: File,
    path: PathBuf,
    /// In bytes.
    len: u64,
}

/// Shorter zeros are written as bytes, as that costs less than asking the device, in bytes.
const LEAST_ASKED: u64 = 1 << 20;

/// Ranges that the kernel zeroes begin and end at multiples of the device's sectors, which are no longer than this.
const ALIGNMENT: u64 = 4096;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

impl Device {
    /// What is said of the device when the product is not whole.
    pub(super) const IN_PART: &str =
        "what was on the device is gone, and it holds a part of the image only: write the image again";

    /// Opens the device, which must not be mounted or otherwise in use.
    pub(super) fn open(found: &OwnedFd, path: &Path) -> Result<Self> {
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

    /// A regular file in the place of a device.
    #[cfg(test)]
    pub(super) fn stand_in(file: File, path: &Path, len: u64) -> Self {
        Self { file, path: path.to_owned(), len }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The logical sector size, in bytes.
    pub(super) fn sector_size(&self) -> Option<u32> {
        rustix::fs::ioctl_blksszget(&self.file).ok()
    }

    /// Fails when the device has no room for so many bytes.
    pub(super) fn check_room(&self, bytes: u64) -> Result<()> {
        if bytes <= self.len {
            return Ok(());
        }
        let message = format!(
            "the image has {bytes} bytes, the device {}: it is {} bytes too small; nothing was written",
            self.len,
            bytes - self.len
        );
        Err(Error::at(ErrorKind::DoesNotFit, &self.path, message))
    }

    /// Why the device could not be written, with its size where that is the reason.
    pub(super) fn refused(&self, error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::StorageFull {
            let message = format!("the image is longer than the device, which has {} bytes", self.len);
            return Error::at(ErrorKind::DoesNotFit, &self.path, message);
        }
        Error::io(&self.path, error)
    }

    /// Has the device keep what was written.
    pub(super) fn finish(&self) -> Result<()> {
        self.file.sync_all().map_err(|error| self.refused(error))
    }

    /// Says with an error that the device holds a part of the product.
    pub(super) fn in_part(&self, error: Error) -> Error {
        // A signal ends the program without a message of its own; the caller says it.
        if error.kind() == ErrorKind::Interrupted {
            return error;
        }
        Error::new(error.kind(), format!("{error}; {}: {}", shown::path(&self.path), Self::IN_PART))
    }
}

/// Makes a range of a device, in bytes, zeros: by asking the device where that is quick, else by writing them.
pub(super) fn zero(file: &File, range: Range<u64>) -> io::Result<()> {
    let start = range.start.next_multiple_of(ALIGNMENT);
    let end = range.end / ALIGNMENT * ALIGNMENT;
    if end < start || end - start < LEAST_ASKED {
        return write_zeros(file, range);
    }
    write_zeros(file, range.start..start)?;
    // The first also frees the blocks, and is refused where the device does not promise zeros then; the second has the kernel
    // write them where the device cannot.
    let ways = [FallocateFlags::PUNCH_HOLE, FallocateFlags::ZERO_RANGE];
    let asked = ways
        .into_iter()
        .any(|way| rustix::fs::fallocate(file, way | FallocateFlags::KEEP_SIZE, start, end - start).is_ok());
    if !asked {
        write_zeros(file, start..end)?;
    }
    write_zeros(file, end..range.end)
}

fn write_zeros(file: &File, range: Range<u64>) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let len = usize::try_from(range.end - at).unwrap_or(ZEROS.len()).min(ZEROS.len());
        file.write_all_at(&ZEROS[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a regular file, whose blocks the kernel zeroes by the same calls.
    #[test]
    fn a_range_becomes_zeros_and_nothing_else() {
        let len = 3 * LEAST_ASKED;
        for range in [
            0..len,
            1..len - 1,
            5..6,
            4095..4097,
            0..0,
            ALIGNMENT..LEAST_ASKED + ALIGNMENT,
            ALIGNMENT - 1..LEAST_ASKED + ALIGNMENT + 1,
            LEAST_ASKED + 7..len,
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
