//! Patterns for paths.
//!
//! | pattern | matches |
//! | --- | --- |
//! | `*` | any number of bytes of one component |
//! | `?` | one byte of a component |
//! | `[a-c]`, `[!a-c]` | one byte in, or not in, the set; `]` first and `-` last are literal |
//! | `**` | as a whole component: any number of directories; as the last one: everything beneath |
//! | `\x` | the byte `x` |
//!
//! A pattern applies to whole paths from the root, with or without a leading `/`. A leading dot of
//! a name is not special. Matching is by bytes: `?` matches one byte of a letter that UTF-8 encodes
//! in several.

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    components: Vec<Component>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Component {
    /// `**`
    Any,
    Name(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Many,
    Set {
        negated: bool,
        /// The first and last byte of each range.
        ranges: Vec<(u8, u8)>,
    },
}

impl Glob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Returns a message if a `[` is not closed, a range is reversed, a backslash is last, or a
    /// component is `.` or `..`.
    pub fn parse(pattern: &[u8]) -> Result<Self, String> {
        let refuse = |why: &str| format!("glob \"{}\" {why}", pattern.escape_ascii());
        let mut components = Vec::new();
        for text in pattern.split(|byte| *byte == b'/').filter(|text| !text.is_empty()) {
            components.push(match text {
                b"**" => Component::Any,
                b"." | b".." => return Err(refuse(DOTS)),
                _ => Component::Name(tokens(text).map_err(refuse)?),
            });
        }
        if let Some(Component::Any) = components.last() {
            // Everything beneath a directory does not include the directory.
            components.push(Component::Name(vec![Token::Many]));
        }
        Ok(Self { components })
    }

    /// Returns true if the text contains a wildcard, and so is not a path.
    #[must_use]
    pub fn is_pattern(text: &[u8]) -> bool {
        let mut rest = text.iter();
        while let Some(byte) = rest.next() {
            match byte {
                b'*' | b'?' | b'[' => return true,
                b'\\' => _ = rest.next(),
                _ => {}
            }
        }
        false
    }

    /// Returns true if an absolute path matches; the root is `/`.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        wildcard(
            &self.components,
            &names,
            |component| matches!(component, Component::Any),
            |component, name| match component {
                Component::Any => false,
                Component::Name(tokens) => matches_name(tokens, name),
            },
        )
    }

    /// Returns true if a path beneath a directory, given as for [`Glob::matches`], may match.
    #[must_use]
    pub fn may_match_beneath(&self, directory: &[u8]) -> bool {
        let mut components = self.components.iter();
        for name in directory.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            match components.next() {
                None => return false,
                Some(Component::Any) => return true,
                Some(Component::Name(tokens)) if !matches_name(tokens, name) => return false,
                Some(Component::Name(_)) => {}
            }
        }
        components.next().is_some()
    }
}

/// A pattern for a whole text in which `/` is not special: `*`, `?` and `[…]` as above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlatGlob {
    tokens: Vec<Token>,
}

impl FlatGlob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Returns a message if it is empty, a `[` is not closed, a range is reversed, or a backslash
    /// is last.
    pub fn parse(pattern: &[u8]) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("a glob is empty".to_owned());
        }
        let refuse = |why: &str| format!("glob \"{}\" {why}", pattern.escape_ascii());
        Ok(Self { tokens: tokens(pattern).map_err(refuse)? })
    }

    /// Returns true if all of the text matches.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        matches_name(&self.tokens, text)
    }
}

/// A pattern for a name without a directory, such as that of a file or unit: `*`, `?` and `[…]` as
/// above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameGlob {
    tokens: Vec<Token>,
}

