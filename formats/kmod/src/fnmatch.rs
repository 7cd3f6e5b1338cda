//! Patterns of aliases: `fnmatch(3)` of glibc without flags, in the C locale.
//!
//! This is not the language of [`image_tree::glob`], which is for patterns that users write: there a
//! star stops at `/`, and a pattern can be invalid. An alias is whatever a module says, and libkmod
//! gives it to `fnmatch` as it is, where a `[` without its end is literal.

/// Returns true if a pattern matches all of `name`. `*` matches any bytes, `/` and a leading dot
/// too; `?` one byte; `[a-c]`, `[!a-c]` and `[^a-c]` one byte in a set or not in it, with classes as
/// `[:digit:]`; a backslash makes the next byte literal. A `[` without its `]` is literal.
#[must_use]
pub fn fnmatch(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    // The pattern behind the last star, and the name that it is tried at next.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let matched = match pattern.get(at) {
            None if position == name.len() => return true,
            None => None,
            Some(b'*') => {
                star = Some((at + 1, position));
                at += 1;
                continue;
            }
            Some(_) => name.get(position).and_then(|byte| one(&pattern[at..], *byte)),
        };
        match (matched, star) {
            (Some(len), _) => (at, position) = (at + len, position + 1),
            (None, Some((behind, tried))) if tried < name.len() => {
                star = Some((behind, tried + 1));
                (at, position) = (behind, tried + 1);
            }
            (None, _) => return false,
        }
    }
}

/// Matches one byte with the start of a pattern that is not a star, and returns the length of the
/// part that matched it.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', ..] => match set(pattern, byte) {
            Some((len, contains)) => contains.then_some(len),
            None => (byte == b'[').then_some(1),
        },
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        // A backslash at the end matches nothing.
        [b'\\'] | [] => None,
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// Returns the length of the set that begins here and true if it contains the byte; `None` if the
/// set does not end.
fn set(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    let (mut at, mut contains) = (first, false);
    loop {
        match *pattern.get(at)? {
            b']' if at > first => return Some((at + 1, contains != negated)),
            b'[' if pattern.get(at + 1) == Some(&b':') => match class(&pattern[at..], byte) {
                Some((len, is_in)) => {
                    contains |= is_in;
                    at += len;
                }
                None => {
                    contains |= byte == b'[';
                    at += 1;
                }
            },
            _ => {
                let (low, next) = literal(pattern, at)?;
                let is_range = pattern.get(next) == Some(&b'-') && pattern.get(next + 1) != Some(&b']');
                let (high, next) = if is_range { literal(pattern, next + 1)? } else { (low, next) };
                contains |= (low..=high).contains(&byte);
                at = next;
            }
        }
    }
}

/// Returns the byte of a set at this place, which a backslash may precede, and the place behind it.
fn literal(pattern: &[u8], at: usize) -> Option<(u8, usize)> {
    match *pattern.get(at)? {
        b'\\' => Some((*pattern.get(at + 1)?, at + 2)),
        byte => Some((byte, at + 1)),
    }
}

/// Returns the length of the class that begins here, as `[:digit:]`, and true if it contains the
/// byte; `None` if this is not a class.
fn class(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let name = pattern.get(2..)?;
    let len = name.windows(2).position(|end| end == b":]")?;
    let contains = match &name[..len] {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    };
    Some((len + 4, contains))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_those_of_glibc() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("*", "", true),
            ("*", "a/.b", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("**a", "ba", true),
            ("?", "", false),
            ("?b", "ab", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[a", "[a", true),
            ("[a", "a", false),
            ("[[:digit:]x]", "7", true),
            ("[[:digit:]x]", "x", true),
            ("[[:digit:]x]", "a", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a", false),
            ("usb:v1209p*d*dc*", "usb:v1209p0001d0100dc00", true),
            ("pci:v00001AF4d00001000sv*sd*bc*sc*i*", "pci:v00001AF4d00001000sv1sd2bc02sc00i00", true),
        ] {
            assert_eq!(fnmatch(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_little_time() {
        let pattern = [b"a*".repeat(2000), b"b".to_vec()].concat();
        assert!(!fnmatch(&pattern, &b"a".repeat(4000)));
    }
}
