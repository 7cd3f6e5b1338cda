//! Features of the format, each alone.

mod aligned;
mod disabled;
mod ea_inode;
mod holes;
mod inline;
mod orphan;
mod shared;
