//! Paragraphs of fields (deb822): the form of control files, of dpkg's status, of indices of
//! packages, and of apt's sources. Nothing is copied.
//!
//! ```text
//! Package: bash            ← a field: its name, a colon, and its value
//! Depends: base-files,     ← a value goes on in lines that begin with a blank
//!  debianutils
//! # a comment
//!                          ← an empty line ends the paragraph
//! Package: dash
//! ```

/// The paragraphs of a text, in order.
#[derive(Clone, Debug)]
pub struct Paragraphs<'t> {
    text: &'t [u8],
    /// The offset of the rest, in bytes.
    at: usize,
}

/// A paragraph: at least one line that is neither empty nor a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paragraph<'t> {
    text: &'t [u8],
    /// The offset in the whole text, in bytes.
    offset: usize,
}

/// A field of a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'t> {
    /// The name, as it is spelled.
    pub name: &'t [u8],
    /// The value with all of its lines, without blanks at its ends.
    pub value: &'t [u8],
}

/// Returns the paragraphs of a text.
#[must_use]
pub fn paragraphs(text: &[u8]) -> Paragraphs<'_> {
    Paragraphs { text, at: 0 }
}

impl<'t> Iterator for Paragraphs<'t> {
    type Item = Paragraph<'t>;

    fn next(&mut self) -> Option<Paragraph<'t>> {
        let mut found: Option<usize> = None;
        while self.at < self.text.len() {
            let start = self.at;
            let (line, len) = first_line(&self.text[start..]);
            self.at += len;
            if is_blank(line) {
                if let Some(begin) = found {
                    return Some(Paragraph { text: &self.text[begin..start], offset: begin });
                }
            } else if found.is_none() && !line.starts_with(b"#") {
                found = Some(start);
            }
        }
        found.map(|begin| Paragraph { text: &self.text[begin..], offset: begin })
    }
}

impl<'t> Paragraph<'t> {
    /// The text of all lines, with the end of the last one if it has one.
    #[must_use]
    pub fn text(&self) -> &'t [u8] {
        self.text
    }

    /// The offset of the first line in the whole text, in bytes.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The fields in order. A line that belongs to none is skipped.
    pub fn fields(&self) -> impl Iterator<Item = Field<'t>> + use<'t> {
        Fields { text: self.text, at: 0 }
    }

    /// Returns the value of the first field of this name, in upper or lower case.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&'t [u8]> {
        self.fields().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }
}

struct Fields<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Iterator for Fields<'t> {
    type Item = Field<'t>;

    fn next(&mut self) -> Option<Field<'t>> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let (line, len) = first_line(rest);
            self.at += len;
            if matches!(line, [b'#' | b' ' | b'\t', ..]) {
                continue;
            }
            let Some(colon) = memchr(b':', line) else { continue };
            let begin = colon + 1;
            let mut end = len;
            // Comments between the lines of a value are part of its text.
            while let Some(rest) = rest.get(end..).filter(|rest| !rest.is_empty()) {
                if !matches!(rest, [b' ' | b'\t' | b'#', ..]) {
                    break;
                }
                let (_, len) = first_line(rest);
                end += len;
                self.at += len;
            }
            let name = line[..colon].trim_ascii_end();
            return Some(Field { name, value: rest[begin..end].trim_ascii() });
        }
    }
}

/// The lines of a value without comments, each without blanks at its ends. A line of a lone dot
/// stands for an empty one.
pub fn lines(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = value.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
    lines.map(|line| if line.trim_ascii() == b"." { &b""[..] } else { line.trim_ascii() })
}

/// The words of a value without those of comments.
pub fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(value).flat_map(|line| line.split(u8::is_ascii_whitespace)).filter(|word| !word.is_empty())
}

/// Returns the first line without its end, and its length with it.
fn first_line(text: &[u8]) -> (&[u8], usize) {
    match memchr(b'\n', text) {
        Some(end) => (&text[..end], end + 1),
        None => (text, text.len()),
    }
}

fn memchr(byte: u8, text: &[u8]) -> Option<usize> {
    text.iter().position(|other| *other == byte)
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(paragraph: &Paragraph<'_>) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        paragraph.fields().map(|field| (text(field.name), text(field.value))).collect()
    }

    #[test]
    fn paragraphs_end_at_empty_lines() {
        let text =
            b"# of nothing\n\n\nA: 1\nB:  two\n  words \n# note\n\tmore\n \t\r\nno field\nc:\n\n#\n\nD: 4";
        let found: Vec<_> = paragraphs(text).collect();
        let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found.len(), 3);
        assert_eq!(shown(&found[0]), [of("A", "1"), of("B", r"two\n  words \n# note\n\tmore")]);
        assert_eq!(shown(&found[1]), [of("c", "")]);
        assert_eq!(shown(&found[2]), [of("D", "4")]);
        assert_eq!(found[0].get(b"a"), Some(&b"1"[..]));
        assert_eq!(found[0].get(b"c"), None);
        assert!(text[found[2].offset()..].starts_with(b"D: 4"));
        assert_eq!(paragraphs(b"").count() + paragraphs(b"\n# x\n\n").count(), 0);
    }

    #[test]
    fn comments_are_left_out_of_values() {
        let value = b"one two\n # of it\n# not one\n .\n\tthree";
        let found: Vec<_> = lines(value).collect();
        assert_eq!(found, [&b"one two"[..], b"# of it", b"", b"three"]);
        assert_eq!(words(b"one\n# two\n three").count(), 2);
    }
}
