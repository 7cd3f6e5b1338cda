//! Flags of the files of packages.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use clap::builder::OsStringValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::values;
use crate::cli::help::group;
use crate::recipe::packages::{PackageRecipe, Sbom, SbomFormat};
use crate::source::package::deb::files::{PackageDatabase, PathFilter, PathRule};

/// The options for the files of packages.
#[derive(Debug, Args)]
pub(in crate::cli) struct PackageFileArguments {
    #[command(flatten)]
    rules: PathRules,

    /// Database of packages in the tree
    #[arg(
        long, value_name = "WHAT", value_parser = values::choice_with_help(database_help), default_value = "full",
        help_heading = group::PACKAGES
    )]
    package_db: PackageDatabase,

    /// Write a list of the packages, for scanners, to a file
    ///
    /// The form is SPDX 2.3 or CycloneDX 1.5, as JSON. All packages of the sources are listed, also
    /// those of which a part is kept.
    #[arg(long, value_name = "spdx|cyclonedx:FILE", value_parser = sbom, help_heading = group::PACKAGES)]
    sbom: Vec<Sbom>,
}

fn sbom(text: &str) -> Result<Sbom, String> {
    let (format, path) = text
        .split_once(':')
        .filter(|(_, path)| !path.is_empty())
        .ok_or_else(|| format!("{text} has no file: give one as in spdx:packages.json"))?;
    Ok(Sbom { format: format.parse::<SbomFormat>().map_err(|error| error.to_string())?, path: path.into() })
}

fn database_help(database: PackageDatabase) -> &'static str {
    match database {
        PackageDatabase::Full => "All of /var/lib/dpkg, so that dpkg and apt work in the guest",
        PackageDatabase::StatusD => "A file for each package in /var/lib/dpkg/status.d, for scanners",
        PackageDatabase::None => "None",
    }
}

impl PackageFileArguments {
    pub(in crate::cli) fn recipe(self) -> PackageRecipe {
        let mut recipe = PackageRecipe::default();
        (recipe.filter, recipe.database) = (PathFilter::new(self.rules.0), self.package_db);
        recipe.sbom = self.sbom;
        recipe
    }
}

/// The flags, with the value of [`PathRule::includes`], and their help.
const FLAGS: [(&str, bool, &str); 2] = [
    (
        "path-exclude",
        false,
        "Leave out paths of packages that match this pattern, as dpkg does: * matches slashes as well, and of \
         several patterns that match, the last one counts",
    ),
    ("path-include", true, "Include paths of packages that a --path-exclude before excludes"),
];

/// Every pattern of the command line, in its order across both flags.
#[derive(Clone, Debug, Default)]
struct PathRules(Vec<PathRule>);

impl Args for PathRules {
    fn augment_args(command: Command) -> Command {
        command.args(FLAGS.iter().map(|(name, _, help)| {
            Arg::new(*name)
                .long(*name)
                .value_name("GLOB")
                .help(*help)
                .help_heading(group::PACKAGES)
                .action(ArgAction::Append)
                .value_parser(OsStringValueParser::new())
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PathRules {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut rules = Vec::new();
        for (name, includes, _) in FLAGS {
            let values = matches.get_many::<OsString>(name).into_iter().flatten();
            let rule = |value: &OsString| PathRule { includes, pattern: value.clone().into_vec() };
            rules.extend(matches.indices_of(name).into_iter().flatten().zip(values.map(rule)));
        }
        rules.sort_by_key(|(index, _)| *index);
        Ok(Self(rules.into_iter().map(|(_, rule)| rule).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
