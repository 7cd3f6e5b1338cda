//! A recipe as a file: the command line in TOML.
//!
//! ```toml
//! source = "rootfs"                  # or several: ["base.tar", "overlay"]
//! owner = "root"                     # a key is the long name of a flag, its value that of the flag
//! size = "1G"
//! reserved = 5                       # a number may stand without quotation marks
//! quiet = true                       # a flag that has no value; false undoes an inherited true
//!
//! edits = [                          # in their order
//!     { mkdir = "/srv/www:0750:www-data:www-data" },
//!     { add = "site/:/srv/www" },
//!     { remove = "/usr/share/doc/**" },
//! ]
//! ```
//!
//! `recipe = "systemd-initrd"`, or an array, inherits from other recipes: each is the name of one
//! that is part of the program, or a path relative to the directory of the file.
//!
//! `[[edits]]` tables work as well. An array gives a flag several values. Paths are relative to the
//! current directory, as on the command line. [`parse`] does not know the flags: it only returns
//! the entries with their positions.

use std::cell::Cell;
use std::ops::Range;

use thiserror::Error;
use toml_edit::{Document, Item, Table, TableLike, Value};

/// The maximum length of a recipe, in bytes: 16 MiB.
pub const MAX_LEN: u64 = 16 * 1024 * 1024;

/// A key with one of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of a flag, or `source`.
    pub key: String,
    /// The value of the flag; `None` for `true`.
    pub value: Option<String>,
    /// True if the value is written without quotation marks.
    pub is_number: bool,
    /// True for `false`.
    pub is_off: bool,
    /// True if it is in `edits`.
    pub edit: bool,
    /// Its position in the text.
    pub position: Position,
}

/// A position in a file, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line number, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// The error of a text that is not a recipe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {}, column {}: {what}", .position.line, .position.column)]
pub struct FileError {
    /// The position of the error.
    pub position: Position,
    /// The error message.
    pub what: String,
}

/// Reads the entries in the order of their keys in the text.
///
/// # Errors
/// The first part of it that is not TOML, or not of the form above.
pub fn parse(text: &str) -> Result<Vec<Entry>, FileError> {
    let start = Position { line: 1, column: 1 };
    let reader = Reader { text, last: Cell::new((0, start)) };
    let document = Document::parse(text).map_err(|error| {
        let what = error.message().lines().collect::<Vec<_>>().join(", ");
        reader.refuse(error.span(), what)
    })?;
    reader.entries(document.as_table())
}

/// Returns a text as a string of TOML.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

struct Reader<'t> {
    text: &'t str,
    /// The byte offset that was looked up last, and its position.
    last: Cell<(usize, Position)>,
}

