//! Owners of the whole tree from an mtree manifest.

use image_tree::Tree;

use super::{Ownership, mtree, read_file};
use crate::blob::Blob;
use crate::error::{Error, Result};

/// Applies a manifest to the whole tree; does nothing for every other kind of ownership.
///
/// # Errors
/// If the manifest cannot be read, is invalid, or does not fit the tree.
pub fn apply(tree: &mut Tree<Blob>, ownership: &Ownership) -> Result<()> {
    let Ownership::Mtree(path) = ownership else { return Ok(()) };
    mtree::apply(&read_file(path)?, tree).map_err(|error| Error::at(error.kind(), path, error))
}
