//! Emission of a planned filesystem, piece by piece, in any order.

pub(crate) mod directory;
mod extents;
mod groups;
mod inodes;
mod pieces;
mod resize;
mod superblock;

pub(crate) use groups::descriptors;
pub(crate) use pieces::{Data, Piece, data, pieces, render};
