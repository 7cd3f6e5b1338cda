//! The program: its verbs, their help, and the parser of its arguments.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches as _, Parser, Subcommand};

use super::help::{Help, group};
use super::recipe_file;
use super::request::Request;
use super::verbs::{
    check, closure, depmod, generate, image, initrd, kata_rootfs, oci_export, recipe, resolve, root_hash,
    tar, tree,
};

/// The help of every verb.
pub(super) const VERB_HELPS: [Help; 15] = [
    image::HELP,
    initrd::HELP,
    tar::HELP,
    oci_export::HELP,
    kata_rootfs::HELP,
    check::HELP,
    root_hash::HELP,
    tree::HELP,
    closure::HELP,
    resolve::RESOLVE_HELP,
    resolve::FETCH_HELP,
    recipe::HELP,
    depmod::HELP,
    generate::COMPLETIONS_HELP,
    generate::MAN_HELP,
];

/// The help of the program without a verb.
pub(super) const PROGRAM_HELP: Help = Help {
    verb: "",
    usage: "rootcast <VERB> [OPTIONS]",
    examples: &[
        "rootcast image rootfs/ -o disk.img               a disk of the least size",
        "rootcast initrd rootfs/ -o initrd.img            a compressed initramfs",
        "rootcast image rootfs/ --keep /usr/bin/curl -o disk.img",
        "rootcast closure rootfs/ --keep /usr/bin/curl    what curl needs",
        "rootcast tree image.tar                          a listing of an archive",
    ],
    common: &["version"],
};

/// Parses the arguments of the process, the program's name first. Messages quote them unchanged.
///
/// # Errors
/// If they are invalid; also, as in `clap`, if help or the version is requested.
pub(super) fn request(arguments: &[OsString]) -> Result<Request, clap::Error> {
    let mut command = command();
    let arguments = recipe_file::expand(&command, arguments.to_vec())?;
    let verb = arguments.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-")).cloned();
    let matches = command.try_get_matches_from_mut(arguments);
    let matches = matches.map_err(|error| suggest_redirection(error, verb.as_deref()))?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    let Some(verb) = cli.verb else { return Ok(Request::Version { json: cli.json }) };
    match verb {
        Verb::Image(arguments) => arguments.request(),
        Verb::Initrd(arguments) => arguments.request(),
        Verb::OciExport(arguments) => Ok(Request::Export(Box::new(arguments.recipe()?))),
        Verb::Tar(arguments) => arguments.request(),
        Verb::KataRootfs(arguments) => arguments.request(),
        Verb::Check(arguments) => Ok(Request::Check(arguments.recipe())),
        Verb::RootHash(arguments) => Ok(Request::RootHash(Box::new(arguments.recipe()?))),
        Verb::Tree(arguments) => Ok(Request::Tree(Box::new(arguments.recipe()?))),
        Verb::Closure(arguments) => Ok(Request::Closure(Box::new(arguments.recipe()?))),
        Verb::Resolve(arguments) => {
            let (recipe, json) = arguments.recipe()?;
            Ok(Request::Resolve(Box::new(recipe), json))
        }
        Verb::Fetch(arguments) => {
            let (recipe, to) = arguments.recipe()?;
            Ok(Request::Fetch(Box::new(recipe), to))
        }
        Verb::Recipe(arguments) => arguments.request(&command, &|arguments| request(arguments).map(drop)),
        Verb::Depmod(arguments) => Ok(Request::Depmod(arguments.recipe())),
        Verb::Completions(arguments) => Ok(Request::Completions(arguments.shell)),
        Verb::Man(arguments) => Ok(Request::Man(arguments.directory)),
    }
}

/// Adds to an error about `-o` of `tree` or `closure` that they print to standard output, in place
/// of the suggestion to pass `-o` as the name of a source.
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
pub(super) fn command() -> Command {
    let program = PROGRAM_HELP.of(Cli::command());
    let program = VERB_HELPS
        .iter()
        .fold(program, |program, help| program.mut_subcommand(help.verb, |verb| help.of(verb)));
    program.mut_subcommand(recipe::HELP.verb, |verb| {
        let verb = verb.subcommand_help_heading("Actions").subcommand_value_name("ACTION");
        recipe::ACTIONS
            .iter()
            .fold(verb, |verb, help| verb.mut_subcommand(help.verb, |action| help.of(action)))
    })
}

