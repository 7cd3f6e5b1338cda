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
mod verbs;

use std::ffi::OsString;

pub use self::request::{RecipeRequest, Request};

/// Parses the arguments of the process, the program's name first.
///
/// # Errors
/// If they are invalid; also, as in `clap`, if help or the version is requested. Messages contain
/// no control character of an argument.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    program::request(&arguments).map_err(|error| quoted::escape(error, &arguments, program::request))
}
