//! Reading a small file of the tree into memory.

use image_tree::{Content, InodeId, Kind, Tree};

use crate::closure::notice::resolve_in_root;
use crate::error::{Error, ErrorKind, Result};

/// The maximum length in bytes of a configuration file.
pub(super) const MAX_LEN: u64 = 1024 * 1024;

/// Returns the bytes of the regular file at a path of the tree, or `None` if there is no such file.
///
/// # Errors
/// Returns an error if it has more than [`MAX_LEN`] bytes, or cannot be read.
pub(super) fn read<C: Content>(tree: &Tree<C>, path: &[u8]) -> Result<Option<Vec<u8>>> {
    match resolve_in_root(tree, path) {
        Some(inode) => read_inode(tree, inode, path),
        None => Ok(None),
    }
}

fn read_inode<C: Content>(tree: &Tree<C>, inode: InodeId, path: &[u8]) -> Result<Option<Vec<u8>>> {
    let Kind::Regular(content) = &tree.get(inode).kind else { return Ok(None) };
    let path = path.escape_ascii();
    if content.len() > MAX_LEN {
        let message = format!(
            "the tree's {path} has {} bytes; of a configuration file no more than {MAX_LEN} are read",
            content.len()
        );
        return Err(Error::new(ErrorKind::BadInput, message));
    }
    let mut bytes = vec![0; usize::try_from(content.len()).expect("it is short")];
    content.read_at(&mut bytes, 0).map_err(crate::blob::classify_read_error)?;
    Ok(Some(bytes))
}