/// Cast a root file tree into what a virtual machine boots from
///
/// rootcast needs no root, no loop device, no mount, no user namespace and no mkfs, and the same
/// tree gives the same bytes on every machine.
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
    OciExport(Box<oci_export::ExportVerb>),
    Tar(Box<tar::TarVerb>),
    KataRootfs(Box<kata_rootfs::KataRootfsVerb>),
    Check(check::CheckVerb),
    RootHash(Box<root_hash::RootHashVerb>),
    Tree(Box<tree::TreeVerb>),
    Closure(Box<closure::ClosureVerb>),
    Resolve(Box<resolve::ResolveVerb>),
    Fetch(Box<resolve::FetchVerb>),
    Recipe(recipe::RecipeVerb),
    Depmod(depmod::DepmodVerb),
    Completions(generate::CompletionsVerb),
    Man(generate::ManVerb),
}

const EXIT_CODES: &str = "Exit codes:
  0  success
  1  check: a kernel would not accept all of the initramfs; root-hash --check: the data has another root hash
  2  the command line is invalid
  3  the input is malformed, cannot be represented in the output, or changed while it was read
  4  the requested size is too small
  5  the output differs from the plan
  6  reading or writing failed";

#[cfg(test)]
mod tests {
    use super::super::help::SHORT_EXAMPLES;
    use super::*;

    /// The lines and columns that most terminals have at least, with room for the prompt.
    const SCREEN: (usize, usize) = (30, 80);

    /// Returns the output of `-h` for a verb, or for the program, on a terminal of 80 columns.
    fn short(verb: &str) -> String {
        let mut program = command().term_width(SCREEN.1);
        program.build();
        match program.find_subcommand_mut(verb) {
            Some(verb) => verb.render_help().to_string(),
            None => program.render_help().to_string(),
        }
    }

    #[test]
    fn short_help_fits_a_screen() {
        for help in VERB_HELPS.iter().chain([&PROGRAM_HELP]) {
            let text = short(help.verb);
            let width = text.lines().map(|line| line.chars().count()).max();
            assert!(text.lines().count() <= SCREEN.0 && width <= Some(SCREEN.1), "{}", text);
            // A line that clap wraps begins with nothing but blanks up to the column of the texts.
            let column = " ".repeat(12);
            assert!(!text.lines().any(|line| line.starts_with(&column)), "a wrapped line:\n{text}");
            let usage = text.lines().nth(2).unwrap_or_default();
            assert!(usage.starts_with("Usage: rootcast"), "{text}");
            let examples = text.lines().skip_while(|line| *line != "Examples:").skip(1);
            let count = examples.take_while(|line| line.starts_with("  rootcast ")).count();
            assert_eq!(count, help.examples.len().min(SHORT_EXAMPLES), "{text}");
        }
    }

    #[test]
    fn every_flag_has_a_group_and_a_text() {
        let mut program = command();
        program.build();
        let verbs = VERB_HELPS.iter().map(|help| program.find_subcommand(help.verb).expect(help.verb));
        for verb in verbs.chain([&program]) {
            for arg in verb.get_arguments() {
                let name = format!("{} {}", verb.get_name(), arg.get_id());
                assert!(
                    arg.get_help_heading().is_some(),
                    "{name} is in no group: add help_heading = group::…"
                );
                assert!(
                    arg.get_help().is_some_and(|help| !help.to_string().is_empty()),
                    "{name} has no text"
                );
            }
        }
    }

    #[test]
    fn common_flags_exist_and_are_shown() {
        let program = command();
        for help in &VERB_HELPS {
            let verb = program.find_subcommand(help.verb).expect(help.verb);
            for id in help.common {
                let arg = verb.get_arguments().find(|arg| arg.get_id() == id);
                let arg = arg.unwrap_or_else(|| panic!("{} has no {id}", help.verb));
                assert!(!arg.is_hide_short_help_set(), "{id}");
            }
            let shown = verb.get_arguments().filter(|arg| !arg.is_hide_short_help_set());
            assert_eq!(shown.count(), help.common.len() + 1, "{}", help.verb);
        }
    }

    #[test]
    fn examples_are_command_lines() {
        for help in VERB_HELPS.iter().chain([&PROGRAM_HELP]) {
            for example in help.examples {
                assert!(example.len() <= 78, "{example}");
                assert!(example.contains("rootcast "), "{example}");
                // Text after several blanks describes the command line, and a pipe or file
                // is the shell's.
                let line = example.split("  ").next().unwrap_or_default();
                let line = line.split(['|', '>']).find(|part| part.contains("rootcast")).unwrap_or_default();
                let words = line.split_whitespace().map(|word| word.trim_matches('\'').into());
                let parsed = super::super::parse(words.collect::<Vec<std::ffi::OsString>>());
                assert!(parsed.is_ok(), "{example}: {}", parsed.expect_err("an error"));
            }
        }
    }
}
