//! The error for an invalid pattern.

use thiserror::Error;

/// The reason why a pattern is invalid.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("at byte {at}: {what}")]
pub(in crate::transform::selinux) struct PatternError {
    /// The offset in the pattern in bytes.
    at: usize,
    what: String,
}

/// Returns the error for the byte at an offset.
pub(super) fn error(at: usize, what: impl Into<String>) -> PatternError {
    PatternError { at, what: what.into() }
}
