//! The help of each verb: one screen with `-h`, everything with `--help` and in the manual page.
//!
//! The groups of flags, and the template of a page from the usage and examples of a verb. The text
//! of each flag is at the flag.

use clap::{Arg, ArgAction, Command};

/// The headings of groups of flags. Help lists groups in the order in which their first flags are
/// declared.
pub(super) mod group {
    /// Flags of the sources.
    pub(in crate::cli) const INPUT: &str = "Input";
    /// Flags of packages of distributions.
    pub(in crate::cli) const PACKAGES: &str = "Packages of distributions";
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
    /// Flags of a guest of Kata.
    pub(in crate::cli) const KATA: &str = "Kata guest";
    /// Flags of dm-verity.
    pub(in crate::cli) const VERITY: &str = "Hash tree (dm-verity)";
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
pub(super) const SHORT_EXAMPLES: usize = 3;

const TEMPLATE: &str = "\
{about-with-newline}
{usage-heading} {usage}

{before-help}{all-args}{after-help}";

/// The identifier of the flag that prints help.
const HELP_FLAG: &str = "help";

impl Help {
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
                // The pages of the manual have no long help but this one for a flag that the short
                // help hides.
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
