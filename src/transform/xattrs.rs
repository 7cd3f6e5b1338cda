//! Extended attributes: the filter for those of a source, and those that Linux does not use.

pub mod filter;
pub mod unusable;
