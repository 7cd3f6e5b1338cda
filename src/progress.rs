//! Receivers of the progress of a long operation.

/// A receiver of progress in bytes. Several threads call it concurrently.
pub trait Progress: Sync {
    /// Adds `bytes` to the progress.
    fn add(&self, bytes: u64);
}

/// Ignores all progress.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn add(&self, _bytes: u64) {}
}
