//! Images become bytes.
//!
//! ```text
//!                                        ┌─▶ sparse_file   a file with holes, by several threads at once; whole
//!                                        │                 blocks shared with the sources where they can be
//! Image ── runs ── spans (≈ 1 MiB) ──────┤
//!                                        └─▶ in order ─┬─▶ stream   standard output, a pipe, a character device
//!                                                      └─▶ digest   SHA-256, nothing written
//! ```
//!
//! Each thread takes the next span of runs, gathers its bytes in a buffer of its own and hands them on, so the
//! memory taken is a few buffers whatever the image's size. The bytes are the same for every number of threads,
//! and so is the error when something fails: the one nearest the image's start.
//!
//! Beside them `read_ahead` has the kernel read what will be gathered, when it is not in the page cache yet. Before them
//! `reserve` has it make room in memory, while the tree is still being read.
//!
//! Where they go is a `destination`: it is opened before anything is read. Files are atomic (`atomic_file`), a block `device`
//! is written in place.

mod atomic_file;
mod buffer;
pub mod cache;
mod clone_range;
pub mod compress;
mod data_ranges;
mod destination;
mod device;
pub mod digest;
mod in_order;
mod read_ahead;
mod reserve;
mod runs;
mod spans;
pub mod sparse_file;
pub mod stream;

use std::io;
use std::num::NonZeroUsize;

use crate::blob::ChangedWhileRead;
use crate::error::{Error, ErrorKind};
use crate::interrupt::Interrupt;
use crate::report::progress::Progress;

pub use clone_range::Reflink;
pub use destination::{Asked, Destination};
pub(crate) use in_order::cannot_start_thread;
pub use reserve::Reservation;

/// How an image is read and written; nothing here shows in the bytes.
#[derive(Clone, Copy)]
pub struct WriteOptions<'a> {
    /// How many threads work, the caller's among them. One more mostly sleeps, and tells the kernel what comes next.
    pub threads: NonZeroUsize,
    /// When a file is made to share bytes with the sources.
    pub reflink: Reflink,
    /// Asked between spans whether to go on.
    pub interrupt: &'a Interrupt,
    /// Hears of every byte of the image, zeros too.
    pub progress: &'a dyn Progress,
}

/// Whose fault it is that a content could not be read. The error names its file already.
///
/// Bytes that end early or are not what was planned are the input's fault; everything else is the host's.
pub fn classify_read_error(error: io::Error) -> Error {
    let kind = match error.kind() {
        _ if ChangedWhileRead::within(&error).is_some() => ErrorKind::BadInput,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => ErrorKind::BadInput,
        _ => ErrorKind::Io,
    };
    Error::new(kind, error)
}

#[cfg(test)]
mod tests;
