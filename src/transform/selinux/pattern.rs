//! Translation of the regular expressions of file_contexts from PCRE2, as used by libselinux, to
//! another engine.
//!
//! libselinux compiles `^SPEC$` with `PCRE2_DOTALL` and without `PCRE2_UTF`: the subject is bytes,
//! a dot matches any of them, and `$` also matches before a final newline. Constructs that have
//! another meaning in the other engine, or need backtracking, are rejected instead of matched
//! differently; everything accepted is rewritten, so that no byte is special to one engine only.

mod class;
mod error;
mod literal;

use error::error;
use literal::{escaped_literal, unknown_escape, write_literal};

pub(super) use error::PatternError;

/// The pattern length in bytes from which patterns are rejected, as by libselinux.
const TOO_LONG: usize = 4096;

/// The maximum depth of nested groups: deeper than any policy, and shallow enough for the engine.
const MAX_DEPTH: usize = 64;

/// The maximum repeat count, as in PCRE2.
const MAX_REPEAT: u32 = 65_535;

/// The maximum number of leading directories that affect the order of patterns in libselinux
/// (`SPEC_NODE_MAX_DEPTH`).
const MAX_STEMS: usize = 3;

/// The matcher for a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// A single path.
    Exact(Vec<u8>),
    /// All paths that start with `prefix` and match.
    Regex {
        /// The common prefix of all matching paths.
        prefix: Vec<u8>,
        /// The whole pattern, anchored, in the syntax of the crate `regex`.
        source: String,
    },
}

impl Pattern {
    /// Parses a pattern of ASCII bytes.
    pub(super) fn parse(pattern: &str) -> Result<Self, PatternError> {
        if pattern.len() >= TOO_LONG {
            return Err(error(TOO_LONG, format!("the pattern is {} bytes long", pattern.len())));
        }
        if let Some(path) = exact(pattern.as_bytes()) {
            return Ok(Self::Exact(path));
        }
        let mut translation = Translation::new(pattern.as_bytes());
        translation.run()?;
        let stems = stems(pattern.as_bytes());
        let prefix = if stems.len() >= translation.prefix.len() { stems } else { translation.prefix };
        Ok(Self::Regex { prefix, source: format!("^{}{END}", translation.out) })
    }
}

/// `$` of PCRE2 without `PCRE2_DOLLAR_ENDONLY`.
const END: &str = r"(?:\n?\z)";

/// Special bytes, which a backslash makes literal.
const META: &[u8] = b".^$?*+|[({])}";

/// Returns true for bytes that libselinux takes literally after a backslash without calling the
/// engine.
fn is_plain_escape(byte: u8) -> bool {
    META.contains(&byte) || matches!(byte, b'-' | b'_' | b',')
}

/// Returns the only text that a piece of a pattern matches, if there is one (`regex_simplify` of
/// libselinux).
fn exact(pattern: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => text.push(bytes.next().filter(|byte| is_plain_escape(*byte))?),
            byte if META.contains(&byte) => return None,
            byte => text.push(byte),
        }
    }
    Some(text)
}

/// Returns the leading directories of a pattern, which libselinux compares before it tries the
/// pattern: so `/usr/?` is never tried on `/usr`, and the second branch of `/a/b|/c/d` never
/// outside `/a/`.
fn stems(pattern: &[u8]) -> Vec<u8> {
    let mut path = Vec::new();
    let mut rest = pattern;
    for _ in 0..MAX_STEMS {
        let Some(slash) = rest.iter().skip(1).position(|byte| *byte == b'/') else { break };
        let (stem, behind) = rest.split_at(slash + 1);
        match exact(stem) {
            // The first byte stands for the slash before the name, whatever it is: a pattern may
            // lack it.
            Some(text) if text.len() > 1 && text.starts_with(b"/") => path.extend(text),
            _ => break,
        }
        rest = behind;
    }
    if !path.is_empty() {
        path.push(b'/');
    }
    path
}

/// The operand of a following quantifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    None,
    Atom,
    Repeated,
}

struct Translation<'p> {
    pattern: &'p [u8],
    at: usize,
    out: String,
    depth: usize,
    last: Last,
    prefix: Vec<u8>,
    /// True while everything so far was literal.
    in_prefix: bool,
}

impl<'p> Translation<'p> {
    fn new(pattern: &'p [u8]) -> Self {
        let out = String::with_capacity(pattern.len() * 2);
        Self { pattern, at: 0, out, depth: 0, last: Last::None, prefix: Vec::new(), in_prefix: true }
    }

