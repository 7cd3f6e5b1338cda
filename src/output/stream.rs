//! Sequential writing of an image: to standard output, a pipe or a device.

use std::io::{self, Write};
use std::path::Path;

use image_runs::Image;

use super::chunks::ordered;
use super::options::WriteOptions;
use crate::blob::ReadAhead;
use crate::error::{Error, ErrorKind, Result};

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
/// The errors of reading the image's contents, those of `out`, including a broken pipe,
/// [`Verification`](crate::error::ErrorKind::Verification) if the image's runs violate the contract
/// of [`Image`], or [`Interrupted`](crate::error::ErrorKind::Interrupted). Bytes written before the
/// error stay written.
pub fn write<C: ReadAhead>(
    image: &dyn Image<C>,
    out: &mut dyn Write,
    name: &Path,
    options: &WriteOptions<'_>,
) -> Result<()> {
    let check = |result: io::Result<()>| result.map_err(|error| refused(name, error));
    ordered::for_each_slice(image, options, None, &mut |bytes| check(out.write_all(bytes)))?;
    check(out.flush())
}
