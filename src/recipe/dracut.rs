//! The configuration of dracut as a recipe.
//!
//! Files of dracut.conf(5) are scripts for bash. Only assignments of plain values are read, and no
//! command is run; everything else is reported with its line.

mod draft;
mod mapping;
mod modules;
mod shell;

pub use self::draft::Note;
use self::draft::{Draft, Variables, Word};
use self::shell::{Assignment, Statement};

/// A file of the configuration.
#[derive(Clone, Debug)]
pub struct File {
    /// The name in messages.
    pub name: String,
    /// The contents.
    pub text: Vec<u8>,
}

/// A recipe, and the parts of the configuration that it lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The recipe in TOML.
    pub recipe: String,
    /// The parts that were not imported, in the order of the files.
    pub notes: Vec<Note>,
}

/// Imports the files, in order: `=` sets a variable, and `+=` adds to it.
#[must_use]
pub fn import(files: &[File]) -> Imported {
    let (mut variables, mut draft) = (Variables::new(), Draft::default());
    for (number, file) in files.iter().enumerate() {
        for statement in shell::statements(&file.text) {
            match statement {
                Statement::Assignment(Assignment { name, value, appends, line }) => {
                    let words = value.split_whitespace();
                    let words = words.map(|text| Word { text: text.to_owned(), file: number, line });
                    let known = variables.entry(name).or_default();
                    if !appends {
                        known.clear();
                    }
                    known.extend(words);
                }
                Statement::Other { line, what } => draft.notes.push(Note { file: number, line, what }),
            }
        }
    }
    mapping::map(&variables, &mut draft);
    draft.notes.sort();
    draft.notes.dedup();
    Imported { recipe: draft.text(), notes: draft.notes }
}

#[cfg(test)]
mod tests;
