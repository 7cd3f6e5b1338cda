//! `rootcast completions` and `rootcast man`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

use crate::cli::help::{Help, group};

/// Print the completions for a shell, as a script of that shell
#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsVerb {
    /// The shell
    #[arg(value_name = "SHELL", help_heading = group::OUTPUT)]
    pub(in crate::cli) shell: Shell,
}

pub(in crate::cli) const COMPLETIONS_HELP: Help = Help {
    verb: "completions",
    usage: "rootcast completions <SHELL>",
    examples: &[
        "rootcast completions bash > /etc/bash_completion.d/rootcast",
        "rootcast completions zsh > /usr/local/share/zsh/site-functions/_rootcast",
        "rootcast completions fish > ~/.config/fish/completions/rootcast.fish",
    ],
    common: &["shell"],
};

/// Print the manual page, or write all of them into a directory
#[derive(Debug, Args)]
pub(in crate::cli) struct ManVerb {
    /// The directory, which is made if need be
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = group::OUTPUT)]
    pub(in crate::cli) directory: Option<PathBuf>,
}

pub(in crate::cli) const MAN_HELP: Help = Help {
    verb: "man",
    usage: "rootcast man [DIR]",
    examples: &[
        "rootcast man | man -l -                         the page of rootcast itself",
        "rootcast man /usr/local/share/man/man1          all pages, one for each verb",
    ],
    common: &["directory"],
};
