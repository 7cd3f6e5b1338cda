//! The command line: flags as typed become recipes.

mod image;
mod tree;
mod values;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::recipe::{ImageRecipe, TreeRecipe};

/// What the command line asks for.
#[derive(Debug)]
pub enum Request {
    /// `rootcast image`
    Image(Box<ImageRecipe>),
    /// `rootcast tree`
    Tree(TreeRecipe),
}

/// Parses the arguments of the process, the program's name first.
///
/// # Errors
/// When they make no sense; also, as `clap` has it, when help or the version is asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, clap::Error> {
    let cli = Cli::try_parse_from(arguments)?;
    match cli.verb {
        Verb::Image(arguments) => Ok(Request::Image(Box::new(arguments.recipe()?))),
        Verb::Tree(arguments) => Ok(Request::Tree(arguments.recipe()?)),
    }
}

/// Cast a root file tree into what a virtual machine boots from.
///
/// rootcast needs no root, no loop device, no mount, no user namespace and no mkfs, and the same tree gives the
/// same bytes on every machine.
#[derive(Debug, Parser)]
#[command(name = "rootcast", version, max_term_width = 110, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Image(image::ImageArguments),
    Tree(tree::TreeVerb),
}

const EXIT_CODES: &str = "Exit codes:
  0  done
  2  the command line makes no sense
  3  the input is not what it should be, cannot be expressed in the image, or changed while it was read
  4  the size asked for is too small
  5  what was made is not what was planned
  6  reading or writing failed";
