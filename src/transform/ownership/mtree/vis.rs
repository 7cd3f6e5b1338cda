//! Decodes names that are encoded with vis(3), as unvis(3) does.

/// Decodes backslash sequences: one to three octal digits, `\a \b \f \n \r \s \t \v \E`, `\^C`,
/// `\M-C`, `\M^C`, and a backslash before a printable character that is not a letter or digit. `\$`
/// is dropped. None for any other sequence.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let (kind, after) = rest.split_first()?;
        rest = after;
        let byte = match kind {
            b'0'..=b'7' => octal(*kind, &mut rest)?,
            b'M' => {
                let (how, after) = rest.split_first()?;
                let (letter, after) = after.split_first()?;
                rest = after;
                match how {
                    b'-' => letter | 0x80,
                    b'^' => control(*letter) | 0x80,
                    _ => return None,
                }
            }
            b'^' => {
                let (letter, after) = rest.split_first()?;
                rest = after;
                control(*letter)
            }
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b's' => b' ',
            b't' => b'\t',
            b'v' => 0x0b,
            b'E' => 0x1b,
            b'$' => continue,
            other if other.is_ascii_punctuation() => *other,
            _ => return None,
        };
        out.push(byte);
    }
    Some(out)
}

fn octal(first: u8, rest: &mut &[u8]) -> Option<u8> {
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let Some((digit @ b'0'..=b'7', after)) = rest.split_first() else { break };
        value = value * 8 + u16::from(digit - b'0');
        *rest = after;
    }
    u8::try_from(value).ok()
}

/// Returns a control character: 1 for `A`, DEL for `?`.
fn control(letter: u8) -> u8 {
    if letter == b'?' { 0x7f } else { letter & 0x1f }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_as_unvis() {
        for (text, bytes) in [
            ("plain", &b"plain"[..]),
            (r"a\040b", b"a b"),
            (r"a\sb\tc\n", b"a b\tc\n"),
            (r"\134\\\#\=", b"\\\\#="),
            (r"\0", b"\0"),
            (r"\12x", b"\nx"),
            (r"\303\251", "é".as_bytes()),
            (r"\M-C\M-)", "é".as_bytes()),
            (r"\^A\^?\M^A", b"\x01\x7f\x81"),
            (r"a\$b", b"ab"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes), "{text}");
        }
        for text in [r"\", r"\400", r"\9", r"\q", r"\M", r"\M-", r"\Mx", r"\^"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
