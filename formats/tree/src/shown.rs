//! Names in messages.

mod shortened;

use std::fmt;
use std::str;

pub use shortened::shortened;

/// A name as text that is safe on a terminal, stays on one line, and represents exactly one byte
/// sequence.
///
/// Printable characters of any script are kept. A backslash is doubled. Control characters, line
/// ends, characters that only change the display of others (such as those for bidirectional text),
/// and bytes that are not UTF-8 become `\n`, `\r`, `\t`, or `\xNN` for each byte.
///
/// ```
/// use image_tree::Shown;
/// assert_eq!(Shown(b"/srv/\xc3\xa9t\xc3\xa9").to_string(), "/srv/été");
/// assert_eq!(Shown(b"a\nb\x1b[31m\xff\\").to_string(), r"a\nb\x1b[31m\xff\\");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'n>(pub &'n [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    _ => write_printable(f, character)?,
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

impl Shown<'_> {
    /// Escapes a text composed of sentences and names: like a name, except that backslashes and
    /// line ends are kept. The text may have been escaped before.
    #[must_use]
    pub fn message(text: &str) -> String {
        text.chars().fold(String::new(), |mut shown, character| {
            match character {
                '\n' => shown.push('\n'),
                // OK to ignore: writing to a String does not fail.
                _ => drop(write_printable(&mut shown, character)),
            }
            shown
        })
    }

    /// Returns true if a terminal shows every character of `text` as itself.
    #[must_use]
    pub fn is_plain(text: &[u8]) -> bool {
        str::from_utf8(text).is_ok_and(|text| text.chars().all(is_printable))
    }
}

fn write_printable(out: &mut impl fmt::Write, character: char) -> fmt::Result {
    if is_printable(character) {
        return out.write_char(character);
    }
    let mut buffer = [0; 4];
    write!(out, "{}", character.encode_utf8(&mut buffer).as_bytes().escape_ascii())
}

fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // The standard library has the Unicode categories, and escapes combining characters only if
    // they come first.
    let mut buffer = [b'a'; 5];
    let len = 1 + character.encode_utf8(&mut buffer[1..]).len();
    str::from_utf8(&buffer[..len]).is_ok_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_names_are_unchanged() {
        for name in ["plain name", "été", "e\u{301}", "日本語", "Ελλάδα", "it's \"quoted\"", "👍", "~$&;"]
        {
            assert_eq!(Shown(name.as_bytes()).to_string(), name);
            assert!(Shown::is_plain(name.as_bytes()), "{name}");
            assert_eq!(Shown::message(name), name);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        for (name, shown) in [
            (&b"a\nb\rc\td"[..], r"a\nb\rc\td"),
            (b"\x1b[31mred\x07\x7f\0", r"\x1b[31mred\x07\x7f\x00"),
            // A C1 control character, a direction override, an isolate, a line separator, a byte
            // order mark.
            ("\u{9b}31m".as_bytes(), r"\xc2\x9b31m"),
            ("\u{202e}txt".as_bytes(), r"\xe2\x80\xaetxt"),
            ("\u{2066}\u{2028}\u{feff}".as_bytes(), r"\xe2\x81\xa6\xe2\x80\xa8\xef\xbb\xbf"),
            (b"bad\xff\xfe", r"bad\xff\xfe"),
            (b"cut \xe2\x82", r"cut \xe2\x82"),
        ] {
            assert_eq!(Shown(name).to_string(), shown);
            assert!(!Shown::is_plain(name), "{shown}");
        }
    }

    #[test]
    fn different_names_are_shown_differently() {
        assert_eq!(Shown(br"a\nb").to_string(), r"a\\nb");
        assert_eq!(Shown(b"a\nb").to_string(), r"a\nb");
        assert_eq!(Shown(br"\xff").to_string(), r"\\xff");
    }

    #[test]
    fn messages_keep_their_lines_and_can_be_shown_twice() {
        let once = Shown::message("one \\x1b\ntwo \u{1b}[2J\u{202e}\r");
        assert_eq!(once, "one \\x1b\ntwo \\x1b[2J\\xe2\\x80\\xae\\r");
        assert_eq!(Shown::message(&once), once);
    }
}
