//! The options for reading and writing an image.

use crate::interrupt::Interrupt;
use crate::named::named;
use crate::progress::Progress;
use crate::threads::Threads;

/// The options for reading and writing an image; none affects the bytes.
#[derive(Clone, Copy)]
pub struct WriteOptions<'a> {
    /// The threads that read and write. One more thread mostly sleeps, and starts the kernel's
    /// readahead.
    pub threads: &'a Threads,
    /// The policy for sharing extents between a file and the sources.
    pub reflink: Reflink,
    /// The interrupt, checked between chunks.
    pub interrupt: &'a Interrupt,
    /// The receiver of progress, which counts every byte of the image, zeros too.
    pub progress: &'a dyn Progress,
}

/// The policy for cloning, with the names of `cp --reflink`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reflink {
    /// Clone where it is possible and faster.
    Auto,
    /// Clone every whole block of every file, or fail.
    Always,
    /// Never clone.
    Never,
}

named!(Reflink, "a policy for cloning", [Auto => "auto", Always => "always", Never => "never"]);
