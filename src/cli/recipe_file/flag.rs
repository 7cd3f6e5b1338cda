//! The flag that an entry of a recipe stands for.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};

use super::load::{Located, plain};
use super::near;
use crate::closure::Request;
use crate::closure::requests::NamePattern;
use crate::recipe::file::Entry;
use crate::transform::configure::Generators;
use crate::transform::edit::Edit;
use crate::transform::edit::parse::EDIT_FLAGS;
use crate::transform::image_config::Place;
use crate::transform::ownership::Ownership;

/// The flags that a recipe cannot contain: they concern the command line itself.
const NOT_IN_A_RECIPE: [&str; 3] = ["recipe", "help", "version"];

const SOURCE: &str = "source";

/// Returns the argument of a verb that a key names.
pub(super) fn argument<'c>(verb: &'c Command, key: &str) -> Option<&'c Arg> {
    verb.get_arguments().find(|arg| match arg.get_long() {
        Some(long) => long == key || arg.get_visible_aliases().is_some_and(|names| names.contains(&key)),
        None => arg.is_positional() && key == SOURCE,
    })
}

/// Returns the verbs that take recipes.
pub(super) fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| verb.get_arguments().any(|arg| arg.get_long() == Some("recipe")))
}

/// Returns true for a flag that collects values.
pub(super) fn gathers(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append) && !arg.is_positional()
}

/// Returns true if one of the arguments excludes the other.
pub(super) fn conflict(verb: &Command, one: &Arg, other: &Arg) -> bool {
    let excludes = |one: &Arg, other: &Arg| {
        verb.get_arg_conflicts_with(one).iter().any(|found| found.get_id() == other.get_id())
    };
    excludes(one, other) || excludes(other, one)
}

/// Refuses an entry that is not a flag of any verb, or is in the wrong table.
pub(super) fn check_known(command: &Command, located: &Located) -> Result<(), clap::Error> {
    let Entry { key, edit: in_edits, .. } = &located.entry;
    let is_edit = EDIT_FLAGS.iter().any(|form| form.name == key);
    let is_flag = !NOT_IN_A_RECIPE.contains(&key.as_str())
        && command.get_subcommands().any(|verb| argument(verb, key).is_some());
    if is_edit == *in_edits && is_flag {
        return Ok(());
    }
    Err(located.refuse(&match (in_edits, is_edit) {
        (true, _) => {
            let names = EDIT_FLAGS.map(|form| form.name).join(", ");
            format!("\"{key}\" is not an edit; those are {names}")
        }
        (false, true) => format!("\"{key}\" belongs in edits: edits = [{{ {key} = … }}]"),
        (false, false) => {
            let flags = verbs(command).flat_map(Command::get_arguments).filter_map(Arg::get_long);
            let near = near::names(key, flags.filter(|flag| !NOT_IN_A_RECIPE.contains(flag)).chain([SOURCE]));
            let near =
                if near.is_empty() { String::new() } else { format!("; similar are {}", near.join(", ")) };
            format!("\"{key}\" is not a flag that a recipe can contain{near}")
        }
    }))
}

/// Returns the words of an entry on a command line; none for a flag that is off.
pub(super) fn words(arg: &Arg, located: &Located) -> Result<Vec<OsString>, clap::Error> {
    let Entry { key, value, is_number, is_off, .. } = &located.entry;
    let takes_value = arg.get_action().takes_values();
    if *is_number && is_text(arg) {
        return Err(located.refuse(&format!("\"{key}\" takes a text, in quotation marks, and not a number")));
    }
    match (value, takes_value) {
        (None, false) if *is_off => Ok(Vec::new()),
        (None, false) => Ok(vec![format!("--{key}").into()]),
        (Some(value), true) if arg.is_positional() => {
            // A name that begins with a dash is not a flag here.
            let dash = value.starts_with('-') && value != "-";
            Ok(vec![if dash { format!("./{value}").into() } else { value.into() }])
        }
        (Some(value), true) => Ok(vec![format!("--{key}={value}").into()]),
        (None, true) => Err(located.refuse(&format!("\"{key}\" needs a value"))),
        (Some(_), false) => Err(located.refuse(&format!("\"{key}\" is either true or false"))),
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
        TypeId::of::<Generators>(),
        TypeId::of::<Request>(),
        TypeId::of::<NamePattern>(),
    ];
    texts.iter().any(|text| arg.get_value_parser().type_id() == *text)
}

/// Checks the value of a flag, by parsing it alone.
pub(super) fn check_value(
    command: &Command,
    verb: &Command,
    located: &Located,
    words: &[OsString],
) -> Result<(), clap::Error> {
    if words.is_empty() {
        return Ok(());
    }
    let alone = ["rootcast", verb.get_name()].map(OsString::from).into_iter().chain(words.iter().cloned());
    let Err(error) = command.clone().try_get_matches_from(alone) else { return Ok(()) };
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::NoEquals) {
        // That others are missing says nothing of this one.
        return Ok(());
    }
    let text = plain(&error);
    let lines: Vec<_> =
        text.lines().take_while(|line| !line.starts_with("For more")).map(str::trim).collect();
    let what = lines.join(" ");
    Err(located.refuse(match what.trim() {
        "" => "the value is wrong",
        what => what,
    }))
}