impl NameGlob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Returns a message if it is empty, `.` or `..`, contains a `/`, a `[` is not closed, a range
    /// is reversed, or a backslash is last.
    pub fn parse(pattern: &[u8]) -> Result<Self, String> {
        if pattern.is_empty() || pattern.contains(&b'/') {
            let shown = pattern.escape_ascii();
            return Err(format!("\"{shown}\" is not a pattern for a name: it is empty or contains a /"));
        }
        let refuse = |why: &str| format!("glob \"{}\" {why}", pattern.escape_ascii());
        match pattern {
            b"." | b".." => Err(refuse(DOTS)),
            _ => Ok(Self { tokens: tokens(pattern).map_err(refuse)? }),
        }
    }

    /// Returns true if a name matches. A pattern of only `*` matches every text; any other matches
    /// only names, which do not contain a `/`.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        self.tokens.iter().all(|token| matches!(token, Token::Many))
            || !name.contains(&b'/') && matches_name(&self.tokens, name)
    }
}

const DOTS: &str = "contains the name \".\" or \"..\"";

fn matches_name(tokens: &[Token], name: &[u8]) -> bool {
    wildcard(tokens, name, |token| matches!(token, Token::Many), matches_byte)
}

/// Matches in time proportional to the product of both lengths: after a mismatch only the last
/// wildcard must be retried with one item more, since the items that an earlier one could take can
/// be taken by the last as well.
fn wildcard<P, I>(
    pattern: &[P],
    items: &[I],
    is_many: impl Fn(&P) -> bool,
    matches: impl Fn(&P, &I) -> bool,
) -> bool {
    let (mut at, mut item) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while item < items.len() {
        match pattern.get(at) {
            Some(part) if is_many(part) => {
                retry = Some((at, item));
                at += 1;
            }
            Some(part) if matches(part, &items[item]) => {
                at += 1;
                item += 1;
            }
            _ => {
                let Some((many, start)) = retry else { return false };
                retry = Some((many, start + 1));
                at = many + 1;
                item = start + 1;
            }
        }
    }
    pattern[at..].iter().all(is_many)
}

fn matches_byte(token: &Token, byte: &u8) -> bool {
    match token {
        Token::Byte(expected) => expected == byte,
        Token::One => true,
        Token::Many => false,
        Token::Set { negated, ranges } => {
            ranges.iter().any(|(first, last)| (*first..=*last).contains(byte)) != *negated
        }
    }
}

fn tokens(text: &[u8]) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        tokens.push(match first {
            b'*' => Token::Many,
            b'?' => Token::One,
            b'[' => set(&mut rest)?,
            b'\\' => {
                let (escaped, after) = rest.split_first().ok_or("ends with a backslash")?;
                rest = after;
                Token::Byte(*escaped)
            }
            byte => Token::Byte(*byte),
        });
    }
    Ok(tokens)
}

/// Parses the rest of a set behind its `[`, up to its `]`.
fn set(rest: &mut &[u8]) -> Result<Token, &'static str> {
    let mut text = *rest;
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    if negated {
        text = text.get(1..).unwrap_or_default();
    }
    let mut ranges = Vec::new();
    loop {
        let (first, after) = text.split_first().ok_or("has a [ without a ]")?;
        text = after;
        if *first == b']' && !ranges.is_empty() {
            break;
        }
        let first = literal(*first, &mut text)?;
        let last = match text {
            [b'-', last, after @ ..] if *last != b']' => {
                text = after;
                literal(*last, &mut text)?
            }
            _ => first,
        };
        if last < first {
            return Err("has a range whose end is before its start");
        }
        ranges.push((first, last));
    }
    *rest = text;
    Ok(Token::Set { negated, ranges })
}

