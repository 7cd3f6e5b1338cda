//! Escaping of bytes as the text of a field.

use std::borrow::Cow;

use super::error::Problem;

/// The meaning of `=` in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equals {
    /// A literal character.
    Plain,
    /// The end of an xattr name, so it is escaped in names and values.
    Separator,
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `bytes`, with all bytes escaped that are special or not printable.
pub(super) fn push(out: &mut Vec<u8>, bytes: &[u8], equals: Equals) {
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| !stands_for_itself(*byte, equals)) {
        let (plain, special) = rest.split_at(end);
        out.extend_from_slice(plain);
        if let Some((byte, after)) = special.split_first() {
            push_escape(out, *byte);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
}

/// Appends a field that may be unset: `-` for no bytes, and an escape for the byte `-` alone.
pub(super) fn push_optional(out: &mut Vec<u8>, bytes: &[u8]) {
    match bytes {
        b"" => out.push(b'-'),
        b"-" => push_escape(out, b'-'),
        _ => push(out, bytes, Equals::Plain),
    }
}

/// True for each byte that is written unescaped, where `=` is too: a table, because every byte of a
/// dump is looked up.
const STANDS_FOR_ITSELF: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] = byte != b'\\';
        byte += 1;
    }
    table
};

fn stands_for_itself(byte: u8, equals: Equals) -> bool {
    STANDS_FOR_ITSELF[usize::from(byte)] && (byte != b'=' || equals == Equals::Plain)
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\x");
            out.extend_from_slice(&digits);
        }
    }
}

/// Returns the bytes that `text` represents.
///
/// Bytes from 0x80 may be unescaped, so that a dump written by hand can contain UTF-8. Control
/// characters must be escaped: a carriage return before the newline would otherwise become part of
/// the last field.
pub(super) fn unescape(text: &[u8]) -> Result<Cow<'_, [u8]>, Problem> {
    if text.iter().any(u8::is_ascii_control) {
        return Err(Problem::ControlCharacter);
    }
    if !text.contains(&b'\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, tail) = if *first == b'\\' { unescape_one(after)? } else { (*first, after) };
        bytes.push(byte);
        rest = tail;
    }
    Ok(Cow::Owned(bytes))
}

/// Returns the byte represented by the characters after a backslash, and the rest of the text.
fn unescape_one(text: &[u8]) -> Result<(u8, &[u8]), Problem> {
    match text {
        [b'\\', rest @ ..] => Ok((b'\\', rest)),
        [b'n', rest @ ..] => Ok((b'\n', rest)),
        [b'r', rest @ ..] => Ok((b'\r', rest)),
        [b't', rest @ ..] => Ok((b'\t', rest)),
        [b'x', high, low, rest @ ..] => {
            let digits = hex_digit(*high).zip(hex_digit(*low)).ok_or(Problem::Escape)?;
            Ok((digits.0 << 4 | digits.1, rest))
        }
        _ => Err(Problem::Escape),
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8], equals: Equals) -> String {
        let mut out = Vec::new();
        push(&mut out, bytes, equals);
        String::from_utf8(out).expect("escaped text is ASCII")
    }

    #[test]
    fn special_bytes_are_escaped() {
        assert_eq!(escaped(b"a b\\c\n\r\t\0\x7f\xff=-~!", Equals::Plain), r"a\x20b\\c\n\r\t\x00\x7f\xff=-~!");
        assert_eq!(escaped(b"=", Equals::Separator), r"\x3d");
    }

    #[test]
    fn every_byte_unescapes_to_itself() {
        let all: Vec<u8> = (0..=255).collect();
        for equals in [Equals::Plain, Equals::Separator] {
            let text = escaped(&all, equals);
            assert!(!text.contains([' ', '\n']));
            assert_eq!(unescape(text.as_bytes()).expect("it was just escaped"), all);
        }
    }

    #[test]
    fn unset_and_dash_differ() {
        let optional = |bytes| {
            let mut out = Vec::new();
            push_optional(&mut out, bytes);
            String::from_utf8(out).expect("escaped text is ASCII")
        };
        assert_eq!([optional(b""), optional(b"-"), optional(b"--")], ["-", r"\x2d", "--"]);
    }

    #[test]
    fn invalid_escapes_are_rejected() {
        for text in [r"\", r"\q", r"\x", r"\x1", r"\xg0", r"\x0G", r"a\"] {
            assert_eq!(unescape(text.as_bytes()), Err(Problem::Escape), "{text}");
        }
        assert_eq!(unescape(b"a\r"), Err(Problem::ControlCharacter));
        assert_eq!(unescape("é".as_bytes()).expect("UTF-8 may be plain"), "é".as_bytes());
        assert_eq!(unescape(br"\xE9").expect("either case of digit"), &b"\xe9"[..]);
    }
}
