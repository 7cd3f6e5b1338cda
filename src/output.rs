//! Reading images and writing their bytes.
//!
//! ```text
//!                                         ┌─▶ file     a file with holes, by several threads at once; whole
//!                                         │            blocks shared with the sources where they can be
//! Image ── runs ── chunks (≈ 1 MiB) ──────┤
//!                                         └─▶ in order ─┬─▶ stream   standard output, a pipe, a character device
//!                                                       └─▶ digest   SHA-256, nothing written
//! ```
//!
//! Each thread takes the next chunk of runs, gathers its bytes in a buffer of its own and passes
//! them on, so memory use is limited to a few buffers whatever the image's size. The bytes are the
//! same for every number of threads, and so is the error after a failure: the one nearest the
//! image's start.
//!
//! In parallel, `chunks/read_ahead` has the kernel read the sources that are not in the page cache
//! yet. Before that, `file/preallocation` has it allocate pages while the tree is still being read.
//!
//! An image of which some bytes depend on the others is written in two stages (`staged`): threads
//! pass the bytes that they gather to an observer, and once it has all, it gives the rest.
//!
//! The target is a `destination`, which is opened before any source is read. Files are atomic
//! (`file/atomic`), a block device is written in place (`destination/device`).

pub mod blocks;
mod chunks;
pub mod compress;
mod destination;
pub mod digest;
pub mod file;
pub mod files;
mod observe;
mod observer;
mod options;
pub mod staged;
pub mod stdout;
pub mod stream;
pub mod text;

pub use destination::{Destination, DestinationOptions};
pub use file::Preallocation;
pub use observe::observe;
pub use observer::Observer;
pub use options::{Reflink, WriteOptions};

#[cfg(test)]
mod tests;
