//! Standard output.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, OFlags};

use crate::error::{Error, ErrorKind, Result};

/// Returns standard output without the line buffer of [`std::io::stdout`], which would search every
/// byte for a newline.
///
/// # Errors
/// If standard output is closed.
pub fn open() -> Result<File> {
    let copy = io::stdout().as_fd().try_clone_to_owned();
    copy.map(File::from).map_err(|error| Error::io("standard output", error))
}

/// Returns standard output for an image, of which no byte may be lost.
///
/// # Errors
/// If standard output is closed. The standard library opens `/dev/null` for reading and writing in
/// place of a descriptor that is closed at startup, so such a file counts as closed; `-o /dev/null`
/// discards the bytes.
pub fn open_for_image() -> Result<File> {
    let name = "standard output";
    let failed = |errno: rustix::io::Errno| Error::io(name, errno);
    let file = open()?;
    let stat = rustix::fs::fstat(&file).map_err(failed)?;
    let is_null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && stat.st_rdev == rustix::fs::makedev(1, 3);
    let access = rustix::fs::fcntl_getfl(&file).map_err(failed)? & OFlags::ACCMODE;
    if is_null && access == OFlags::RDWR {
        return Err(Error::at(
            ErrorKind::Io,
            name,
            "is closed; to discard the image, write it to /dev/null with -o",
        ));
    }
    Ok(file)
}
