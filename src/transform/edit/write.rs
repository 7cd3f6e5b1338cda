//! Writes a file with given contents.

use image_tree::{Inode, Kind, Metadata, Tree};

use super::action::Action;
use super::fields::{checked_path, colon, octal_field, unescape};
use super::place::parent_of;
use crate::blob::Blob;

/// The mode of a new file.
const MODE: u16 = 0o644;

/// The xattr that the kernel removes from a file that is written.
const CAPABILITY: &[u8] = b"security.capability";

/// Parses `PATH[:MODE]:TEXT`. The text is everything after the path, or after a mode of three or
/// four octal digits that a colon follows.
pub(super) fn parse(text: &[u8]) -> Result<Action, String> {
    let end = colon(text).ok_or("is not PATH:TEXT or PATH:MODE:TEXT")?;
    let (path, rest) = text.split_at(end);
    let path = checked_path(unescape(path)?)?;
    let rest = rest.get(1..).unwrap_or_default();
    let (mode, text) = match rest.iter().position(|byte| *byte == b':').map(|colon| rest.split_at(colon)) {
        Some((digits, text)) if is_mode(digits) => {
            (Some(octal_field(digits)?), text.get(1..).unwrap_or_default())
        }
        _ => (None, rest),
    };
    Ok(Action::Write { path, mode, text: text.to_vec() })
}

fn is_mode(digits: &[u8]) -> bool {
    matches!(digits.len(), 3 | 4) && digits.iter().all(|byte| (b'0'..=b'7').contains(byte))
}

/// Writes a file, which replaces any file that is not a directory. Of a regular file the metadata
/// remains, except for the time and for capabilities.
pub(super) fn write(
    tree: &mut Tree<Blob>,
    path: &[u8],
    mode: Option<u16>,
    text: &[u8],
    parents: &Metadata,
) -> Result<(), String> {
    let (parent, name) = parent_of(tree, path, parents)?;
    let mut metadata = Metadata { mode: MODE, ..parents.clone() };
    if let Some(old) = tree.lookup(parent, name.as_bytes()) {
        let inode = tree.get(old);
        match &inode.kind {
            Kind::Directory(_) => return Err(format!("{} is a directory", path.escape_ascii())),
            Kind::Regular(_) => {
                metadata = Metadata { mtime: parents.mtime, ..inode.metadata.clone() };
                metadata.xattrs.retain(|name, _| name.as_bytes() != CAPABILITY);
            }
            _ => {}
        }
        tree.remove(parent, name.as_bytes());
    }
    if let Some(mode) = mode {
        metadata.chmod(mode);
    }
    let inode = Inode { metadata, kind: Kind::Regular(Blob::from(text.to_vec())) };
    tree.insert(parent, name, inode).map(|_| ()).map_err(|error| error.to_string())
}
