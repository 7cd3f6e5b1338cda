//! The flags of a recipe, as a recipe or as JSON; the schema is `recipe.schema.json`.

use std::fmt;

use serde::Serialize;

use super::version::{REPORT_VERSION, VERSION};
use crate::recipe::file::quoted;

/// The flags that are in effect with a recipe, in order.
#[derive(Clone, Debug, Serialize)]
pub struct RecipeReport {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The version of the form of all reports as JSON.
    pub report_version: u32,
    /// The flags.
    pub flags: Vec<RecipeFlag>,
}

impl RecipeReport {
    /// Returns the report of these flags.
    #[must_use]
    pub fn new(flags: Vec<RecipeFlag>) -> Self {
        Self { rootcast: VERSION, report_version: REPORT_VERSION, flags }
    }
}

/// A flag of a recipe, with one of its values.
#[derive(Clone, Debug, Serialize)]
pub struct RecipeFlag {
    /// The long name of the flag, or `source`.
    pub flag: String,
    /// The value; `None` for a flag that takes none.
    pub value: Option<String>,
    /// True for an edit.
    pub edit: bool,
    /// The name or path of the recipe that has it.
    pub recipe: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl RecipeFlag {
    fn value(&self) -> String {
        self.value.as_deref().map_or_else(|| "true".to_owned(), quoted)
    }
}

impl fmt::Display for RecipeFlag {
    /// Formats the origin.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line {}", self.recipe, self.line)
    }
}

impl fmt::Display for RecipeReport {
    /// Formats a recipe with the same flags, each with its origin as a comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut done: Vec<&str> = Vec::new();
        for flag in self.flags.iter().filter(|flag| !flag.edit) {
            if done.contains(&flag.flag.as_str()) {
                continue;
            }
            done.push(&flag.flag);
            let same: Vec<&RecipeFlag> =
                self.flags.iter().filter(|other| !other.edit && other.flag == flag.flag).collect();
            match same[..] {
                [one] => writeln!(f, "{} = {}  # {one}", one.flag, one.value())?,
                _ => {
                    writeln!(f, "{} = [", flag.flag)?;
                    same.iter().try_for_each(|one| writeln!(f, "    {},  # {one}", one.value()))?;
                    writeln!(f, "]")?;
                }
            }
        }
        let edits: Vec<&RecipeFlag> = self.flags.iter().filter(|flag| flag.edit).collect();
        if !edits.is_empty() {
            writeln!(f, "edits = [")?;
            for edit in edits {
                writeln!(f, "    {{ {} = {} }},  # {edit}", edit.flag, edit.value())?;
            }
            writeln!(f, "]")?;
        }
        Ok(())
    }
}
