//! The modules of a version of the kernel in a tree, and their indices.

mod find;
mod indices;
mod read;
pub mod reduced;

pub use find::{Found, MAX_DIRECTORIES, ModuleFile, find};
pub use indices::{Files, Planned, plan};
pub use read::{MAX_MODULE, read};
