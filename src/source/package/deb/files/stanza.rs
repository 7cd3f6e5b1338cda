//! The fields of one package: a paragraph of the form that deb822(5) describes.

/// The most fields of a paragraph.
const MAX_FIELDS: usize = 1000;

/// The fields of a paragraph, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stanza {
    fields: Vec<(String, Vec<u8>)>,
}

impl Stanza {
    /// Parses a single paragraph. Values keep their further lines as they are.
    ///
    /// # Errors
    /// A message with the number of the line that is not of a paragraph, or the name of a field that
    /// is there twice.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
        let mut ended = false;
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let refuse = |why: &str| Err(format!("line {number} {why}"));
            if line.contains(&0) {
                return refuse("has a NUL");
            }
            if line.trim_ascii().is_empty() {
                ended |= !fields.is_empty();
                continue;
            }
            if line.starts_with(b"#") {
                continue;
            }
            if ended {
                return refuse("is behind the end of the paragraph, of which there is one only");
            }
            if line.starts_with(b" ") || line.starts_with(b"\t") {
                match fields.last_mut() {
                    Some((_, value)) => value.extend([b"\n", line.trim_ascii_end()].concat()),
                    None => return refuse("continues a field, and there is none before it"),
                }
                continue;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                return refuse("is not a field: it has no colon");
            };
            let is_valid = |byte: &u8| byte.is_ascii_graphic() && *byte != b':';
            let name = &line[..colon];
            let Some(name) = str::from_utf8(name).ok().filter(|name| {
                !name.is_empty() && !name.starts_with('-') && name.bytes().all(|byte| is_valid(&byte))
            }) else {
                return refuse("is not a field: its name is not valid");
            };
            if fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(format!("has the field {name} twice"));
            }
            if fields.len() == MAX_FIELDS {
                return Err(format!("has more than {MAX_FIELDS} fields"));
            }
            fields.push((name.to_owned(), line[colon + 1..].trim_ascii().to_vec()));
        }
        if fields.is_empty() {
            return Err("has no fields".to_owned());
        }
        Ok(Self { fields })
    }

    /// Returns the value of a field, without the spaces around its first line.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }

    /// Returns the value of a field as text, in which bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Returns the fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_lines() {
        let text = b"\nPackage: a\nDescription:  short \n long\n .\n\tmore \n# note\nX-Y:\n\n";
        let stanza = Stanza::parse(text).expect("a paragraph");
        let expected: [(&str, &[u8]); 3] =
            [("Package", b"a"), ("Description", b"short\n long\n .\n\tmore"), ("X-Y", b"")];
        assert_eq!(stanza.fields().collect::<Vec<_>>(), expected);
        assert_eq!(stanza.get("package"), Some(&b"a"[..]));
        assert_eq!(stanza.get("none"), None);
    }

    #[test]
    fn malformed_paragraphs_are_refused() {
        for (text, expected) in [
            ("", "has no fields"),
            ("# only\n", "has no fields"),
            (" x\n", "line 1 continues a field"),
            ("a\n", "line 1 is not a field: it has no colon"),
            (": x\n", "line 1 is not a field: its name"),
            ("a b: x\n", "its name is not valid"),
            ("-a: x\n", "its name is not valid"),
            ("a: x\nA: y\n", "has the field A twice"),
            ("a: x\n\nb: y\n", "line 3 is behind the end"),
            ("a: \0\n", "line 1 has a NUL"),
        ] {
            let error = Stanza::parse(text.as_bytes()).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
