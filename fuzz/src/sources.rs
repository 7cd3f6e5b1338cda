//! Sources of trees.

pub mod container;
pub mod deb_archive;
pub mod dump;
pub mod inrelease;
pub mod tar;
