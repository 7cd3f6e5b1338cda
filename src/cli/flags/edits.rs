//! The flags that change single files, which take effect in their order.

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::cli::help::group;
use crate::transform::edit::Edit;
use crate::transform::edit::parse::EDIT_FLAGS;

/// Every edit of the command line, in its order across all their flags.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Edits(pub(in crate::cli) Vec<Edit>);

impl Args for Edits {
    fn augment_args(command: Command) -> Command {
        command.args(EDIT_FLAGS.iter().map(|form| {
            Arg::new(form.name)
                .long(form.name)
                .value_name(form.syntax)
                .help(form.help.split([',', ';', ':']).next())
                .long_help(form.help)
                .help_heading(group::EDITS)
                .action(ArgAction::Append)
                .value_parser(OsStringValueParser::new().try_map(|text| form.parse(&text)))
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Edits {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut edits = Vec::new();
        for form in EDIT_FLAGS {
            let values = matches.get_many::<Edit>(form.name).into_iter().flatten().cloned();
            edits.extend(matches.indices_of(form.name).into_iter().flatten().zip(values));
        }
        edits.sort_by_key(|(index, _)| *index);
        Ok(Self(edits.into_iter().map(|(_, edit)| edit).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
