//! An image front to back: to standard output, a pipe or a device.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use image_runs::Image;

use super::{WriteOptions, in_order};
use crate::blob::ReadAhead;
use crate::error::{Error, Result};

/// How a stream ended when nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Streamed {
    /// Every byte was taken.
    Whole,
    /// The reader went away (EPIPE). Whether that is an error is the reader's to say: `head` means no harm.
    ReaderGone,
}

/// Standard output without the line buffer of [`std::io::stdout`], which would look at every byte for a
/// newline.
///
/// # Errors
/// When standard output is closed.
pub fn standard_output() -> Result<File> {
    let copy = io::stdout().as_fd().try_clone_to_owned();
    copy.map(File::from).map_err(|error| Error::io("standard output", error))
}

/// Writes the whole image to `out`, which errors call `name`.
///
/// # Errors
/// What reading the image's contents gives, what `out` gives except a broken pipe,
/// [`Verification`](crate::error::ErrorKind::Verification) when the image's runs are not what [`Image`]
/// promises, or [`Interrupted`](crate::error::ErrorKind::Interrupted). What was written before stays written.
pub fn write<C: ReadAhead>(
    image: &dyn Image<C>,
    out: &mut dyn Write,
    name: &Path,
    options: &WriteOptions<'_>,
) -> Result<Streamed> {
    let mut reader_gone = false;
    let mut put = |result: io::Result<()>| {
        result.map_err(|error| {
            reader_gone = error.kind() == io::ErrorKind::BrokenPipe;
            Error::io(name, error)
        })
    };
    let written = in_order::for_each_slice(image, options, &mut |bytes| put(out.write_all(bytes)));
    match written.and_then(|()| put(out.flush())) {
        Ok(()) => Ok(Streamed::Whole),
        Err(_) if reader_gone => Ok(Streamed::ReaderGone),
        Err(error) => Err(error),
    }
}
