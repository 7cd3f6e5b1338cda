//! `rootcast recipe`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command, Subcommand};

use crate::cli::help::{Help, group};
use crate::cli::recipe_file;
use crate::cli::request::{RecipeRequest, Request};

/// List, print and check recipes, and import those of dracut
///
/// A recipe is a file of flags for --recipe, or has the name of one that is part of the program.
#[derive(Debug, Args)]
pub(in crate::cli) struct RecipeVerb {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(ListVerb),
    Show(ShowVerb),
    Check(CheckVerb),
    ImportDracut(ImportVerb),
}

/// List the recipes that are part of the program
#[derive(Debug, Args)]
struct ListVerb {}

/// Print the flags in effect with a recipe, and their origins
///
/// They are printed as a recipe, in which comments name the origins.
#[derive(Debug, Args)]
struct ShowVerb {
    /// The name of a recipe, or the path of a file; ./NAME is a path
    #[arg(value_name = "NAME|FILE", help_heading = group::INPUT)]
    recipe: OsString,

    /// Print a JSON object
    ///
    /// Its schema is src/report/recipe.schema.json in the sources of rootcast.
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
}

/// Report all errors in a recipe, with lines and columns
///
/// These are unknown keys, wrong types and values, flags that contradict each other, and recipes
/// that inherit from themselves.
#[derive(Debug, Args)]
struct CheckVerb {
    /// The path of a file, or the name of a recipe
    #[arg(value_name = "FILE|NAME", help_heading = group::INPUT)]
    recipe: OsString,
}

/// Make a recipe of dracut's configuration
///
/// Only assignments are read, and no command is run. What is not imported is reported with its file
/// and line.
#[derive(Debug, Args)]
struct ImportVerb {
    /// A directory such as /etc/dracut.conf.d, whose files *.conf are read by name, or a single file
    #[arg(value_name = "DIR", help_heading = group::INPUT)]
    directory: PathBuf,

    /// The recipe, or - for standard output; an existing file is replaced
    #[arg(short, long, value_name = "FILE", help_heading = group::OUTPUT)]
    output: PathBuf,
}

pub(in crate::cli) const HELP: Help = Help {
    verb: "recipe",
    usage: "rootcast recipe list
       rootcast recipe show <NAME|FILE> [--json]
       rootcast recipe check <FILE|NAME>
       rootcast recipe import-dracut <DIR> --output <FILE>",
    examples: &[
        "rootcast recipe list",
        "rootcast recipe show kata-dracut",
        "rootcast recipe import-dracut dracut.conf.d -o my.toml",
        "rootcast initrd rootfs/ --recipe systemd-initrd -o initrd.img",
    ],
    common: &[],
};

/// The help of the actions.
pub(in crate::cli) const ACTIONS: [Help; 4] = [
    Help { verb: "list", usage: "rootcast recipe list", examples: &["rootcast recipe list"], common: &[] },
    Help {
        verb: "show",
        usage: "rootcast recipe show <NAME|FILE> [--json]",
        examples: &["rootcast recipe show systemd-initrd-verity", "rootcast recipe show ./my.toml --json"],
        common: &["recipe", "json"],
    },
    Help {
        verb: "check",
        usage: "rootcast recipe check <FILE|NAME>",
        examples: &["rootcast recipe check my.toml"],
        common: &["recipe"],
    },
    Help {
        verb: "import-dracut",
        usage: "rootcast recipe import-dracut <DIR> --output <FILE>",
        examples: &["rootcast recipe import-dracut /etc/dracut.conf.d -o my.toml"],
        common: &["directory", "output"],
    },
];

impl RecipeVerb {
    /// Returns the request. `parse` parses a command line.
    pub(in crate::cli) fn request(
        self,
        command: &Command,
        parse: &dyn Fn(&[OsString]) -> Result<(), clap::Error>,
    ) -> Result<Request, clap::Error> {
        Ok(Request::Recipe(match self.action {
            Action::List(ListVerb {}) => RecipeRequest::Print(recipe_file::list()),
            Action::Show(ShowVerb { recipe, json }) => {
                let report = recipe_file::show(command, &recipe)?;
                if json { RecipeRequest::Json(report) } else { RecipeRequest::Print(report.to_string()) }
            }
            Action::Check(CheckVerb { recipe }) => {
                recipe_file::check(command, &recipe, parse)?;
                RecipeRequest::Print(String::new())
            }
            Action::ImportDracut(ImportVerb { directory, output }) => {
                RecipeRequest::ImportDracut { directory, output }
            }
        }))
    }
}
