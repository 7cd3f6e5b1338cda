//! Literal bytes and escapes in patterns.

use super::error::{PatternError, error};

/// Returns the byte that an escape stands for, if it is a single byte.
pub(super) fn escaped_literal(byte: u8) -> Option<u8> {
    match byte {
        b't' => Some(b'\t'),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b'f' => Some(0x0c),
        b'e' => Some(0x1b),
        b'a' => Some(0x07),
        byte if byte.is_ascii_alphanumeric() => None,
        byte => Some(byte),
    }
}

pub(super) fn unknown_escape(at: usize, byte: u8) -> PatternError {
    error(at, format!("\\{} is not supported", byte.escape_ascii()))
}

/// Writes a byte as a literal, valid inside and outside of a class.
pub(super) fn write_literal(out: &mut String, byte: u8) {
    use std::fmt::Write as _;
    if byte.is_ascii_alphanumeric() || byte == b'/' {
        out.push(char::from(byte));
    } else {
        // OK to ignore: writing to a String cannot fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}
