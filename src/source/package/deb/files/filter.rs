//! The paths that are left out: `--path-exclude` and `--path-include`, as dpkg(1) has them.

/// Patterns of paths, in order; of several that match a path, the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathFilter {
    rules: Vec<PathRule>,
}

/// One pattern, that of `--path-exclude` or `--path-include`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// True to include the paths, false to exclude them.
    pub includes: bool,
    /// The pattern, as of fnmatch(3) without flags: `*` matches slashes as well.
    pub pattern: Vec<u8>,
}

impl PathFilter {
    /// The filter that leaves nothing out.
    pub const NONE: &'static Self = &Self { rules: Vec::new() };

    /// Returns a filter of these rules.
    #[must_use]
    pub fn new(rules: Vec<PathRule>) -> Self {
        Self { rules }
    }

    /// Returns true if nothing is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns true if an absolute path is left out. A directory or a symbolic link, `may_lead`, stays
    /// if the part of an including pattern before its first wildcard is the start of its path: what
    /// is beneath may be included.
    #[must_use]
    pub fn excludes(&self, path: &[u8], may_lead: bool) -> bool {
        let last = self.rules.iter().rev().find(|rule| matches(&rule.pattern, path));
        if last.is_none_or(|rule| rule.includes) {
            return false;
        }
        let leads = |rule: &PathRule| {
            let end = rule.pattern.iter().position(|byte| b"*?[\\".contains(byte));
            let fixed = &rule.pattern[..end.unwrap_or(rule.pattern.len())];
            let slashes = fixed.iter().rev().take_while(|byte| **byte == b'/').count();
            path.starts_with(&fixed[..fixed.len() - slashes])
        };
        !(may_lead && self.rules.iter().any(|rule| rule.includes && leads(rule)))
    }
}

/// Returns true if a whole path matches, as fnmatch(3) without flags.
///
/// Only the last `*` is tried again, so that the time is at most the product of both lengths.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(at) {
            Some(b'*') => {
                again = Some((at + 1, position));
                at += 1;
                continue;
            }
            None if position == path.len() => return true,
            None => None,
            Some(_) => path.get(position).and_then(|byte| one(&pattern[at..], *byte)),
        };
        match (step, again) {
            (Some(len), _) => (at, position) = (at + len, position + 1),
            (None, Some((behind, start))) if start < path.len() => {
                again = Some((behind, start + 1));
                (at, position) = (behind, start + 1);
            }
            _ => return false,
        }
    }
}

/// Returns the length of the first token of a pattern if it matches a byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        // A pattern that ends in a backslash matches nothing.
        [b'\\'] => None,
        [b'[', ..] => match set(pattern) {
            Some(Set { len, is_negated, ranges }) => {
                let is_in = ranges.iter().any(|(first, last)| (*first..=*last).contains(&byte));
                (is_in != is_negated).then_some(len)
            }
            // Without its end it is a bracket.
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// A bracket expression.
struct Set {
    /// Its length in the pattern, in bytes.
    len: usize,
    is_negated: bool,
    /// The first and the last byte of each range.
    ranges: Vec<(u8, u8)>,
}

/// Returns the bracket expression that a pattern begins with; none if it does not end.
fn set(pattern: &[u8]) -> Option<Set> {
    let mut at = 1;
    let is_negated = matches!(pattern.get(at), Some(b'!' | b'^'));
    at += usize::from(is_negated);
    let first = at;
    let mut ranges = Vec::new();
    loop {
        match pattern.get(at)? {
            b']' if at > first => return Some(Set { len: at + 1, is_negated, ranges }),
            _ => {}
        }
        let start = character(pattern, &mut at)?;
        let is_range = pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|end| *end != b']');
        let end = match is_range {
            true => {
                at += 1;
                character(pattern, &mut at)?
            }
            false => start,
        };
        ranges.push((start, end));
    }
}

fn character(pattern: &[u8], at: &mut usize) -> Option<u8> {
    if pattern.get(*at) == Some(&b'\\') {
        *at += 1;
    }
    let byte = pattern.get(*at).copied();
    *at += 1;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_fnmatch() {
        for (pattern, path, expected) in [
            ("/usr/share/doc/*", "/usr/share/doc/a/b", true),
            ("/usr/share/doc/*", "/usr/share/doc", false),
            ("*", "", true),
            ("/a*c*e", "/abcde", true),
            ("/a*c*e", "/abcd", false),
            ("/?", "/.", true),
            ("/[a-c]x", "/bx", true),
            ("/[!a-c]x", "/bx", false),
            ("/[^a-c]x", "/dx", true),
            ("/[]a]", "/]", true),
            ("/[a-]", "/-", true),
            ("/[", "/[", true),
            ("/[a", "/[a", true),
            (r"/\*", "/*", true),
            (r"/\*", "/a", false),
            ("/a\\", "/a\\", false),
            ("/a", "/a/b", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), expected, "{pattern} {path}");
        }
        let (pattern, path) = (b"*a".repeat(1000), b"a".repeat(999));
        assert!(!matches(&pattern, &path));
    }

    fn filter(words: &str) -> PathFilter {
        let rule =
            |word: &str| PathRule { includes: word.starts_with('+'), pattern: word.as_bytes()[1..].to_vec() };
        PathFilter::new(words.split_whitespace().map(rule).collect())
    }

    #[test]
    fn the_last_match_counts_and_ways_to_included_files_stay() {
        let doc = filter("-/usr/share/doc/* +/usr/share/doc/*/copyright");
        assert!(doc.excludes(b"/usr/share/doc/a/README", false));
        assert!(!doc.excludes(b"/usr/share/doc/a/copyright", false));
        assert!(!doc.excludes(b"/usr/share/doc/a", true));
        assert!(doc.excludes(b"/usr/share/doc/a", false));
        assert!(!doc.excludes(b"/usr/bin/a", false));
        let reversed = filter("+/usr/share/doc/*/copyright -/usr/share/doc/*");
        assert!(reversed.excludes(b"/usr/share/doc/a/copyright", false));
        let one = filter("-/usr/share/locale/* +/usr/share/locale/de/*");
        assert!(!one.excludes(b"/usr/share/locale/de", true));
        assert!(one.excludes(b"/usr/share/locale/fr", true));
        assert!(PathFilter::default().is_empty() && !PathFilter::default().excludes(b"/a", false));
    }
}
