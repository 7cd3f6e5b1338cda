//! Changes of trees.

pub mod edits;
pub mod file_contexts;
pub mod mtree;
