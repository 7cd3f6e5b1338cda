//! The modules of a version of the kernel in a tree, and their indices.

pub mod added;
pub mod changed;
pub mod form;
mod indices;
mod read;
pub mod reduced;
mod renamed;
pub mod signatures;

pub use form::Compression;
pub use indices::{Files, Planned, plan};
pub use read::{MAX_MODULE, read};
pub use renamed::without_ending;
