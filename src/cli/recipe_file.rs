//! `--recipe FILE`: the flags of the file precede those of the command line.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::Path;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use image_tree::Shown;

use crate::bounded;
use crate::closure::Request;
use crate::closure::requests::NamePattern;
use crate::recipe::file::{self, Entry, Position};
use crate::shown;
use crate::transform::edit::Edit;
use crate::transform::edit::parse::EDIT_FLAGS;
use crate::transform::image_config::Place;
use crate::transform::ownership::Ownership;

/// The flags that a recipe cannot contain: they concern the command line itself.
const NOT_IN_A_RECIPE: [&str; 3] = ["recipe", "help", "version"];

const SOURCE: &str = "source";

/// Puts the flags of a recipe, if one is named, after the verb. A flag that was typed, or that
/// contradicts one that was, counts alone, and so do sources that were typed; edits are done before
/// those that were typed.
///
/// # Errors
/// If the file cannot be read or is not a recipe, with the line.
pub(super) fn expand(command: &Command, arguments: Vec<OsString>) -> Result<Vec<OsString>, clap::Error> {
    let Some((verb, typed)) = glance(command, &arguments) else { return Ok(arguments) };
    // Not every verb takes a recipe.
    let Ok(Some(path)) = typed.try_get_one::<std::path::PathBuf>("recipe") else { return Ok(arguments) };
    let Some(verb_command) = command.find_subcommand(&verb) else { return Ok(arguments) };
    let mut expanded = Vec::new();
    for entry in read(path)? {
        let refuse = |what: String| at(path, entry.position, &what);
        if !is_known(command, &entry) {
            return Err(refuse(unknown(&entry)));
        }
        // Flags of another verb are ignored by this one, so that one recipe serves both.
        let Some(arg) = verb_command.get_arguments().find(|arg| is_named(arg, &entry.key)) else { continue };
        if wins(verb_command, &typed, arg) {
            continue;
        }
        let words = words(arg, &entry).map_err(refuse)?;
        check(command, &verb, arg, &words).map_err(refuse)?;
        expanded.extend(words);
    }
    // The program's name and the verb come first.
    let position = arguments.iter().position(|argument| argument == OsStr::new(&verb));
    let (head, tail) = arguments.split_at(position.map_or(0, |position| position + 1));
    Ok([head.to_vec(), expanded, tail.to_vec()].concat())
}

/// The verb and its flags, of which some may be missing as long as the recipe is not read.
fn glance(command: &Command, arguments: &[OsString]) -> Option<(String, ArgMatches)> {
    let lenient = command.clone().ignore_errors(true).disable_help_flag(true);
    let matches = lenient.try_get_matches_from(arguments).ok()?;
    let (verb, matches) = matches.subcommand()?;
    Some((verb.to_owned(), matches.clone()))
}

fn read(path: &Path) -> Result<Vec<Entry>, clap::Error> {
    let failed = |what: String| usage(ErrorKind::Io, format!("--recipe {}: {what}", shown::path(path)));
    let opened = File::open(path).map_err(|error| failed(error.to_string()))?;
    let text = bounded::read_file(opened, path, file::MAX_LEN);
    let text = text.map_err(|error| usage(ErrorKind::Io, format!("--recipe {error}")))?;
    let text = String::from_utf8(text).map_err(|_| failed("is not UTF-8 text".to_owned()))?;
    file::parse(&text).map_err(|error| at(path, error.position, &error.what))
}

fn at(path: &Path, position: Position, what: &str) -> clap::Error {
    let Position { line, column } = position;
    let what = what.replace('\n', "\\n");
    let message = format!("{}: line {line}, column {column}: {}", shown::path(path), Shown::message(&what));
    usage(ErrorKind::ValueValidation, message)
}

fn usage(kind: ErrorKind, message: String) -> clap::Error {
    clap::Error::raw(kind, message + "\n")
}

fn is_named(arg: &Arg, key: &str) -> bool {
    match arg.get_long() {
        Some(long) => long == key || arg.get_visible_aliases().is_some_and(|names| names.contains(&key)),
        None => arg.is_positional() && key == SOURCE,
    }
}

