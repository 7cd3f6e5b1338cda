//! The output of `rootcast recipe` about recipes.

use std::ffi::OsString;

use clap::Command;
use clap::error::ErrorKind;

use super::load::{Located, load, plain};
use super::{effective, flag};
use crate::recipe::file::Position;
use crate::recipe::shipped::SHIPPED;
use crate::report::{RecipeFlag, RecipeReport};

/// The verbs whose whole command lines are checked.
const CHECKED: [&str; 2] = ["image", "initrd"];

/// Returns the names of the shipped recipes with their summaries, one a line.
pub(in crate::cli) fn list() -> String {
    SHIPPED.map(|shipped| format!("{:24}{}\n", shipped.name, shipped.summary())).concat()
}

/// Returns the flags in effect with a recipe, and their origins.
///
/// # Errors
/// If it cannot be read, or has something that is not a flag.
pub(in crate::cli) fn show(command: &Command, name: &OsString) -> Result<RecipeReport, clap::Error> {
    let loaded = load(std::slice::from_ref(name))?;
    if let Some(problem) = problems(command, &loaded.entries).into_iter().next() {
        return Err(problem);
    }
    let flags = effective::of_any(command, &loaded.entries).into_iter().map(|located| {
        let Position { line, column } = located.entry.position;
        let (flag, value) = (located.entry.key.clone(), located.entry.value.clone());
        RecipeFlag { flag, value, edit: located.entry.edit, recipe: located.origin.clone(), line, column }
    });
    Ok(RecipeReport::new(flags.collect()))
}

/// Checks a recipe: its syntax, each of its flags, and those together. `parse` parses a command
/// line.
///
/// # Errors
/// Everything that is wrong, one a line.
pub(in crate::cli) fn check(
    command: &Command,
    name: &OsString,
    parse: &dyn Fn(&[OsString]) -> Result<(), clap::Error>,
) -> Result<(), clap::Error> {
    let loaded = load(std::slice::from_ref(name))?;
    let mut messages: Vec<String> = problems(command, &loaded.entries).iter().map(plain).collect();
    if messages.is_empty() {
        let has_source = loaded.entries.iter().any(|located| located.entry.key == "source");
        for verb in CHECKED {
            let source = if has_source { None } else { Some("source") };
            let words = ["rootcast", verb].into_iter().chain(source).chain(["--dry-run", "--recipe"]);
            let words: Vec<OsString> = words.map(OsString::from).chain([name.clone()]).collect();
            let Err(error) = parse(&words) else { continue };
            // A flag that is missing may be typed.
            if error.kind() != ErrorKind::MissingRequiredArgument {
                messages.push(format!("with rootcast {verb}: {}", plain(&error)));
            }
        }
    }
    messages.dedup();
    let text: String = messages.iter().map(|message| format!("{}\n", message.trim_end())).collect();
    if text.is_empty() { Ok(()) } else { Err(clap::Error::raw(ErrorKind::ValueValidation, text)) }
}

/// Returns an error for each entry that is not a flag, or has a value that its flag takes in no
/// verb.
fn problems(command: &Command, entries: &[Located]) -> Vec<clap::Error> {
    let problem = |located: &Located| {
        flag::check_known(command, located)?;
        let mut refused = Ok(());
        for verb in flag::verbs(command) {
            let Some(arg) = flag::argument(verb, &located.entry.key) else { continue };
            let words = flag::words(arg, located);
            match words.and_then(|words| flag::check_value(command, verb, located, &words)) {
                Ok(()) => return Ok(()),
                Err(error) => refused = refused.and(Err(error)),
            }
        }
        refused
    };
    entries.iter().filter_map(|located| problem(located).err()).collect()
}
