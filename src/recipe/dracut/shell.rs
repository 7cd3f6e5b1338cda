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
        statements.extend(reader.statement());
    }
    statements
}

/// The words that begin and end a part of a script that is not always run.
const OPENING: [&[u8]; 8] = [b"if", b"case", b"for", b"while", b"until", b"select", b"{", b"("];
const CLOSING: [&[u8]; 5] = [b"fi", b"esac", b"done", b"}", b")"];

/// Words between the beginning and the end of such a part.
const DIVIDING: [&[u8]; 6] = [b"then", b"else", b"elif", b"do", b";", b";;"];
/// Operators behind which a command begins.
const OPERATORS: [&[u8]; 6] = [b";", b";;", b"&&", b"||", b"|", b"!"];

/// Returns the words of a line up to a comment; a `;` is one.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let parts = line.split(is_blank).take_while(|word| !word.starts_with(b"#"));
    let words = parts.flat_map(|part| {
        let pieces = part.split(|byte| *byte == b';').enumerate();
        pieces.flat_map(|(number, piece)| (number > 0).then_some(&b";"[..]).into_iter().chain([piece]))
    });
    words.filter(|word| !word.is_empty())
}

/// Returns the words that end the here-documents of a line, each with true if tabs may precede it.
fn here_documents(line: &[u8]) -> impl Iterator<Item = (Vec<u8>, bool)> {
    let starts = (0..line.len()).filter(|at| {
        let is_here = line[*at..].starts_with(b"<<") && line.get(at + 2) != Some(&b'<');
        is_here && (*at == 0 || line[at - 1] != b'<')
    });
    starts.filter_map(|at| {
        let rest = line.get(at + 2..)?;
        let with_tabs = rest.starts_with(b"-");
        let rest = rest.get(usize::from(with_tabs)..)?.trim_ascii_start();
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b';' | b'|' | b'&' | b'>' | b'<' | b')');
        let word = match rest {
            [mark @ (b'\'' | b'"'), rest @ ..] => rest.split(|byte| byte == mark).next()?,
            _ => rest.split(is_end).next()?,
        };
        let plain: Vec<u8> =
            word.iter().copied().filter(|byte| !matches!(byte, b'\'' | b'"' | b'\\')).collect();
        (!plain.is_empty()).then_some((plain, with_tabs))
    })
}

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

    /// Reads a statement; `None` for words that only divide or end a part.
    fn statement(&mut self) -> Option<Statement> {
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
                return Some(Statement::Other { line, what: format!("{name} is assigned {why}") });
            }
        };
        self.skip_blanks();
        if self.peek().is_some_and(|byte| !matches!(byte, b'\n' | b'\r' | b';' | b'#')) {
            self.skip_line();
            let what = format!("a command with {name} in its environment is not run");
            return Some(Statement::Other { line, what });
        }
        if self.depth > 0 {
            return Some(Statement::Other { line, what: format!("{name} is assigned under a condition") });
        }
        Some(Statement::Assignment(Assignment { name, value, appends, line }))
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            self.take();
        }
    }

    /// Skips a line that is not an assignment, with the text that a command of it reads.
    fn other(&mut self, start: usize, line: usize) -> Option<Statement> {
        self.skip_line();
        let text = self.text.get(start..self.at).unwrap_or_default().trim_ascii();
        let mut is_command = true;
        let mut is_only_divider = true;
        for word in words(text) {
            if is_command && (OPENING.contains(&word) || word.ends_with(b"(){")) || word == b"{" {
                self.depth += 1;
            } else if is_command && CLOSING.contains(&word) {
                self.depth = self.depth.saturating_sub(1);
            }
            is_only_divider &= is_command && (CLOSING.contains(&word) || DIVIDING.contains(&word));
            let goes_on = OPENING.contains(&word) || CLOSING.contains(&word) || DIVIDING.contains(&word);
            is_command = is_command && goes_on || OPERATORS.contains(&word) || word == b"{";
        }
        here_documents(text).for_each(|(end, with_tabs)| self.skip_here_document(&end, with_tabs));
        if is_only_divider {
            return None;
        }
        const SHOWN: usize = 40;
        let shown = String::from_utf8_lossy(text.get(..SHOWN).unwrap_or(text)).into_owned();
        Some(Statement::Other { line, what: format!("{shown:?} is not an assignment, and is not run") })
    }

    /// Skips the lines up to the one that is `end`, which tabs may precede, if there is one.
    fn skip_here_document(&mut self, end: &[u8], with_tabs: bool) {
        let before = (self.at, self.line);
        while self.peek().is_some() {
            self.take();
            let start = self.at;
            self.skip_line();
            let line = self.text.get(start..self.at).unwrap_or_default();
            let tabs = line.iter().take_while(|byte| with_tabs && **byte == b'\t').count();
            let line = line.get(tabs..).unwrap_or_default();
            if line.strip_suffix(b"\r").unwrap_or(line) == end {
                return;
            }
        }
        (self.at, self.line) = before;
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
