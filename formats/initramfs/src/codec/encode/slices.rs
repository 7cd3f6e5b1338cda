//! Compression in slices, between which it can be stopped.

use std::io;

/// The number of bytes compressed between two calls of
/// [`ShouldContinue`](crate::codec::ShouldContinue), for libraries that accept slices.
pub(super) const SLICE: usize = 1 << 20;

/// Returns the error of a compression that was stopped.
pub(super) fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "compressing was stopped")
}
