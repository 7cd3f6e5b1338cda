//! The bytes of a plan.

mod directories;
mod inodes;
mod pieces;
mod superblock;

pub(crate) use pieces::{Data, Piece, data, pieces, render};
pub(crate) use superblock::superblock;