fn literal(byte: u8, rest: &mut &[u8]) -> Result<u8, &'static str> {
    if byte != b'\\' {
        return Ok(byte);
    }
    let (escaped, after) = rest.split_first().ok_or("ends with a backslash")?;
    *rest = after;
    Ok(*escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expected: bool) {
        let glob = Glob::parse(pattern.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(glob.matches(path.as_bytes()), expected, "{pattern} and {path}");
    }

    #[test]
    fn wildcards_match_within_one_component() {
        for (pattern, yes, no) in [
            ("/a", "/a", "/b"),
            ("a", "/a", "/a/b"),
            ("/*", "/a", "/a/b"),
            ("/*", "/.a", "/"),
            ("/a*c", "/ac", "/acb"),
            ("/a*b*c", "/aXbYbZc", "/aXcYb"),
            ("/a?c", "/abc", "/ac"),
            ("/[a-c]x", "/bx", "/dx"),
            ("/[!a-c]x", "/dx", "/bx"),
            ("/[]]", "/]", "/["),
            ("/[^]a]", "/b", "/]"),
            ("/[a-]", "/-", "/b"),
            ("/[\\]]", "/]", "/\\"),
            ("/\\*", "/*", "/a"),
            ("/a/*/c", "/a/b/c", "/a/b/b/c"),
        ] {
            check(pattern, yes, true);
            check(pattern, no, false);
        }
        let bytes = Glob::parse(b"/\xff?").expect("bytes");
        assert!(bytes.matches(b"/\xff\xfe"));
    }

    #[test]
    fn two_stars_match_any_number_of_directories() {
        for path in ["/c", "/a/c", "/a/b/c"] {
            check("/**/c", path, true);
        }
        check("/**/c", "/a/cc", false);
        check("/a/**/c", "/a/c", true);
        check("/a/**/c", "/b/a/c", false);
        check("/**/a/**/b", "/x/a/y/a/z/b", true);
        check("/a/**", "/a/b", true);
        check("/a/**", "/a/b/c", true);
        check("/a/**", "/a", false);
        check("/**", "/a", true);
        check("/**", "/", false);
        check("/**/*.pyc", "/usr/lib/x.pyc", true);
        check("/**/a/**", "/x/a", false);
        check("/**/a/**", "/x/a/b", true);
        check("/**/**", "/a", true);
        check("/**/**", "/", false);
        check("/", "/", true);
        check("/a**", "/abc", true);
    }

    #[test]
    fn name_patterns_match_names_without_a_directory() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let glob = NameGlob::parse(pattern.as_bytes()).expect("a pattern");
            assert_eq!(glob.matches(name.as_bytes()), expected, "{pattern} {name}");
        };
        check("*", "x", true);
        check("lib*.so.*", "libx.so.1", true);
        check("lib*.so.*", "libx.so", false);
        check("[a-c]?", "bx", true);
        check("**", "x", true);
        check("**.so", "libx.so", true);
        check("*", "", true);
        check("*", "a/b", true);
        check("a*", "a/b", false);
        check("?", "", false);
        for pattern in ["", "a/b", "[a", ".", ".."] {
            assert!(NameGlob::parse(pattern.as_bytes()).is_err(), "{pattern}");
        }
    }

    #[test]
    fn matching_takes_at_most_quadratic_time() {
        let pattern = "/".to_owned() + &"*a".repeat(100) + "b";
        let path = "/".to_owned() + &"a".repeat(255);
        check(&pattern, &path, false);
        let pattern = "/**/a".repeat(200) + "/b";
        let path = "/a".repeat(4000);
        check(&pattern, &path, false);
    }

    #[test]
    fn invalid_patterns_are_rejected() {
        for pattern in ["/[", "/[a", "/[]", "/[b-a]", "/\\", "/[\\", "/a/../b", "/./*"] {
            assert!(Glob::parse(pattern.as_bytes()).is_err(), "{pattern}");
        }
        assert!(Glob::is_pattern(b"/a*") && Glob::is_pattern(b"\\\\[a]"));
        assert!(!Glob::is_pattern(b"/a\\*b") && !Glob::is_pattern(b"/a\\"));
    }

    #[test]
    fn directories_without_possible_matches_are_recognized() {
        let beneath = |pattern: &str, directory: &str| {
            Glob::parse(pattern.as_bytes()).expect("a pattern").may_match_beneath(directory.as_bytes())
        };
        for directory in ["/", "/usr", "/usr/bin"] {
            assert!(beneath("/usr/bin/[ab]*", directory), "{directory}");
        }
        for directory in ["/etc", "/usr/lib", "/usr/bin/apt"] {
            assert!(!beneath("/usr/bin/[ab]*", directory), "{directory}");
        }
        assert!(beneath("/u*/**/x", "/usr/a/b/c") && beneath("/usr/**", "/usr"));
        assert!(!beneath("/u*/**/x", "/etc/a") && !beneath("/usr/**", "/etc"));
    }
}
