//! Transforms that leave out files of the sources.

pub mod own_files;
pub mod unreadable;
