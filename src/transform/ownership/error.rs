//! Files whose owners cannot be determined.

use std::path::Path;

use image_tree::{Inode, InodeId, Tree};

use crate::error::{Error, ErrorKind, Result};
use crate::shown::Count;

/// A file whose owner cannot be determined.
struct OwnerError {
    /// Its path in the tree.
    path: Vec<u8>,
    reason: String,
}

/// The most paths in a message.
const SHOWN: usize = 5;

/// Returns the error that names files whose owner cannot be determined.
fn owner_errors(errors: &[OwnerError]) -> Error {
    let named: Vec<String> = errors
        .iter()
        .take(SHOWN)
        .map(|OwnerError { path, reason }| format!("{}: {reason}", path.escape_ascii()))
        .collect();
    let more = errors.len().saturating_sub(SHOWN);
    let more =
        if more > 0 { format!("; and {}", Count(more, "more file", "more files")) } else { String::new() };
    Error::new(ErrorKind::BadInput, format!("{}{more}", named.join("; ")))
}

/// Calls `visit` once for each inode that has a name.
///
/// # Errors
/// The paths of the inodes for which `visit` returned a message, with the messages.
pub fn visit_inodes<C>(
    tree: &Tree<C>,
    mut visit: impl FnMut(InodeId, &Inode<C>) -> std::result::Result<(), String>,
) -> Result<()> {
    let mut errors = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        if !step.first {
            continue;
        }
        if let Err(reason) = visit(step.id, tree.get(step.id)) {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            errors.push(OwnerError { path, reason });
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(owner_errors(&errors)) }
}

/// Returns the error for a save file of fakeroot that is used for another source than a directory.
pub(super) fn not_a_directory(path: &Path) -> Error {
    let message = "fakeroot's save file has the owners of a directory, and the source is not a directory";
    Error::at(ErrorKind::Usage, path, message)
}
