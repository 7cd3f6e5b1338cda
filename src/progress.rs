//! Receivers of the progress of a long operation.

/// A receiver of progress. Several threads call it concurrently.
pub trait Progress: Sync {
    /// Receives the begin of a phase.
    fn begin(&self, _phase: Phase) {}

    /// Adds `bytes` to the progress of the phase.
    fn add(&self, bytes: u64);
}

/// A phase of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// The sources are read. Progress is the number of bytes in files of directories as they are
    /// found; other sources report none.
    Read,
    /// Files are fetched from servers.
    Fetch {
        /// The number of bytes, as far as it is known before.
        bytes: u64,
    },
    /// The product is planned, without progress.
    Plan,
    /// The product is written, streamed or digested.
    Write {
        /// The length of the product before compression, in bytes.
        bytes: u64,
    },
    /// The fetching or writing ended, successfully or not.
    End,
}

/// Ignores all progress.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn add(&self, _bytes: u64) {}
}
