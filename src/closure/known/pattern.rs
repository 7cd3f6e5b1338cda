//! Patterns for the programs and libraries of entries.

use thiserror::Error;

/// The placeholder for a version.
const VERSION: &str = "{V}";

/// A pattern for base names, or with a `/` for the end of paths: `*` stands for any bytes but `/`,
/// `{V}` for a version such as `3.11`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
    /// The first bytes of the base name, up to a digit or a dot.
    stem: Vec<u8>,
    has_directory: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    /// `*`
    Any,
    /// `{V}`
    Version,
}

/// The error for a text that is not a pattern.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    /// The base name starts with a wildcard, a digit or a dot, or is empty.
    #[error("\"{}\" does not start with a name: a letter, up to a digit, a dot or {{V}}", .0.escape_debug())]
    NoStem(String),
    /// A `*` is before the first digit or dot of the base name.
    #[error("\"{}\" has a * before the first digit, dot or {{V}} of its name", .0.escape_debug())]
    EarlyWildcard(String),
    /// A brace does not belong to a placeholder, or a placeholder occurs twice.
    #[error("\"{}\" has a brace, which only {{V}} may have, once", .0.escape_debug())]
    Brace(String),
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Returns an error if the base name does not start with a literal name, by which it is found
    /// in an index.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.matches(VERSION).count() > 1 || text.replacen(VERSION, "", 1).contains(['{', '}']) {
            return Err(PatternError::Brace(text.to_owned()));
        }
        let base = text.rsplit('/').next().unwrap_or(text);
        let end = base.find(|letter: char| letter.is_ascii_digit() || ".*{".contains(letter));
        let (stem, rest) = base.split_at(end.unwrap_or(base.len()));
        if stem.is_empty() {
            return Err(PatternError::NoStem(text.to_owned()));
        }
        if rest.starts_with('*') {
            return Err(PatternError::EarlyWildcard(text.to_owned()));
        }
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            let (token, len) = match first {
                b'*' => (Token::Any, 1),
                b'{' => (Token::Version, VERSION.len()),
                byte => (Token::Byte(byte), 1),
            };
            tokens.push(token);
            rest = rest.get(len..).unwrap_or_default();
        }
        let has_directory = text.contains('/');
        Ok(Self { tokens, stem: stem.as_bytes().to_vec(), has_directory })
    }

    /// The first bytes of the base name, up to a digit or a dot.
    pub(super) fn stem(&self) -> &[u8] {
        &self.stem
    }

    /// Returns the version in an absolute path, empty if the pattern has none; `None` if the path does
    /// not match.
    #[must_use]
    pub fn matches<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let slashes = match self.has_directory {
            true => self.tokens.iter().filter(|token| **token == Token::Byte(b'/')).count(),
            false => 0,
        };
        let mut starts = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let start = starts.nth(slashes)? + 1;
        matched(&self.tokens, &path[start..])
    }
}

/// Returns the stem of a base name, by which its patterns are found.
pub(super) fn stem(base_name: &[u8]) -> &[u8] {
    let end = base_name.iter().position(|byte| byte.is_ascii_digit() || *byte == b'.');
    &base_name[..end.unwrap_or(base_name.len())]
}

/// Returns the version in a text, if all of it matches. A `*` gives way to the tokens after it as
/// often as necessary; a version takes as many digits and dots as there are.
fn matched<'t>(tokens: &[Token], text: &'t [u8]) -> Option<&'t [u8]> {
    let (mut token, mut at) = (0, 0);
    let mut version = &text[..0];
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let advanced = match tokens.get(token) {
            None if at == text.len() => return Some(version),
            None => false,
            Some(Token::Any) => {
                retry = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::Byte(byte)) if text.get(at) == Some(byte) => {
                at += 1;
                true
            }
            Some(Token::Byte(_)) => false,
            Some(Token::Version) => {
                let found = version_at(&text[at..]);
                version = found;
                at += found.len();
                !found.is_empty()
            }
        };
        if advanced {
            token += 1;
            continue;
        }
        let (any, from) = retry?;
        if text.get(from).is_none_or(|byte| *byte == b'/') {
            return None;
        }
        retry = Some((any, from + 1));
        (token, at) = (any + 1, from + 1);
    }
}

/// Returns the version at the start of a text: digits, with dots between them.
fn version_at(text: &[u8]) -> &[u8] {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let dots = text[..len].iter().rev().take_while(|byte| **byte == b'.').count();
    let version = &text[..len - dots];
    if version.first() == Some(&b'.') { &text[..0] } else { version }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_with_their_version() {
        let check = |pattern: &str, path: &str, version: Option<&str>| {
            let parsed = Pattern::parse(pattern).expect("a pattern");
            let found = parsed.matches(path.as_bytes());
            assert_eq!(found, version.map(str::as_bytes), "{pattern} {path}");
            let base = path.rsplit('/').next().expect("it has a name");
            assert!(found.is_none() || parsed.stem() == stem(base.as_bytes()), "{pattern} {path}");
        };
        check("sshd", "/usr/sbin/sshd", Some(""));
        check("sshd", "/usr/sbin/sshd2", None);
        check("sshd", "/usr/sbin/sshd-session", None);
        check("python{V}", "/usr/bin/python3.11", Some("3.11"));
        check("python{V}", "/usr/bin/python3", Some("3"));
        check("python{V}", "/usr/bin/python", None);
        check("python{V}", "/usr/bin/python3.11-config", None);
        check("libpython{V}.so.*", "/usr/lib/libpython3.11.so.1.0", Some("3.11"));
        check("libssl.so.*", "/lib/libssl.so.3", Some(""));
        check("libssl.so.*", "/lib/libssl.so", None);
        check("lib/systemd/systemd", "/usr/lib/systemd/systemd", Some(""));
        check("lib/systemd/systemd", "/usr/lib/other/systemd", None);
        check("lib/systemd/systemd", "/systemd", None);
        check("a.*b*c", "/a.xbxbyc", Some(""));
        check("a.*b*c", "/a.xbx/c", None);
        check("a{V}b", "/a1.2.b", None);
    }

    #[test]
    fn a_pattern_starts_with_a_name() {
        for text in ["", "*", ".x", "3x", "{V}", "/", "bin/"] {
            assert_eq!(Pattern::parse(text), Err(PatternError::NoStem(text.to_owned())));
        }
        assert_eq!(Pattern::parse("lib*.so"), Err(PatternError::EarlyWildcard("lib*.so".to_owned())));
        for text in ["a{v}", "a{V}b{V}", "a{", "a}"] {
            assert_eq!(Pattern::parse(text), Err(PatternError::Brace(text.to_owned())));
        }
    }
}
