//! Reading a small file of the tree into memory.

use image_tree::{Content, Directories, InodeId, Kind};

use crate::closure::error::{Error, Result};
use image_tree::resolve::resolve_in_root;

/// The maximum length in bytes of a configuration file.
pub(in crate::closure) const MAX_LEN: u64 = 1024 * 1024;

/// Returns the bytes of the regular file at a path of the tree, or `None` if there is no such file.
///
/// # Errors
/// Returns an error if it has more than [`MAX_LEN`] bytes, or cannot be read.
pub(in crate::closure) fn read<T: Directories<Content: Content>>(
    tree: &T,
    path: &[u8],
) -> Result<Option<Vec<u8>>> {
    match resolve_in_root(tree, path) {
        Some(inode) => read_inode(tree, inode, path),
        None => Ok(None),
    }
}

fn read_inode<T: Directories<Content: Content>>(
    tree: &T,
    inode: InodeId,
    path: &[u8],
) -> Result<Option<Vec<u8>>> {
    let Kind::Regular(content) = &tree.get(inode).kind else { return Ok(None) };
    if content.len() > MAX_LEN {
        return Err(Error::FileTooLong { path: path.to_vec(), len: content.len(), limit: MAX_LEN });
    }
    let mut bytes = vec![0; usize::try_from(content.len()).expect("it is short")];
    content.read_at(&mut bytes, 0)?;
    Ok(Some(bytes))
}
