//! Sources of trees.

pub mod container;
pub mod dump;
pub mod inrelease;
pub mod tar;
