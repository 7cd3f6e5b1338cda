//! Reading files of package databases.

use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories, InodeId, Kind};

use super::error::{Error, Result};

/// The maximum length in bytes of a text file of a database. The status of a full desktop has 5 MB.
pub(super) const MAX_TEXT: u64 = 64 << 20;

/// Returns the bytes of the regular file at a path of the tree; `None` if there is no such file.
pub(super) fn read<T: Directories<Content: Content>>(tree: &T, path: &[u8]) -> Result<Option<Vec<u8>>> {
    match resolve_in_root(tree, path) {
        Some(id) => read_inode(tree, id, path),
        None => Ok(None),
    }
}

/// As [`read`], for the inode at the path.
pub(super) fn read_inode<T: Directories<Content: Content>>(
    tree: &T,
    id: InodeId,
    path: &[u8],
) -> Result<Option<Vec<u8>>> {
    let Kind::Regular(content) = &tree.get(id).kind else { return Ok(None) };
    let len = content.len();
    let Some(in_memory) = usize::try_from(len).ok().filter(|_| len <= MAX_TEXT) else {
        return Err(Error::unusable(path, format!("it has {len} bytes; the limit is {MAX_TEXT}")));
    };
    let mut bytes = vec![0; in_memory];
    content.read_at(&mut bytes, 0)?;
    Ok(Some(bytes))
}

/// Returns the lines of a text without their ends.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}
