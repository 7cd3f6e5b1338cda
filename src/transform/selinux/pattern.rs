//! The regular expressions of file_contexts, as libselinux has PCRE2 understand them, in terms of another engine.
//!
//! libselinux compiles `^SPEC$` with `PCRE2_DOTALL` and without `PCRE2_UTF`: bytes, a dot for each of them, and a `$` that
//! lets one newline follow. What has another meaning here than there, or needs backtracking, is refused rather than
//! matched differently; everything taken is written anew, so that no byte can mean something to one engine only.

mod class;

use thiserror::Error;

/// Patterns this long or longer are refused, as by libselinux.
const TOO_LONG: usize = 4096;

/// Groups in groups in groups: deeper than any policy, and shallow enough for the engine.
const MAX_DEPTH: usize = 64;

/// The most often that anything can be repeated by number, as in PCRE2.
const MAX_REPEAT: u32 = 65_535;

/// How deep the directories at the start of a pattern sort it, as in libselinux (`SPEC_NODE_MAX_DEPTH`).
const MAX_STEMS: usize = 3;

/// What a path is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// One path.
    Exact(Vec<u8>),
    /// All paths that begin with `prefix` and match.
    Regex {
        /// How every path begins that matches.
        prefix: Vec<u8>,
        /// The whole pattern, anchored, in the syntax of the crate `regex`.
        source: String,
    },
}

/// Why a pattern is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("at byte {at}: {what}")]
pub(super) struct PatternError {
    /// Where in the pattern, from 0.
    at: usize,
    what: String,
}

impl Pattern {
    /// Reads a pattern of ASCII bytes.
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

fn error(at: usize, what: impl Into<String>) -> PatternError {
    PatternError { at, what: what.into() }
}

/// Bytes that mean something, and that a backslash makes mean themselves.
const META: &[u8] = b".^$?*+|[({])}";

/// Bytes that libselinux takes literally behind a backslash without asking the engine.
fn is_plain_escape(byte: u8) -> bool {
    META.contains(&byte) || matches!(byte, b'-' | b'_' | b',')
}

/// The text that a piece of pattern matches, if it is only one (`regex_simplify` of libselinux).
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

/// The directories at the start of a pattern, which libselinux compares before it tries the pattern at all: so `/usr/?`
/// is never tried on `/usr`, and the second branch of `/a/b|/c/d` never outside `/a/`.
fn stems(pattern: &[u8]) -> Vec<u8> {
    let mut path = Vec::new();
    let mut rest = pattern;
    for _ in 0..MAX_STEMS {
        let Some(slash) = rest.iter().skip(1).position(|byte| *byte == b'/') else { break };
        let (stem, behind) = rest.split_at(slash + 1);
        match exact(stem) {
            // The first byte is the slash before the name, whatever it is: a pattern may lack it.
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

/// What a quantifier would repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
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
    /// Whether everything so far was literal.
    in_prefix: bool,
}

impl<'p> Translation<'p> {
    fn new(pattern: &'p [u8]) -> Self {
        let out = String::with_capacity(pattern.len() * 2);
        Self { pattern, at: 0, out, depth: 0, last: Last::Nothing, prefix: Vec::new(), in_prefix: true }
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
                    self.last = Last::Nothing;
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

    /// Something was written that matches more than one byte.
    fn atom(&mut self) {
        self.last = Last::Atom;
        self.in_prefix = false;
    }

    /// Something that matches a place, not a byte.
    fn assertion(&mut self, out: &str) {
        self.out.push_str(out);
        self.last = Last::Nothing;
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
        self.last = Last::Nothing;
        self.in_prefix = false;
        Ok(())
    }

    fn close(&mut self, start: usize) -> Result<(), PatternError> {
        self.depth = self.depth.checked_sub(1).ok_or_else(|| error(start, "a ) closes nothing"))?;
        self.out.push(')');
        self.atom();
        Ok(())
    }

    /// `{` begins a count or is only itself.
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
            // Three bytes and more before PCRE2 10.43, a count since.
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

    /// Repeats what came last. `at_least_once` says whether it still has to be there.
    fn repeat(&mut self, start: usize, quantifier: &str, at_least_once: bool) -> Result<(), PatternError> {
        match self.last {
            Last::Nothing => return Err(error(start, format!("{quantifier} repeats nothing"))),
            Last::Repeated => return Err(error(start, format!("{quantifier} repeats a repetition"))),
            Last::Atom => {}
        }
        match self.pattern.get(self.at) {
            // A repetition that never gives back matches less.
            Some(b'+') => return Err(error(start, format!("{quantifier}+ is not supported"))),
            // Taking as little as possible matches the same paths.
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

/// What a byte behind a backslash stands for, if that is one byte.
fn escaped_literal(byte: u8) -> Option<u8> {
    match byte {
        b't' => Some(b'\t'),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b'f' => Some(0x0c),
        b'e' => Some(0x1b),
        b'a' => Some(0x07),
        byte if byte.is_ascii_alphanumeric() => None,
        byte => Some(byte),
    }
}

fn unknown_escape(at: usize, byte: u8) -> PatternError {
    error(at, format!("\\{} is not supported", byte.escape_ascii()))
}

/// Writes a byte so that it means itself, in a class and outside.
fn write_literal(out: &mut String, byte: u8) {
    use std::fmt::Write as _;
    if byte.is_ascii_alphanumeric() || byte == b'/' {
        out.push(char::from(byte));
    } else {
        // OK to ignore: a String takes whatever is written to it.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests;
