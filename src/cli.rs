//! The command line, parsed into recipes.
//!
//! Each verb is a module of `verbs`. Flags that verbs share are in `flags`; `program` has the verbs
//! and their help, and `recipe_file` adds the flags of `--recipe`.

mod flags;
pub mod generate;
mod help;
mod program;
mod quoted;
mod recipe_file;
mod request;
mod scripts;
mod verbs;

use std::ffi::OsString;

pub use self::request::{RecipeRequest, Request};
pub use self::scripts::Script;
use self::scripts::Translated;

/// Parses the arguments of the process, the program's name first.
///
/// # Errors
/// If they are invalid; also, as in `clap`, if help or the version is requested. Messages contain
/// no control character of an argument.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    program::request(&arguments).map_err(|error| quoted::escape(error, &arguments, program::request))
}

/// Parses the arguments of a script, without its name, and its variables. Returns what a user
/// should know of the variables, too.
///
/// # Errors
/// As [`parse`].
pub fn parse_script(
    script: Script,
    arguments: &[OsString],
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Request, Vec<String>), clap::Error> {
    match script.translate(arguments, variables) {
        Ok(Translated::Arguments(words, notes)) => {
            let request = parse(std::iter::once("rootcast".into()).chain(words))?;
            Ok((request, notes))
        }
        Ok(Translated::Help(text)) => Ok((Request::Usage(text), Vec::new())),
        Err(why) => Err(clap::Error::raw(clap::error::ErrorKind::ValueValidation, why + "\n")),
    }
}
