//! The limit of holes that are written as zeros.

use image_tree::{Content as _, Kind, Tree};

use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};

/// The options of [`check`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The maximum total length of the sparse files in bytes, holes included.
    pub max: u64,
    /// The reason that their holes are written, as a clause.
    pub reason: &'a str,
}

/// Refuses sparse members of archives with a total length of more than the maximum: writing their
/// holes as zeros could take forever.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) with both lengths.
pub fn check(tree: &Tree<Blob>, options: &Options<'_>) -> Result<()> {
    let Options { max, reason } = *options;
    let sparse = tree.walk().filter(|step| step.first).filter_map(|step| match &tree.get(step.id).kind {
        Kind::Regular(Blob::Sparse(sparse)) => Some(sparse.len()),
        _ => None,
    });
    let len = sparse.fold(0, u64::saturating_add);
    if len <= max {
        return Ok(());
    }
    let message = format!(
        "the sparse files of its archives have {len} bytes, holes included, and {reason}; --max-size allows {max}"
    );
    Err(Error::new(ErrorKind::BadInput, message))
}
