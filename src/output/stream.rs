//! Sequential writing of an image: to standard output, a pipe or a device.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use image_runs::Image;
use rustix::fs::{FileType, OFlags};

use super::{WriteOptions, in_order};
use crate::blob::ReadAhead;
use crate::error::{Error, ErrorKind, Result};

/// Returns standard output without the line buffer of [`std::io::stdout`], which would search every
/// byte for a newline.
///
/// # Errors
/// If standard output is closed.
pub fn standard_output() -> Result<File> {
    let copy = io::stdout().as_fd().try_clone_to_owned();
    copy.map(File::from).map_err(|error| Error::io("standard output", error))
}

/// Returns standard output for a product, of which no byte may be lost.
///
/// # Errors
/// If standard output is closed. The standard library opens `/dev/null` for reading and writing in
/// place of a descriptor that is closed at startup, so such a file counts as closed; `-o /dev/null`
/// discards the bytes.
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

/// The error of a reader that closed the stream before the end.
#[derive(Debug, thiserror::Error)]
#[error("the reader went away before it had all bytes")]
struct ReaderGone {
    source: io::Error,
}

/// Returns the error of a failed write to a stream.
pub(super) fn refused(name: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Error::at(ErrorKind::Io, name, ReaderGone { source: error }),
        _ => Error::io(name, error),
    }
}

/// Writes the whole image to `out`, named `name` in errors.
///
/// # Errors
/// Those of reading the image's contents, those of `out`, including a broken pipe,
/// [`Verification`](crate::error::ErrorKind::Verification) if the image's runs violate the contract
/// of [`Image`], or [`Interrupted`](crate::error::ErrorKind::Interrupted). Bytes written before the
/// error stay written.
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
