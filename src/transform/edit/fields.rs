//! The fields of an edit's text, separated by colons.

use crate::transform::mode::octal;

/// Splits at every colon that is not escaped with a backslash, and keeps the backslashes.
pub(super) fn split(text: &[u8]) -> Vec<&[u8]> {
    let mut fields = Vec::new();
    let mut rest = text;
    while let Some(colon) = colon(rest) {
        let (field, after) = rest.split_at(colon);
        fields.push(field);
        rest = after.get(1..).unwrap_or_default();
    }
    fields.push(rest);
    fields
}

/// Returns the offset of the first colon that is not escaped with a backslash.
pub(super) fn colon(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|byte| {
        let found = *byte == b':' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        found
    })
}

/// Returns the fields without their backslashes, if there are exactly as many.
pub(super) fn fields<const N: usize>(text: &[u8]) -> Result<[Vec<u8>; N], String> {
    let fields: Result<Vec<_>, _> = split(text).into_iter().map(unescape).collect();
    let count = split(text).len();
    fields?.try_into().map_err(|_| {
        format!("has {count} fields separated by colons, and {N} are needed; \\: is a colon within a field")
    })
}

/// Removes the backslashes.
pub(super) fn unescape(field: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => *bytes.next().ok_or_else(|| "ends with a backslash".to_owned())?,
            byte => *byte,
        });
    }
    Ok(out)
}

/// Refuses an empty path, or one with NUL.
pub(in crate::transform) fn checked_path(path: Vec<u8>) -> Result<Vec<u8>, String> {
    if path.is_empty() {
        return Err("has no path of the tree".to_owned());
    }
    if path.contains(&0) {
        return Err("has a path with NUL".to_owned());
    }
    Ok(path)
}

/// Parses a mode in octal digits, at most 7777.
pub(super) fn octal_field(field: &[u8]) -> Result<u16, String> {
    let text = String::from_utf8_lossy(field);
    octal(&text).ok_or_else(|| format!("\"{text}\" is not a mode in octal digits, at most 7777"))
}
