//! Reading images and writing their bytes.
//!
//! ```text
//!                                        ┌─▶ sparse_file   a file with holes, by several threads at once; whole
//!                                        │                 blocks shared with the sources where they can be
//! Image ── runs ── spans (≈ 1 MiB) ──────┤
//!                                        └─▶ in order ─┬─▶ stream   standard output, a pipe, a character device
//!                                                      └─▶ digest   SHA-256, nothing written
//! ```
//!
//! Each thread takes the next span of runs, gathers its bytes in a buffer of its own and passes
//! them on, so memory use is limited to a few buffers whatever the image's size. The bytes are the
//! same for every number of threads, and so is the error after a failure: the one nearest the
//! image's start.
//!
//! In parallel, `read_ahead` has the kernel read the sources that are not in the page cache yet.
//! Before that, `reserve` has it allocate pages while the tree is still being read.
//!
//! The target is a `destination`, which is opened before any source is read. Files are atomic
//! (`atomic_file`), a block `device` is written in place.

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

use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::threads::Threads;

pub use clone_range::Reflink;
pub use destination::{Asked, Destination};
pub use reserve::Reservation;

/// The options for reading and writing an image; none affects the bytes.
#[derive(Clone, Copy)]
pub struct WriteOptions<'a> {
    /// The threads that read and write. One more thread mostly sleeps, and starts the kernel's
    /// readahead.
    pub threads: &'a Threads,
    /// The policy for sharing extents between a file and the sources.
    pub reflink: Reflink,
    /// The interrupt, checked between spans.
    pub interrupt: &'a Interrupt,
    /// The receiver of progress, which counts every byte of the image, zeros too.
    pub progress: &'a dyn Progress,
}

#[cfg(test)]
mod tests;
