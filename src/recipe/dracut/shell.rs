//! The assignments of a script for bash.

/// A statement of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// An assignment of a plain value.
    Assignment(Assignment),
    /// Anything else, which is not carried out.
    Other {
        /// The line, from 1.
        line: usize,
        /// The reason.
        what: String,
    },
}

/// An assignment of a plain value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) value: String,
    /// True for `+=`.
    pub(super) appends: bool,
    /// The line, from 1.
    pub(super) line: usize,
}

/// Returns the statements of a script, in order.
pub(super) fn statements(text: &[u8]) -> Vec<Statement> {
    let mut reader = Reader { text, at: 0, line: 1, depth: 0 };
    let mut statements = Vec::new();
    while reader.skip_to_statement() {
        statements.push(reader.statement());
    }
    statements
}

/// The words that begin and end a part of a script that is not always run.
const OPENING: [&[u8]; 8] = [b"if", b"case", b"for", b"while", b"until", b"select", b"{", b"("];
const CLOSING: [&[u8]; 5] = [b"fi", b"esac", b"done", b"}", b")"];

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    /// The number of parts, one in another, that are not always run.
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    /// Goes to the next statement. Returns false at the end.
    fn skip_to_statement(&mut self) -> bool {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => self.skip_line(),
                b' ' | b'\t' | b'\r' | b'\n' | b';' => _ = self.take(),
                b'\\' if self.text.get(self.at + 1) == Some(&b'\n') => {
                    self.take();
                    self.take();
                }
                _ => return true,
            }
        }
        false
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.take();
        }
    }

    fn statement(&mut self) -> Statement {
        let (start, line) = (self.at, self.line);
        let name_len = self.rest().iter().take_while(|byte| is_in_name(**byte)).count();
        let name = String::from_utf8_lossy(self.rest().get(..name_len).unwrap_or_default()).into_owned();
        let operator = self.rest().get(name_len..).unwrap_or_default();
        let appends = operator.starts_with(b"+=");
        let is_assignment = !name.is_empty() && (appends || operator.starts_with(b"="));
        if !is_assignment {
            return self.other(start, line);
        }
        self.at += name_len + 1 + usize::from(appends);
        let value = match self.value() {
            Ok(value) => value,
            Err(why) => {
                self.skip_line();
                return Statement::Other { line, what: format!("{name} is assigned {why}") };
            }
        };
        self.skip_blanks();
        if self.peek().is_some_and(|byte| !matches!(byte, b'\n' | b'\r' | b';' | b'#')) {
            self.skip_line();
            let what = format!("a command with {name} in its environment is not run");
            return Statement::Other { line, what };
        }
        if self.depth > 0 {
            return Statement::Other { line, what: format!("{name} is assigned under a condition") };
        }
        Statement::Assignment(Assignment { name, value, appends, line })
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            self.take();
        }
    }

    /// Skips a line that is not an assignment.
    fn other(&mut self, start: usize, line: usize) -> Statement {
        self.skip_line();
        let text = self.text.get(start..self.at).unwrap_or_default().trim_ascii();
        let words = text.split(|byte| matches!(byte, b' ' | b'\t' | b';' | b'\r'));
        for (number, word) in words.enumerate() {
            if OPENING.contains(&word) || number > 0 && word == b"{" || word.ends_with(b"(){") {
                self.depth += 1;
            } else if CLOSING.contains(&word) {
                self.depth = self.depth.saturating_sub(1);
            }
        }
        const SHOWN: usize = 40;
        let shown = String::from_utf8_lossy(text.get(..SHOWN).unwrap_or(text)).into_owned();
        Statement::Other { line, what: format!("{shown:?} is not an assignment, and is not run") }
    }

    /// Reads a value: quoted and plain parts without blanks between them.
    fn value(&mut self) -> Result<String, &'static str> {
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' | b'\r' | b';' | b' ' | b'\t' => break,
                b'\'' => {
                    self.take();
                    self.quoted(b'\'', &mut value)?;
                }
                b'"' => {
                    self.take();
                    self.quoted(b'"', &mut value)?;
                }
                b'\\' => {
                    self.take();
                    value.extend(self.take().filter(|byte| *byte != b'\n'));
                }
                b'(' => return Err("an array"),
                b'$' | b'`' => return Err(COMPUTED),
                b'|' | b'&' | b'<' | b'>' | b')' => return Err("with an operator of the shell"),
                _ => value.extend(self.take()),
            }
        }
        String::from_utf8(value).map_err(|_| "a value that is not UTF-8")
    }

    /// Reads up to the closing quotation mark.
    fn quoted(&mut self, mark: u8, value: &mut Vec<u8>) -> Result<(), &'static str> {
        while let Some(byte) = self.take() {
            match byte {
                byte if byte == mark => return Ok(()),
                b'\\' if mark == b'"' => match self.take() {
                    Some(b'\n') => {}
                    Some(next @ (b'"' | b'\\' | b'$' | b'`')) => value.push(next),
                    next => value.extend([b'\\'].into_iter().chain(next)),
                },
                b'$' | b'`' if mark == b'"' => {
                    self.quoted(mark, &mut Vec::new()).ok();
                    return Err(COMPUTED);
                }
                byte => value.push(byte),
            }
        }
        Err("a value whose quotation mark is not closed")
    }
}

const COMPUTED: &str = "a value that bash computes";

fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
