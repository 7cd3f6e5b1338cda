//! An image front to back: to standard output, a pipe or a device.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use image_runs::Image;
use rustix::fs::{FileType, OFlags};

use super::{WriteOptions, in_order};
use crate::blob::ReadAhead;
use crate::error::{Error, ErrorKind, Result};

/// Standard output without the line buffer of [`std::io::stdout`], which would look at every byte for a
/// newline.
///
/// # Errors
/// When standard output is closed.
pub fn standard_output() -> Result<File> {
    let copy = io::stdout().as_fd().try_clone_to_owned();
    copy.map(File::from).map_err(|error| Error::io("standard output", error))
}

/// Standard output for a product, of which each byte has to arrive somewhere.
///
/// # Errors
/// When standard output is closed. The standard library opens `/dev/null` for reading and writing in the place of a descriptor
/// that is closed when the program starts, so that is what a closed one looks like; whoever wants to lose the bytes has
/// `-o /dev/null`.
pub fn standard_output_for_product() -> Result<File> {
    let name = "standard output";
    let failed = |errno: rustix::io::Errno| Error::io(name, errno);
    let file = standard_output()?;
    let stat = rustix::fs::fstat(&file).map_err(failed)?;
    let is_null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && stat.st_rdev == rustix::fs::makedev(1, 3);
    let access = rustix::fs::fcntl_getfl(&file).map_err(failed)? & OFlags::ACCMODE;
    if is_null && access == OFlags::RDWR {
        return Err(Error::at(
            ErrorKind::Io,
            name,
            "is closed: nobody would get the bytes (-o /dev/null discards them)",
        ));
    }
    Ok(file)
}

/// A reader of a stream that went away before it had all of it.
#[derive(Debug, thiserror::Error)]
#[error("the reader went away before it had all bytes")]
struct ReaderGone {
    source: io::Error,
}

/// Why a stream could not be written to.
pub(super) fn refused(name: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::at(ErrorKind::Io, name, ReaderGone { source: error }),
        _ => Error::io(name, error),
    }
}

/// Writes the whole image to `out`, which errors call `name`.
///
/// # Errors
/// What reading the image's contents gives, what `out` gives, also a broken pipe,
/// [`Verification`](crate::error::ErrorKind::Verification) when the image's runs are not what [`Image`]
/// promises, or [`Interrupted`](crate::error::ErrorKind::Interrupted). What was written before stays written.
pub fn write<C: ReadAhead>(
    image: &dyn Image<C>,
    out: &mut dyn Write,
    name: &Path,
    options: &WriteOptions<'_>,
) -> Result<()> {
    let put = |result: io::Result<()>| result.map_err(|error| refused(name, error));
    in_order::for_each_slice(image, options, &mut |bytes| put(out.write_all(bytes)))?;
    put(out.flush())
}
