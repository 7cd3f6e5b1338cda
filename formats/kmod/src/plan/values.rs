//! The values that lines and keys can hold.

use image_tree::path::split_last;

use super::sources::Entry;
use crate::error::Error;
use crate::limits::MAX_KEY;

/// Checks that all paths and values of modules can be expressed.
pub(super) fn check(modules: &[&Entry]) -> Result<(), Error> {
    for entry in modules {
        check_path(entry)?;
        let info = &entry.module.info;
        let refuse = |kind: &'static str, value: &[u8]| {
            Err(Error::Value { module: entry.name.clone(), kind, value: value.to_vec() })
        };
        if let Some(alias) = info.aliases.iter().find(|alias| !is_key(alias)) {
            return refuse("alias", alias);
        }
        if let Some(symbol) = entry.module.exports.iter().find(|symbol| !is_key(symbol)) {
            return refuse("symbol", symbol);
        }
        // These are not keys.
        let is_line = |value: &[u8]| !value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
        for (kind, values) in [("softdep", &info.softdeps), ("weakdep", &info.weakdeps)] {
            if let Some(value) = values.iter().find(|value| !is_line(value)) {
                return refuse(kind, value);
            }
        }
    }
    Ok(())
}

fn check_path(entry: &Entry) -> Result<(), Error> {
    let (directory, name) = split_last(&entry.path);
    let is_separator = |byte: &u8| byte.is_ascii_control() || matches!(byte, b' ' | b':');
    if directory.iter().any(is_separator) || name.iter().any(|byte| is_separator(byte) || !byte.is_ascii()) {
        return Err(Error::Path { path: entry.path.clone() });
    }
    Ok(())
}

/// Returns true for what can be a key of a trie, and stand in a line.
pub(super) fn is_key(text: &[u8]) -> bool {
    text.len() <= MAX_KEY && text.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_control())
}
