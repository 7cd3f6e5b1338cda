//! The completions and manual pages, which are generated from the command line's own description.

use std::io;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::help::Help;
use super::program::{self, PROGRAM_HELP, VERB_HELPS};
use crate::report::version::VERSION;

/// The completions for a shell, as a script of that shell.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program::command(), "rootcast", &mut script);
    script
}

/// The manual pages of section 1 by file name, that of the program first.
///
/// # Errors
/// Never in practice: they are written to memory.
pub fn man_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    // The verb `help` has no page: each of the others is what it prints.
    let mut command = program::command().disable_help_subcommand(true).subcommand_help_heading("VERBS");
    // It gives every subcommand the name it is called by.
    command.build();
    let verb = |name: &str| VERB_HELPS.iter().find(|help| help.verb == name);
    let mut pages = vec![page(&command, &PROGRAM_HELP)?];
    for subcommand in command.get_subcommands() {
        if let Some(help) = verb(subcommand.get_name()) {
            pages.push(page(subcommand, help)?);
        }
    }
    Ok(pages)
}

/// One page: what `--help` says, in the order of manual pages.
fn page(command: &Command, help: &Help) -> io::Result<(String, Vec<u8>)> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let source = format!("rootcast {VERSION}");
    let man = Man::new(command.clone()).title(name.to_uppercase()).source(source).manual("rootcast");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    section("SYNOPSIS", help.usage.lines().map(str::trim), &mut page)?;
    man.render_description_section(&mut page)?;
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    page.extend(with_tables(&String::from_utf8_lossy(&options)).into_bytes());
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    section("EXAMPLES", help.examples.iter().copied(), &mut page)?;
    if let Some(text) = command.get_after_long_help().map(ToString::to_string) {
        let (title, lines) = text.split_once(":\n").unwrap_or(("NOTES", &text));
        section(&title.to_uppercase(), lines.lines().map(str::trim), &mut page)?;
    }
    Ok((format!("{name}.1"), page))
}

/// Columns of a term in a table, and of what separates it from its text.
const TERM_WIDTH: usize = 16;

/// The same text with tables in place of rows that blanks align, which would be filled like other
/// text.
///
/// A row is two blanks, a term, two blanks or more and a text, which lines with more blanks before
/// them continue.
fn with_tables(text: &str) -> String {
    let mut out = String::new();
    let mut in_table = false;
    for line in text.lines() {
        let row =
            line.strip_prefix("  ").filter(|row| !row.starts_with(' ')).and_then(|row| row.split_once("  "));
        match row {
            Some((term, text)) => {
                out += if in_table { "" } else { ".RS\n" };
                in_table = true;
                out += &format!(".TP {TERM_WIDTH}\n\\&{term}\n\\&{}\n", text.trim_start());
            }
            None if in_table && line.starts_with("   ") => out += &format!("\\&{}\n", line.trim_start()),
            None => {
                out += if in_table { ".RE\n" } else { "" };
                in_table = false;
                out += &format!("{line}\n");
            }
        }
    }
    out
}

/// A section of lines that stay as they are.
fn section<'l>(title: &str, lines: impl Iterator<Item = &'l str>, page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", [title]).control("nf", []);
    for line in lines {
        let words = line.split_once(' ').filter(|(first, _)| *first == "rootcast");
        match words {
            Some((first, rest)) => roff.text([bold(first), roman(format!(" {rest}"))]),
            None => roff.text([roman(line)]),
        };
    }
    roff.control("fi", []);
    roff.to_writer(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_rows_become_tables() {
        let text = "Who:\n\n  root        owns\n              all\n  .a  keeps\nrest\n  lone = [1]\n";
        let expected = "Who:\n\n.RS\n.TP 16\n\\&root\n\\&owns\n\\&all\n.TP 16\n\\&.a\n\\&keeps\n.RE\nrest\n  lone = [1]\n";
        assert_eq!(with_tables(text), expected);
    }

    #[test]
    fn manual_pages_have_no_aligned_rows_outside_tables() {
        let pages = man_pages().expect("memory");
        let image = pages.iter().find(|(name, _)| name == "rootcast-image.1").expect("a page of image");
        let image = String::from_utf8_lossy(&image.1);
        assert!(image.contains("\\&UID:GID\n\\&that user and group own all\n"), "{image}");
        for (_, page) in &pages {
            let text = String::from_utf8_lossy(page);
            let options = text.split(".SH EXAMPLES").next().unwrap_or_default();
            let row = options.lines().find(|line| line.starts_with("  ") && line.trim_start().contains("  "));
            assert_eq!(row, None);
        }
    }
}
