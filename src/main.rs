//! The command line program: arguments → recipe → run → exit code.
#![deny(clippy::print_stdout, clippy::print_stderr, reason = "the macros panic where the reader went away")]

use std::env::{args_os, vars_os};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use rootcast::cli::{self, RecipeRequest, Request, Script};
use rootcast::error::{Error, ErrorKind};
use rootcast::interrupt::Interrupt;
use rootcast::run;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = args_os().collect();
    let script = arguments.first().and_then(|name| Script::of(name));
    let parsed = match script {
        Some(script) => cli::parse_script(script, arguments.get(1..).unwrap_or_default(), vars_os()),
        None => cli::parse(arguments).map(|request| (request, Vec::new())),
    };
    let request = match parsed {
        Ok((request, notes)) => {
            // A closed standard error cannot be reported anywhere.
            notes.iter().for_each(|note| _ = writeln!(std::io::stderr(), "INFO: {note}"));
            request
        }
        // clap prints help and the version to standard output with code 0, and errors to standard
        // error with code 2. A closed standard output or error cannot be reported anywhere.
        Err(error) => {
            let _ = error.print();
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return ExitCode::from(if code == 0 { code } else { script.map_or(code, |_| Script::FAILURE) });
        }
    };
    let report = |error: &Error| report(error, script);
    raise_descriptors();
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => return report(&error),
    };
    let done = match request {
        Request::Build(build, output) => run::build(&build, &output, &interrupt),
        Request::Export(recipe) => run::export(&recipe, &interrupt),
        Request::Check(recipe) => run::check(&recipe, &interrupt),
        Request::RootHash(recipe) => run::root_hash(&recipe, &interrupt),
        Request::Tree(recipe) => run::tree(&recipe, &interrupt),
        Request::Closure(recipe) => run::closure(&recipe, &interrupt),
        Request::Recipe(RecipeRequest::Print(text)) => run::print_recipes(&text),
        Request::Recipe(RecipeRequest::Json(report)) => run::print_recipe_json(&report),
        Request::Recipe(RecipeRequest::ImportDracut { directory, output }) => {
            run::import_dracut(&directory, &output, &interrupt)
        }
        Request::Usage(text) => run::print_recipes(text),
        Request::Resolve(recipe, json) => run::resolve(&recipe, json, &interrupt),
        Request::Fetch(recipe, to) => run::fetch(&recipe, &to, &interrupt),
        Request::Depmod(recipe) => run::depmod(&recipe, &interrupt),
        Request::Completions(shell) => run::completions(&cli::generate::completions(shell)),
        Request::Man(directory) => generate_man(directory.as_deref()),
        Request::Version { json } => run::version(json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            interrupt.die();
            report(&error)
        }
        Err(error) => report(&error),
    }
}

/// Raises the limit on open files as far as the user may: each package and each layer of an image
/// stays open. If that fails, an error about it comes later, if ever.
fn raise_descriptors() {
    /// More than any set of packages needs.
    const ENOUGH: u64 = 1 << 16;
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    if limit.current.is_some_and(|current| current < wanted) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
    }
}

fn generate_man(directory: Option<&Path>) -> Result<(), Error> {
    let pages = cli::generate::man_pages().map_err(|error| Error::new(ErrorKind::Io, error))?;
    run::man(&pages, directory)
}

/// Prints an error, as a script does that the program was called as.
fn report(error: &Error, script: Option<Script>) -> ExitCode {
    let (prefix, code) = match script {
        Some(_) => ("ERROR", Script::FAILURE),
        None => ("rootcast", error.kind().exit_code()),
    };
    // A closed standard error cannot be reported anywhere.
    let _ = writeln!(std::io::stderr(), "{prefix}: {error}");
    ExitCode::from(code)
}