impl Reader<'_> {
    fn entries(&self, table: &Table) -> Result<Vec<Entry>, FileError> {
        let mut entries = Vec::new();
        for (key, item) in table.iter() {
            let span = table.key(key).and_then(toml_edit::Key::span);
            if key == "edits" {
                self.edits(item, span, &mut entries)?;
                continue;
            }
            let Item::Value(value) = item else {
                return Err(self.refuse(span, format!("\"{key}\" is a table, which no flag takes")));
            };
            match value {
                Value::Array(values) => {
                    for value in values {
                        let span = value.span().or(span.clone());
                        self.entry(key, value, false, span, &mut entries)?;
                    }
                }
                value => self.entry(key, value, false, span, &mut entries)?,
            }
        }
        Ok(entries)
    }

    /// Reads an array of tables with one key each, in either notation.
    fn edits(
        &self,
        item: &Item,
        span: Option<Range<usize>>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FileError> {
        match item {
            Item::ArrayOfTables(tables) => {
                for table in tables {
                    self.edit(table, table.span().or(span.clone()), entries)?;
                }
            }
            Item::Value(Value::Array(values)) => {
                for value in values {
                    let span = value.span().or(span.clone());
                    let Value::InlineTable(table) = value else {
                        let what = "an edit is a table of one key, such as { mkdir = \"/srv\" }";
                        return Err(self.refuse(span, what.to_owned()));
                    };
                    self.edit(table, span, entries)?;
                }
            }
            _ => {
                let what = "edits is an array of tables of one key each, such as [{ mkdir = \"/srv\" }]";
                return Err(self.refuse(span, what.to_owned()));
            }
        }
        Ok(())
    }

    fn edit(
        &self,
        table: &dyn TableLike,
        span: Option<Range<usize>>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FileError> {
        let mut keys = table.iter();
        let (Some((key, item)), None) = (keys.next(), keys.next()) else {
            let what = format!("an edit has one key, and this one has {}", table.len());
            return Err(self.refuse(span, what));
        };
        let span = table.key(key).and_then(toml_edit::Key::span).or(span);
        match item {
            Item::Value(value) => self.entry(key, value, true, span, entries),
            _ => Err(self.refuse(span, format!("\"{key}\" is a table, which no edit takes"))),
        }
    }

    fn entry(
        &self,
        key: &str,
        value: &Value,
        edit: bool,
        span: Option<Range<usize>>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FileError> {
        let is_number = matches!(value, Value::Integer(_));
        let text = match value {
            // The value would be passed on in decimal digits: the mode 0o644 as 420, which is
            // another mode.
            Value::Integer(_) if !self.is_decimal(value) => {
                let what = format!(
                    "\"{key}\" is a number with a base; put the value of the flag in quotation marks"
                );
                return Err(self.refuse(value.span().or(span), what));
            }
            Value::String(text) => Some(text.value().clone()),
            Value::Integer(number) => Some(number.value().to_string()),
            Value::Boolean(_) => None,
            _ => {
                let what = format!("\"{key}\" is not a string, an integer, true or false");
                return Err(self.refuse(value.span().or(span), what));
            }
        };
        let is_off = matches!(value, Value::Boolean(given) if !*given.value());
        let (key, position) = (key.to_owned(), self.position(span));
        entries.push(Entry { key, value: text, is_number, is_off, edit, position });
        Ok(())
    }

    /// Returns true for a number without `0x`, `0o` or `0b` before it.
    fn is_decimal(&self, number: &Value) -> bool {
        let written = number.span().and_then(|span| self.text.get(span)).unwrap_or_default();
        !["0x", "0o", "0b"].iter().any(|base| written.starts_with(base))
    }

    fn refuse(&self, span: Option<Range<usize>>, what: String) -> FileError {
        FileError { position: self.position(span), what }
    }

    /// Entries are mostly in the order of the text, so nearly every position is counted from the
    /// one before.
    fn position(&self, span: Option<Range<usize>>) -> Position {
        let start = span.map_or(0, |span| span.start);
        let top = (0, Position { line: 1, column: 1 });
        let (from, mut position) = Some(self.last.get()).filter(|(last, _)| *last <= start).unwrap_or(top);
        for character in self.text.get(from..start).unwrap_or_default().chars() {
            if character == '\n' {
                position = Position { line: position.line + 1, column: 1 };
            } else {
                position.column += 1;
            }
        }
        self.last.set((start, position));
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<String>, String> {
        let entries = parse(text).map_err(|error| error.to_string())?;
        let show = |entry: Entry| {
            let value = entry.value.map_or(String::new(), |value| format!("={value}"));
            let edit = if entry.edit { "edit " } else { "" };
            let edit = if entry.is_off { "no " } else { edit };
            format!("{edit}{}{value} at {}:{}", entry.key, entry.position.line, entry.position.column)
        };
        Ok(entries.into_iter().map(show).collect())
    }

    #[test]
    fn every_form_of_a_recipe_is_read_with_positions() {
        let text = "\
source = [\"a\", 'b']
# é
quiet = true
digest = false
reserved = 5

edits = [
    { mkdir = \"/é\" }, { remove = '/x' },
    { mkdir = \"/y\" },
]
";
        let expected = [
            "source=a at 1:11",
            "source=b at 1:16",
            "quiet at 3:1",
            "no digest at 4:1",
            "reserved=5 at 5:1",
            "edit mkdir=/é at 8:7",
            "edit remove=/x at 8:25",
            "edit mkdir=/y at 9:7",
        ];
        assert_eq!(shown(text), Ok(expected.map(str::to_owned).to_vec()));
        let tables = "[[edits]]\nmkdir = '/a'\n[[edits]]\nadd = 'b:/c'\n";
        let expected = ["edit mkdir=/a at 2:1", "edit add=b:/c at 4:1"];
        assert_eq!(shown(tables), Ok(expected.map(str::to_owned).to_vec()));
        assert_eq!(shown(""), Ok(Vec::new()));
    }

    #[test]
    fn quoted_texts_are_strings_of_toml() {
        let text = "a\"b\\c\nd\te\u{7}é\u{85}";
        let expected = format!("a={text} at 1:1");
        assert_eq!(shown(&format!("a = {}", quoted(text))), Ok(vec![expected]));
    }

    #[test]
    fn positions_take_linear_time() {
        let count = 200_000;
        let text = format!("edits = [{}]", "{a=1},".repeat(count));
        let entries = parse(&text).expect("a recipe");
        assert_eq!(entries.len(), count);
        assert_eq!(entries[count - 1].position, Position { line: 1, column: 11 + 6 * (count - 1) });
    }

    #[test]
    fn invalid_recipes_are_refused_with_a_position() {
        for (text, expected) in [
            ("a = 1\nb = ", "line 2, column "),
            ("a = 1\na = 2\n", "line 2, column 1: duplicate key"),
            ("\n[image]\nsize = 1\n", "line 2, column 2: \"image\" is a table, which no flag takes"),
            ("a = 1.5", "line 1, column 5: \"a\" is not a string"),
            ("a = 1979-05-27", "line 1, column 5: \"a\" is not a string"),
            ("mode = 0o644", "line 1, column 8: \"mode\" is a number with a base"),
            ("a = [1, 0x10]", "line 1, column 9: \"a\" is a number with a base"),
            ("a = 0b1", "line 1, column 5: \"a\" is a number with a base"),
            ("a = [[1]]", "line 1, column 6: \"a\" is not a string"),
            ("edits = 1", "line 1, column 1: edits is an array"),
            ("edits = ['x']", "line 1, column 10: an edit is a table of one key"),
            ("edits = [{}]", "line 1, column 10: an edit has one key, and this one has 0"),
            (
                "edits = [{ add = 'x', mkdir = 'y' }]",
                "line 1, column 10: an edit has one key, and this one has 2",
            ),
        ] {
            let error = shown(text).expect_err(text);
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
