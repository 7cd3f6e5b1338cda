//! What is generated from the command line's own description.

use std::io;

use clap::{Args, CommandFactory, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;

/// Print the completions for a shell
#[derive(Debug, Args)]
pub(super) struct CompletionsVerb {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: Shell,
}

/// Print the manual page, or write all of them into a directory
#[derive(Debug, Args)]
pub(super) struct ManVerb {
    /// The directory
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) directory: Option<std::path::PathBuf>,
}

/// The completions for a shell, as a script of that shell.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rootcast", &mut script);
    script
}

/// The manual pages of section 1 by file name, that of the program first.
///
/// # Errors
/// Never in practice: they are written to memory.
pub fn man_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command();
    // It gives every subcommand the name it is called by.
    command.build();
    let mut pages = vec![page(&command)?];
    for subcommand in
        command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
    {
        pages.push(page(subcommand)?);
    }
    Ok(pages)
}

fn page(command: &clap::Command) -> io::Result<(String, Vec<u8>)> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let man = Man::new(command.clone()).title(name.to_uppercase()).manual("rootcast");
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok((format!("{name}.1"), page))
}
