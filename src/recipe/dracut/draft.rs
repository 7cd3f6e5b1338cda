//! The recipe as it grows.

use std::collections::{BTreeMap, BTreeSet};

use crate::recipe::file::quoted;

/// Something that was not imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The number of the file, from 0.
    pub file: usize,
    /// The line, from 1.
    pub line: usize,
    /// The reason.
    pub what: String,
}

/// A word of a variable's value, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) file: usize,
    pub(super) line: usize,
}

/// The words of each variable.
pub(super) type Variables = BTreeMap<String, Vec<Word>>;

/// The recipe as it grows.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The values by their flags, in the order of the flags' names.
    pub(super) flags: BTreeMap<&'static str, Vec<String>>,
    /// The edits: flag and value.
    pub(super) edits: Vec<(&'static str, String)>,
    /// The parts that are not imported.
    pub(super) notes: Vec<Note>,
    /// The values that flags have.
    known: BTreeSet<(&'static str, String)>,
}

impl Draft {
    /// Adds a value, unless the flag has it.
    pub(super) fn add(&mut self, flag: &'static str, value: impl Into<String>) {
        let value = value.into();
        if self.known.insert((flag, value.clone())) {
            self.flags.entry(flag).or_default().push(value);
        }
    }

    /// Reports a word that is not imported.
    pub(super) fn note(&mut self, word: &Word, what: impl Into<String>) {
        self.notes.push(Note { file: word.file, line: word.line, what: what.into() });
    }

    /// Returns the recipe.
    pub(super) fn text(&self) -> String {
        let mut text = "# From the configuration of dracut.\n".to_owned();
        for (flag, values) in &self.flags {
            match &values[..] {
                [one] => text += &format!("{flag} = {}\n", quoted(one)),
                several => {
                    let lines: String =
                        several.iter().map(|value| format!("    {},\n", quoted(value))).collect();
                    text += &format!("{flag} = [\n{lines}]\n");
                }
            }
        }
        if !self.edits.is_empty() {
            let lines: String = self
                .edits
                .iter()
                .map(|(flag, value)| format!("    {{ {flag} = {} }},\n", quoted(value)))
                .collect();
            text += &format!("edits = [\n{lines}]\n");
        }
        text
    }
}
