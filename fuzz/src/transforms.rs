//! Changes of trees.

pub mod accounts;
pub mod configure;
pub mod edits;
pub mod file_contexts;
pub mod mtree;
