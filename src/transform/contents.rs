//! Transforms that depend on the contents of files.

pub mod duplicates;
pub mod hardlinks;
pub mod sparse;
