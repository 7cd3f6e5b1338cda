//! Shell patterns for names without a directory.

use image_tree::glob::Glob;

/// A pattern for the names of files, units or features: `*`, `?` and `[...]`.
#[derive(Clone, Debug)]
pub struct NameGlob {
    /// The pattern as a path of one component; `None` if it matches every name, including the empty
    /// one.
    glob: Option<Glob>,
}

impl NameGlob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Returns an error if a `[` is not closed, a range is backwards, the last byte is a backslash,
    /// there is a `/`, or the pattern is `.`, `..` or empty.
    pub fn parse(pattern: &[u8]) -> Result<Self, String> {
        let shown = pattern.escape_ascii();
        if pattern.is_empty() || pattern.contains(&b'/') {
            return Err(format!("\"{shown}\" is not a pattern for a name: it is empty or contains a /"));
        }
        if pattern.iter().all(|byte| *byte == b'*') {
            return Ok(Self { glob: None });
        }
        Ok(Self { glob: Some(Glob::parse(&[b"/", pattern].concat())?) })
    }

    /// Returns true if a name matches.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        let matches = |glob: &Glob| !name.contains(&b'/') && glob.matches(&[b"/", name].concat());
        self.glob.as_ref().is_none_or(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let glob = NameGlob::parse(pattern.as_bytes()).expect("a pattern");
            assert_eq!(glob.matches(name.as_bytes()), expected, "{pattern} {name}");
        };
        check("*", "x", true);
        check("lib*.so.*", "libx.so.1", true);
        check("lib*.so.*", "libx.so", false);
        check("[a-c]?", "bx", true);
        check("**", "x", true);
        check("*", "", true);
        check("*", "a/b", true);
        check("a*", "a/b", false);
        check("?", "", false);
        assert!(NameGlob::parse(b"").is_err() && NameGlob::parse(b"a/b").is_err());
        assert!(NameGlob::parse(b"[a").is_err());
    }
}
