//! Errors of contents that cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error as ThisError;

use super::{Error, ErrorKind};
use crate::shown;

/// A file changed since it was scanned: a fault of the input, not of the disk.
///
/// [`Content::read_at`](image_tree::Content::read_at) of a [`Blob`](crate::blob::Blob) returns it
/// within an [`io::Error`]; [`ChangedWhileRead::within`] finds it.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
#[error("{}: changed while it was read: {change}", shown::path(.path))]
pub struct ChangedWhileRead {
    /// The file's path on the host.
    pub path: PathBuf,
    /// The kind of change.
    pub change: Change,
}

/// The kind of change of a file.
#[derive(Clone, Copy, Debug, ThisError, PartialEq, Eq)]
pub enum Change {
    /// The file no longer exists.
    #[error("it was there when scanned and is gone now")]
    Gone,
    /// Another file has the name.
    #[error("another file has its name now")]
    Replaced,
    /// The length changed.
    #[error("size {scanned} when scanned, {now} now")]
    Size {
        /// The length in bytes when it was scanned.
        scanned: u64,
        /// The length in bytes after it was read.
        now: u64,
    },
    /// It was written to.
    #[error("it was modified after it was scanned")]
    Modified,
    /// Its owner, mode, names or xattrs changed, or it was written to and its modification time
    /// reset.
    #[error("its inode was changed after it was scanned")]
    Inode,
}

impl ChangedWhileRead {
    /// Returns the change that made a read fail, if one did.
    #[must_use]
    pub fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// Returns the error of a content that could not be read, with its kind. The error names its file
/// already.
///
/// Bytes that end early or changed since the scan are a fault of the input; everything else is one
/// of the host.
pub fn classify_read_error(error: io::Error) -> Error {
    let kind = match error.kind() {
        _ if ChangedWhileRead::within(&error).is_some() => ErrorKind::BadInput,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => ErrorKind::BadInput,
        _ => ErrorKind::Io,
    };
    Error::new(kind, error)
}
