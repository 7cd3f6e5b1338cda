//! Holes in an output.

use crate::transform::sparse;

/// The representation of holes in an output.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) enum Holes {
    /// Zeros, for this reason.
    Zeros(&'static str),
    /// Holes of whole blocks.
    Blocks {
        /// The files that have holes.
        policy: sparse::Policy,
        /// The length of a block in bytes.
        len: u64,
    },
}
