//! Sources of trees.

pub mod dump;
pub mod tar;