/// Returns true if any verb has the flag, and the entry is in the right table.
fn is_known(command: &Command, entry: &Entry) -> bool {
    let is_edit = EDIT_FLAGS.iter().any(|form| form.name == entry.key);
    let mut arguments = command.get_subcommands().flat_map(Command::get_arguments);
    is_edit == entry.edit
        && !NOT_IN_A_RECIPE.contains(&entry.key.as_str())
        && arguments.any(|arg| is_named(arg, &entry.key))
}

fn unknown(entry: &Entry) -> String {
    let key = &entry.key;
    let is_edit = EDIT_FLAGS.iter().any(|form| form.name == key);
    match entry.edit {
        true => {
            let names = EDIT_FLAGS.map(|form| form.name).join(", ");
            format!("\"{key}\" is not an edit; those are {names}")
        }
        false if is_edit => format!("\"{key}\" belongs in edits: edits = [{{ {key} = … }}]"),
        false => format!("\"{key}\" is not a flag that a recipe can contain"),
    }
}

/// Returns true if the command line overrides this flag of a recipe: by the flag itself, unless it
/// collects values, or by one that conflicts with it.
fn wins(verb: &Command, typed: &ArgMatches, arg: &Arg) -> bool {
    let is_typed = |arg: &Arg| typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let gathers = matches!(arg.get_action(), ArgAction::Append) && !arg.is_positional();
    let conflicts = |one: &Arg, other: &Arg| {
        verb.get_arg_conflicts_with(one).iter().any(|found| found.get_id() == other.get_id())
    };
    if is_typed(arg) {
        return !gathers;
    }
    verb.get_arguments().any(|other| is_typed(other) && (conflicts(arg, other) || conflicts(other, arg)))
}

/// Returns the words of an entry on a command line.
fn words(arg: &Arg, entry: &Entry) -> Result<Vec<OsString>, String> {
    let takes_value = arg.get_action().takes_values();
    if entry.is_number && is_text(arg) {
        let key = &entry.key;
        return Err(format!("\"{key}\" takes a text, in quotation marks, and not a number"));
    }
    match (&entry.value, takes_value) {
        (None, false) => Ok(vec![format!("--{}", entry.key).into()]),
        (Some(value), true) if arg.is_positional() => {
            // A name that begins with a dash is not a flag here.
            let dash = value.starts_with('-') && value != "-";
            Ok(vec![if dash { format!("./{value}").into() } else { value.into() }])
        }
        (Some(value), true) => Ok(vec![format!("--{}={value}", entry.key).into()]),
        (None, true) => Err(format!("\"{}\" needs a value", entry.key)),
        (Some(_), false) => Err(format!("\"{}\" is either true or false", entry.key)),
    }
}

/// Returns true for a flag whose values are names or paths: a number is a mistake there.
fn is_text(arg: &Arg) -> bool {
    use std::any::TypeId;
    let texts = [
        TypeId::of::<std::path::PathBuf>(),
        TypeId::of::<OsString>(),
        TypeId::of::<Edit>(),
        TypeId::of::<Ownership>(),
        TypeId::of::<Place>(),
        TypeId::of::<Request>(),
        TypeId::of::<NamePattern>(),
    ];
    texts.iter().any(|text| arg.get_value_parser().type_id() == *text)
}

/// Checks the value of a flag, by parsing it alone.
fn check(command: &Command, verb: &str, arg: &Arg, words: &[OsString]) -> Result<(), String> {
    let alone = [OsString::from("rootcast"), verb.into()].into_iter().chain(words.iter().cloned());
    let Err(error) = command.clone().try_get_matches_from(alone) else { return Ok(()) };
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::NoEquals) {
        // That others are missing says nothing of this one.
        return Ok(());
    }
    let text = error.to_string();
    let lines: Vec<_> =
        text.lines().take_while(|line| !line.starts_with("For more")).map(str::trim).collect();
    let what = lines.join(" ");
    let what = what.trim().trim_start_matches("error: ");
    Err(if what.is_empty() { format!("\"{}\" is wrong", arg.get_id()) } else { what.to_owned() })
}
