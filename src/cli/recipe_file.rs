//! `--recipe NAME|FILE`: the flags of recipes precede those of the command line.

mod effective;
mod flag;
mod load;
mod near;
mod report;

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

pub(super) use self::report::{check, list, show};

/// Puts the flags of the recipes that are named, if any, after the verb. A flag that was typed, or
/// that contradicts one that was, counts alone, and so do sources that were typed; edits are done
/// before those that were typed.
///
/// # Errors
/// If a file cannot be read or is not a recipe, with the line.
pub(super) fn expand(command: &Command, arguments: Vec<OsString>) -> Result<Vec<OsString>, clap::Error> {
    let Some((verb, typed)) = glance(command, &arguments) else { return Ok(arguments) };
    // Not every verb takes a recipe.
    let Ok(Some(names)) = typed.try_get_many::<OsString>("recipe") else { return Ok(arguments) };
    let names: Vec<OsString> = names.cloned().collect();
    let Some(verb_command) = command.find_subcommand(&verb) else { return Ok(arguments) };
    let loaded = load::load(&names)?;
    let mut expanded = Vec::new();
    for located in &loaded.entries {
        flag::check_known(command, located)?;
    }
    let in_effect = effective::of_verb(verb_command, &loaded.entries);
    let is_compressed = verb != IMAGE || is_erofs(&typed, &in_effect);
    for located in in_effect {
        if located.entry.key == "compress" && !is_compressed {
            // It is the compression of the initramfs that the recipe makes as well.
            continue;
        }
        // Flags of another verb are ignored by this one, so that one recipe serves both.
        let Some(arg) = flag::argument(verb_command, &located.entry.key) else { continue };
        if wins(verb_command, &typed, arg) {
            continue;
        }
        let words = flag::words(arg, located)?;
        flag::check_value(command, verb_command, located, &words)?;
        expanded.extend(words);
    }
    // Files that are inherited from are inputs as those that were typed.
    let inherited = loaded.files.iter().filter(|path| !names.iter().any(|name| name == path.as_os_str()));
    expanded.extend(inherited.map(|path| {
        let mut word = OsString::from("--recipe=");
        word.push(path);
        word
    }));
    // The program's name and the verb come first.
    let position = arguments.iter().position(|argument| argument == OsStr::new(&verb));
    let (head, tail) = arguments.split_at(position.map_or(0, |position| position + 1));
    Ok([head.to_vec(), expanded, tail.to_vec()].concat())
}

/// The verb of disks, which compresses files in one kind of filesystem only.
const IMAGE: &str = "image";

/// Returns true if the filesystem is EROFS, by a flag that was typed or by a recipe.
fn is_erofs(typed: &ArgMatches, entries: &[&load::Located]) -> bool {
    if typed.value_source("fs") == Some(ValueSource::CommandLine) {
        return typed.get_raw("fs").and_then(Iterator::last).is_some_and(|value| value == "erofs");
    }
    let last = entries.iter().rev().find(|located| located.entry.key == "fs");
    last.is_some_and(|located| located.entry.value.as_deref() == Some("erofs"))
}

/// The verb and its flags, of which some may be missing as long as the recipe is not read.
fn glance(command: &Command, arguments: &[OsString]) -> Option<(String, ArgMatches)> {
    let lenient = command.clone().ignore_errors(true).disable_help_flag(true);
    let matches = lenient.try_get_matches_from(arguments).ok()?;
    let (verb, matches) = matches.subcommand()?;
    Some((verb.to_owned(), matches.clone()))
}

/// Returns true if the command line overrides this flag of a recipe: by the flag itself, unless it
/// collects values, or by one that conflicts with it.
fn wins(verb: &Command, typed: &ArgMatches, arg: &Arg) -> bool {
    let is_typed = |arg: &Arg| typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    if is_typed(arg) {
        return !flag::gathers(arg);
    }
    verb.get_arguments().any(|other| is_typed(other) && flag::conflict(verb, arg, other))
}
