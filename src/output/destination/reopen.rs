//! Files by their descriptors.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Reopens a file that was opened with O_PATH.
pub(in crate::output) fn reopen(
    found: &OwnedFd,
    path: &Path,
    options: &std::fs::OpenOptions,
) -> io::Result<File> {
    match options.open(own_path(found.as_fd())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !Path::new("/proc/self/fd").exists() => {
            let file = options.open(path)?;
            let (before, now) = (rustix::fs::fstat(found)?, rustix::fs::fstat(&file)?);
            if (before.st_dev, before.st_ino) == (now.st_dev, now.st_ino) {
                Ok(file)
            } else {
                Err(io::Error::other("another file has its name now"))
            }
        }
        opened => opened,
    }
}

/// The path that leads to an open file, regardless of its name.
pub(in crate::output) fn own_path(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
