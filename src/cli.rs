//! The command line, parsed into recipes.

mod check;
mod closure;
mod edits;
mod filesystem;
mod general;
pub mod generate;
mod help;
mod image;
mod initrd;
mod output;
mod quoted;
mod recipe_file;
mod tree;
mod values;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use self::help::{Help, group};
use crate::recipe::closure::ClosureRecipe;
use crate::recipe::initrd::{CheckRecipe, InitrdRecipe};
use crate::recipe::{ImageRecipe, TreeRecipe};

/// The request of a command line.
#[derive(Debug)]
pub enum Request {
    /// `rootcast image`
    Image(Box<ImageRecipe>),
    /// `rootcast initrd`
    Initrd(Box<InitrdRecipe>),
    /// `rootcast check`
    Check(CheckRecipe),
    /// `rootcast tree`
    Tree(Box<TreeRecipe>),
    /// `rootcast closure`
    Closure(Box<ClosureRecipe>),
    /// `rootcast completions`
    Completions(Shell),
    /// `rootcast man`: into a directory, or to standard output.
    Man(Option<PathBuf>),
    /// `rootcast --version`
    Version {
        /// True for JSON.
        json: bool,
    },
}

/// Parses the arguments of the process, the program's name first.
///
/// # Errors
/// If they are invalid; also, as in `clap`, if help or the version is requested. Messages contain no control character of
/// an argument.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    request(&arguments).map_err(|error| quoted::escape(error, &arguments))
}

fn request(arguments: &[OsString]) -> Result<Request, clap::Error> {
    let mut command = command();
    let arguments = recipe_file::expand(&command, arguments.to_vec())?;
    let verb = arguments.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-")).cloned();
    let matches = command.try_get_matches_from_mut(arguments);
    let matches = matches.map_err(|error| suggest_redirection(error, verb.as_deref()))?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    let Some(verb) = cli.verb else { return Ok(Request::Version { json: cli.json }) };
    match verb {
        Verb::Image(arguments) => Ok(Request::Image(Box::new(arguments.recipe()?))),
        Verb::Initrd(arguments) => arguments.request(),
        Verb::Check(arguments) => Ok(Request::Check(arguments.recipe())),
        Verb::Tree(arguments) => Ok(Request::Tree(Box::new(arguments.recipe()?))),
        Verb::Closure(arguments) => Ok(Request::Closure(Box::new(arguments.recipe()?))),
        Verb::Completions(arguments) => Ok(Request::Completions(arguments.shell)),
        Verb::Man(arguments) => Ok(Request::Man(arguments.directory)),
    }
}

/// Adds to an error about `-o` of `tree` or `closure` that they print to standard output, in place of the suggestion to
/// pass `-o` as the name of a source.
fn suggest_redirection(mut error: clap::Error, verb: Option<&OsStr>) -> clap::Error {
    let Some(verb) = verb.and_then(OsStr::to_str).filter(|verb| matches!(*verb, "tree" | "closure")) else {
        return error;
    };
    let is_output = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => matches!(argument.as_str(), "-o" | "--output"),
        _ => false,
    };
    if error.kind() == ErrorKind::UnknownArgument && is_output {
        let tip = format!("rootcast {verb} prints to standard output; to have it in a file, end with > FILE");
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Returns the whole command line, with the help of each verb.
fn command() -> Command {
    let program = Help::PROGRAM.of(Cli::command());
    Help::ALL.iter().fold(program, |program, help| program.mut_subcommand(help.verb, |verb| help.of(verb)))
}

/// Cast a root file tree into what a virtual machine boots from
///
/// rootcast needs no root, no loop device, no mount, no user namespace and no mkfs, and the same tree gives the
/// same bytes on every machine.
#[derive(Debug, Parser)]
#[command(name = "rootcast", version, max_term_width = 110, after_long_help = EXIT_CODES)]
#[command(subcommand_help_heading = "Verbs", subcommand_value_name = "VERB")]
#[command(disable_version_flag = true, arg_required_else_help = true, args_conflicts_with_subcommands = true)]
struct Cli {
    /// Print the version
    #[arg(short = 'V', long, help_heading = group::GENERAL)]
    version: bool,

    /// Print the version as a JSON object
    #[arg(long, requires = "version", help_heading = group::GENERAL)]
    json: bool,

    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Image(Box<image::ImageArguments>),
    Initrd(Box<initrd::InitrdArguments>),
    Check(check::CheckVerb),
    Tree(Box<tree::TreeVerb>),
    Closure(Box<closure::ClosureVerb>),
    Completions(generate::CompletionsVerb),
    Man(generate::ManVerb),
}

const EXIT_CODES: &str = "Exit codes:
  0  success
  1  check: a kernel would not accept all of the initramfs
  2  the command line is invalid
  3  the input is malformed, cannot be represented in the output, or changed while it was read
  4  the requested size is too small
  5  the output differs from the plan
  6  reading or writing failed";
