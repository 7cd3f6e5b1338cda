//! A directory of the host as a tree.

mod assemble;
mod list;
mod scan;
#[cfg(test)]
mod tests;
mod xattrs;

use std::path::Path;
use std::sync::Arc;

use image_tree::Tree;

use crate::blob::{Blob, Root};
use crate::error::{Error, Result};

/// Reads everything beneath a directory of the host but the bytes of its files, which [`Blob`] reads later.
///
/// The path may be a symbolic link to a directory; none is followed beneath it. Mount points are part of the tree.
/// Two names are one file when they have the same inode, whatever kind of file it is. The result depends neither on
/// the order in which the host lists a directory nor on `threads`, of which at least one and at most 32 are used.
///
/// # Errors
/// [`Io`](crate::error::ErrorKind::Io) with the path of a directory that cannot be read.
/// [`BadInput`](crate::error::ErrorKind::BadInput) with the path of what changed during the scan or has metadata no tree can hold.
pub fn read(path: &Path, threads: usize) -> Result<Tree<Blob>> {
    let root = Root::open_at(path).map_err(|errno| Error::io(path, errno))?;
    let root = Arc::new(root);
    assemble::assemble(&root, scan::scan(&root, threads)?)
}