    fn run(&mut self) -> Result<(), PatternError> {
        while let Some(byte) = self.pattern.get(self.at).copied() {
            let start = self.at;
            self.at += 1;
            match byte {
                b'\\' => self.escape(start)?,
                b'[' => {
                    self.at = class::translate(self.pattern, self.at, &mut self.out)?;
                    self.atom();
                }
                b'(' => self.open(start)?,
                b')' => self.close(start)?,
                b'|' => {
                    self.out.push('|');
                    self.last = Last::None;
                    if self.depth == 0 {
                        self.prefix.clear();
                    }
                    self.in_prefix = false;
                }
                b'*' | b'+' | b'?' => self.repeat(start, &char::from(byte).to_string(), byte == b'+')?,
                b'{' => self.brace(start)?,
                b'^' => self.assertion("^"),
                b'$' => self.assertion(END),
                b'.' => {
                    self.out.push('.');
                    self.atom();
                }
                byte => self.literal(byte),
            }
        }
        if self.depth > 0 {
            return Err(error(self.pattern.len(), "a ( is not closed"));
        }
        Ok(())
    }

    fn literal(&mut self, byte: u8) {
        write_literal(&mut self.out, byte);
        self.last = Last::Atom;
        if self.in_prefix {
            self.prefix.push(byte);
        }
    }

    /// Records an atom that is not a literal.
    fn atom(&mut self) {
        self.last = Last::Atom;
        self.in_prefix = false;
    }

    /// Writes an assertion, which matches a position instead of a byte.
    fn assertion(&mut self, out: &str) {
        self.out.push_str(out);
        self.last = Last::None;
        self.in_prefix = false;
    }

    fn escape(&mut self, start: usize) -> Result<(), PatternError> {
        let byte = *self.pattern.get(self.at).ok_or_else(|| error(start, "a \\ is last"))?;
        self.at += 1;
        match byte {
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' => {
                self.out.push('\\');
                self.out.push(char::from(byte));
                self.atom();
            }
            b'b' => self.assertion(r"\b"),
            b'B' => self.assertion(r"\B"),
            b'A' => self.assertion(r"\A"),
            b'z' => self.assertion(r"\z"),
            b'Z' => self.assertion(END),
            byte => match escaped_literal(byte) {
                Some(byte) => self.literal(byte),
                None => return Err(unknown_escape(start, byte)),
            },
        }
        Ok(())
    }

    fn open(&mut self, start: usize) -> Result<(), PatternError> {
        match self.pattern.get(self.at..).unwrap_or_default() {
            [b'?', b':', ..] => self.at += 2,
            [b'?', kind, ..] => {
                let what = format!("(?{} is not supported, only (?: is", kind.escape_ascii());
                return Err(error(start, what));
            }
            [b'?' | b'*', ..] => return Err(error(start, "( is followed by a verb")),
            _ => {}
        }
        if self.depth == MAX_DEPTH {
            return Err(error(start, format!("more than {MAX_DEPTH} groups are in each other")));
        }
        self.depth += 1;
        self.out.push_str("(?:");
        self.last = Last::None;
        self.in_prefix = false;
        Ok(())
    }

    fn close(&mut self, start: usize) -> Result<(), PatternError> {
        self.depth = self.depth.checked_sub(1).ok_or_else(|| error(start, "a ) closes nothing"))?;
        self.out.push(')');
        self.atom();
        Ok(())
    }

    /// Translates `{`, which starts a repeat count or is literal.
    fn brace(&mut self, start: usize) -> Result<(), PatternError> {
        let rest = self.pattern.get(self.at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'}') else {
            self.literal(b'{');
            return Ok(());
        };
        let inner = std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default();
        let (low, high) = match inner.split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (inner, None),
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if low.is_empty() && high.is_some_and(is_number) {
            // Literal before PCRE2 10.43, a repeat count since.
            return Err(error(
                start,
                format!("{{{inner}}} depends on the version of PCRE2; give {{0{inner}}}"),
            ));
        }
        if !is_number(low) || high.is_some_and(|high| !high.is_empty() && !is_number(high)) {
            self.literal(b'{');
            return Ok(());
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MAX_REPEAT);
        let too_often = || error(start, format!("{{{inner}}} is more than {MAX_REPEAT} times"));
        let least = number(low).ok_or_else(too_often)?;
        let count = match high {
            None => format!("{{{least}}}"),
            Some("") => format!("{{{least},}}"),
            Some(high) => {
                let most = number(high).ok_or_else(too_often)?;
                if most < least {
                    return Err(error(start, format!("{{{inner}}} is from more to less")));
                }
                format!("{{{least},{most}}}")
            }
        };
        self.at += end + 1;
        self.repeat(start, &count, least > 0)
    }

    /// Repeats the last atom. `at_least_once` is true if it must still occur.
    fn repeat(&mut self, start: usize, quantifier: &str, at_least_once: bool) -> Result<(), PatternError> {
        match self.last {
            Last::None => return Err(error(start, format!("{quantifier} repeats nothing"))),
            Last::Repeated => return Err(error(start, format!("{quantifier} repeats a repetition"))),
            Last::Atom => {}
        }
        match self.pattern.get(self.at) {
            // A possessive quantifier matches fewer paths.
            Some(b'+') => return Err(error(start, format!("{quantifier}+ is not supported"))),
            // A lazy quantifier matches the same paths.
            Some(b'?') => self.at += 1,
            _ => {}
        }
        self.out.push_str(quantifier);
        self.last = Last::Repeated;
        if self.in_prefix && !at_least_once {
            self.prefix.pop();
        }
        self.in_prefix = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
