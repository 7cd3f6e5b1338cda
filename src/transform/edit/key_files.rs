//! Edits of keys in files of the tree.

use image_tree::resolve::resolve_in_root;
use image_tree::{Content as _, Kind, Timestamp, Tree};

use super::action::Action;
use super::fields::{checked_path, colon, unescape};
use super::keys::{Change, KeyEdit};
use crate::blob::Blob;

/// The maximum length in bytes of a file that is changed: 1 MiB.
const MAX_LEN: u64 = 1 << 20;

/// Parses `PATH:SECTION:KEY=VALUE` of `--set-key`.
pub(super) fn parse_set(text: &[u8]) -> Result<Action, String> {
    assignment(text, Change::Set)
}

/// Parses `PATH:SECTION:KEY=VALUE` of `--add-key`.
pub(super) fn parse_add(text: &[u8]) -> Result<Action, String> {
    assignment(text, Change::Add)
}

/// Parses `PATH:SECTION:KEY`.
pub(super) fn parse_remove(text: &[u8]) -> Result<Action, String> {
    let (path, section, key) = parts(text).ok_or("is not PATH:SECTION:KEY")?;
    action(path, section, key, Change::Remove)
}

fn assignment(text: &[u8], change: fn(Vec<u8>) -> Change) -> Result<Action, String> {
    let parts = parts(text).and_then(|(path, section, rest)| {
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        Some((path, section, rest.get(..equals)?, rest.get(equals + 1..)?))
    });
    let (path, section, key, value) = parts.ok_or("is not PATH:SECTION:KEY=VALUE")?;
    if value.iter().any(|byte| matches!(byte, b'\n' | 0)) {
        return Err("has a value of several lines; --add-key adds further values".to_owned());
    }
    action(path, section, key, change(value.trim_ascii().to_vec()))
}

/// Returns the path and the section, with their backslashes, and the rest.
fn parts(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (path, rest) = text.split_at(colon(text)?);
    let rest = rest.get(1..)?;
    let (section, rest) = rest.split_at(colon(rest)?);
    Some((path, section, rest.get(1..)?))
}

fn action(path: &[u8], section: &[u8], key: &[u8], change: Change) -> Result<Action, String> {
    let path = checked_path(unescape(path)?)?;
    let section = unescape(section)?.trim_ascii().to_vec();
    let key = key.trim_ascii().to_vec();
    let is_line = |text: &[u8]| !text.iter().any(|byte| matches!(byte, b'\n' | 0));
    if section.contains(&b']') || !is_line(&section) {
        return Err(format!("\"{}\" is not the name of a section", section.escape_ascii()));
    }
    let is_key = !key.is_empty() && !key.contains(&b'=') && !matches!(key.first(), Some(b'[' | b'#' | b';'));
    if !is_key || !is_line(&key) {
        return Err(format!("\"{}\" is not a key", key.escape_ascii()));
    }
    Ok(Action::Key { path, edit: KeyEdit { section, key, change } })
}

/// Changes a file of the tree. Returns false if a key to remove was not there.
pub(super) fn change_file(
    tree: &mut Tree<Blob>,
    path: &[u8],
    edit: &KeyEdit,
    time: Timestamp,
) -> Result<bool, String> {
    let shown = path.escape_ascii();
    let id = resolve_in_root(tree, path).ok_or_else(|| format!("{shown} is not in the tree"))?;
    let Kind::Regular(blob) = &tree.get(id).kind else {
        return Err(format!("{shown} is not a regular file"));
    };
    let len = usize::try_from(blob.len()).ok().filter(|_| blob.len() <= MAX_LEN);
    let len = len.ok_or_else(|| format!("{shown} has {} bytes, more than {MAX_LEN}", blob.len()))?;
    let mut text = vec![0; len];
    blob.read_at(&mut text, 0).map_err(|error| format!("{shown}: {error}"))?;
    let changed = edit.apply(&text).map_err(|why| format!("{shown} {why}"))?;
    let Some(changed) = changed else { return Ok(false) };
    tree.replace_kind(id, Kind::Regular(Blob::from(changed)))
        .map_err(|_| format!("{shown} cannot be changed"))?;
    tree.metadata_mut(id).mtime = time;
    Ok(true)
}
