//! The help of each verb: one screen with `-h`, everything with `--help` and in the manual page.
//!
//! The groups of flags, and the template of a page from the usage and examples of a verb. The text
//! of each flag is at the flag.

use clap::{Arg, ArgAction, Command};

use super::{check, closure, generate, image, initrd, tree};

/// The headings of groups of flags. Help lists groups in the order in which their first flags are declared.
pub(super) mod group {
    /// Flags of the sources.
    pub(in crate::cli) const INPUT: &str = "Input";
    /// Flags of the metadata of all files.
    pub(in crate::cli) const METADATA: &str = "Links, labels and times";
    /// Flags that change single files.
    pub(in crate::cli) const EDITS: &str = "Edits, done in the order given (\\: is a colon within a field)";
    /// Flags that reduce the tree to the dependencies of programs.
    pub(in crate::cli) const KEEP: &str = "Keeping a part of the tree";
    /// Flags of the output.
    pub(in crate::cli) const OUTPUT: &str = "Output";
    /// Flags of the filesystem.
    pub(in crate::cli) const FILESYSTEM: &str = "Filesystem";
    /// Flags of an initramfs that depend on the kernel and guest it is for.
    pub(in crate::cli) const GUEST: &str = "Kernel and guest";
    /// Flags that do not affect the output.
    pub(in crate::cli) const GENERAL: &str = "General";
}

/// The help of one verb besides its flags.
pub(super) struct Help {
    /// The name of the verb.
    pub(super) verb: &'static str,
    /// The usage, without its title; further lines are indented as far as the title.
    pub(super) usage: &'static str,
    /// Command lines with what they do, the most common first; each is at most 78 columns wide.
    pub(super) examples: &'static [&'static str],
    /// The identifiers of the arguments that `-h` lists.
    pub(super) common: &'static [&'static str],
}

/// The number of examples that `-h` shows.
const SHORT_EXAMPLES: usize = 3;

const TEMPLATE: &str = "\
{about-with-newline}
{usage-heading} {usage}

{before-help}{all-args}{after-help}";

/// The identifier of the flag that prints help.
const HELP_FLAG: &str = "help";

impl Help {
    /// The help of every verb.
    pub(super) const ALL: [Self; 7] = [
        image::HELP,
        initrd::HELP,
        check::HELP,
        tree::HELP,
        closure::HELP,
        generate::COMPLETIONS_HELP,
        generate::MAN_HELP,
    ];

    /// The help of the program without a verb.
    pub(super) const PROGRAM: Self = Self {
        verb: "",
        usage: "rootcast <VERB> [OPTIONS]
       rootcast --version [--json]",
        examples: &[
            "rootcast image rootfs/ -o disk.img               a disk of the least size",
            "rootcast initrd rootfs/ -o initrd.img            a compressed initramfs",
            "rootcast image rootfs/ --keep /usr/bin/curl -o disk.img",
            "rootcast closure rootfs/ --keep /usr/bin/curl    what curl needs",
            "rootcast tree image.tar                          a listing of an archive",
        ],
        common: &["version", "json"],
    };

    /// Gives a verb its help.
    pub(super) fn of(&self, verb: Command) -> Command {
        let short = self.examples.get(..SHORT_EXAMPLES).unwrap_or(self.examples);
        let flag = Arg::new(HELP_FLAG)
            .short('h')
            .long("help")
            .action(ArgAction::Help)
            .help("Print a summary, or with --help everything")
            .help_heading(group::GENERAL);
        let is_common = |id: &str| id == HELP_FLAG || self.common.contains(&id);
        verb.disable_help_flag(true)
            .arg(flag)
            .help_template(TEMPLATE)
            .override_usage(self.usage)
            .before_help(titled(short))
            .before_long_help(titled(self.examples))
            .mut_args(|arg| {
                let is_hidden = !is_common(arg.get_id().as_str());
                // The pages of the manual have no long help but this one for a flag that the short help hides.
                let help = arg.get_long_help().or(arg.get_help()).cloned().unwrap_or_default();
                // Positional arguments come first in their group, which clap gives no order.
                let order = if arg.is_positional() { 0 } else { arg.get_display_order() + 1 };
                arg.long_help(help).hide_short_help(is_hidden).display_order(order)
            })
    }
}

/// Examples with their title.
fn titled(examples: &[&str]) -> String {
    examples.iter().fold("Examples:".to_owned(), |text, example| text + "\n  " + example)
}

#[cfg(test)]
mod tests {
    use super::super::command;
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
        for help in Help::ALL.iter().chain([&Help::PROGRAM]) {
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
        let verbs = Help::ALL.iter().map(|help| program.find_subcommand(help.verb).expect(help.verb));
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
        for help in &Help::ALL {
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
        for help in Help::ALL.iter().chain([&Help::PROGRAM]) {
            for example in help.examples {
                assert!(example.len() <= 78, "{example}");
                assert!(example.contains("rootcast "), "{example}");
                // What follows several blanks says what the command line does, and a pipe or file is the shell's.
                let line = example.split("  ").next().unwrap_or_default();
                let line = line.split(['|', '>']).find(|part| part.contains("rootcast")).unwrap_or_default();
                let words = line.split_whitespace().map(|word| word.trim_matches('\'').into());
                let parsed = super::super::parse(words.collect::<Vec<std::ffi::OsString>>());
                assert!(parsed.is_ok(), "{example}: {}", parsed.expect_err("an error"));
            }
        }
    }
}
