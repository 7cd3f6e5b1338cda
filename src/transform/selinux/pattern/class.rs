//! `[…]`: sets of bytes. Unlike PCRE2, the crate `regex` supports nested sets and set operators, so
//! every member is written by number.

use super::error::{PatternError, error};
use super::literal::{escaped_literal, unknown_escape, write_literal};

/// The names of classes between `[:` and `:]`.
const NAMES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// A member of a class.
enum Member {
    Byte(u8),
    /// A named set, which is spelled the same in both syntaxes.
    Set(String),
}

/// Translates the class whose `[` precedes `at` and returns the offset of its end.
pub(super) fn translate(pattern: &[u8], at: usize, out: &mut String) -> Result<usize, PatternError> {
    let start = at.saturating_sub(1);
    let unclosed = || error(start, "a [ is not closed");
    let mut at = at;
    out.push('[');
    if pattern.get(at) == Some(&b'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    loop {
        let byte = *pattern.get(at).ok_or_else(unclosed)?;
        if byte == b']' && at > first {
            out.push(']');
            return Ok(at + 1);
        }
        let (low, behind) = member(pattern, at)?;
        let range = pattern.get(behind) == Some(&b'-') && pattern.get(behind + 1).is_some_and(|b| *b != b']');
        match low {
            Member::Set(name) => {
                if range {
                    return Err(error(behind, "a range begins with a set"));
                }
                out.push_str(&name);
                at = behind;
            }
            Member::Byte(low) if range => {
                let (Member::Byte(high), end) = member(pattern, behind + 1)? else {
                    return Err(error(behind, "a range ends with a set"));
                };
                if high < low {
                    return Err(error(at, "a range is from more to less"));
                }
                write_literal(out, low);
                out.push('-');
                write_literal(out, high);
                at = end;
            }
            Member::Byte(byte) => {
                write_literal(out, byte);
                at = behind;
            }
        }
    }
}

/// Returns the member at `at`, and the offset of the next one.
fn member(pattern: &[u8], at: usize) -> Result<(Member, usize), PatternError> {
    let rest = pattern.get(at..).unwrap_or_default();
    match rest {
        [b'\\', letter @ (b'd' | b'D' | b'w' | b'W' | b's' | b'S'), ..] => {
            Ok((Member::Set(format!("\\{}", char::from(*letter))), at + 2))
        }
        [b'\\', b'b', ..] => Ok((Member::Byte(0x08), at + 2)),
        [b'\\', byte, ..] => match escaped_literal(*byte) {
            Some(byte) => Ok((Member::Byte(byte), at + 2)),
            None => Err(unknown_escape(at, *byte)),
        },
        [b'[', mark @ (b':' | b'.' | b'='), inner @ ..] => {
            // Without the end of a name, `[:` and the like are ordinary bytes.
            let end = inner.windows(2).position(|pair| pair == [*mark, b']']);
            match end.and_then(|end| std::str::from_utf8(inner.get(..end)?).ok()) {
                None => Ok((Member::Byte(b'['), at + 1)),
                Some(name) if *mark == b':' && NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) => {
                    Ok((Member::Set(format!("[:{name}:]")), at + name.len() + 4))
                }
                Some(name) => {
                    let mark = char::from(*mark);
                    Err(error(at, format!("[{mark}{name}{mark}] is not a set of bytes")))
                }
            }
        }
        [byte, ..] => Ok((Member::Byte(*byte), at + 1)),
        [] => Err(error(at, "a [ is not closed")),
    }
}
