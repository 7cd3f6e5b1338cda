//! Extended attributes: those that a source keeps, and those that Linux has no use for.

pub mod filter;
pub mod unusable;
