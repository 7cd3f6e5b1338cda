//! Flags of what is kept with systemd.

use std::os::unix::ffi::OsStrExt as _;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::cli::flags::values;
use crate::cli::help::group;
use crate::closure::config::systemd::{DefaultTarget, Generators};

/// The part that is kept with systemd.
#[derive(Debug, Args)]
pub(super) struct SystemdArguments {
    /// Keep what systemd needs to start if it or a unit is kept [default: yes]
    ///
    /// It is systemd itself, units that it starts by itself, generators, configuration and accounts.
    #[arg(
        long, value_name = "yes|no", value_parser = values::one_of([("yes", "", true), ("no", "", false)]),
        requires = "Requested", help_heading = group::KEEP, hide_possible_values = true
    )]
    pub(super) systemd: Option<bool>,

    /// Keep these generators with systemd [default: all]
    #[arg(
        long, value_name = "all|none|NAME,…", value_parser = generators(), requires = "Requested",
        help_heading = group::KEEP
    )]
    pub(super) systemd_generators: Option<Generators>,

    /// Keep this unit, and let systemd start it at boot
    ///
    /// The default is the tree's own default.target. With none, the kernel's command line names a
    /// unit.
    #[arg(
        long, value_name = "UNIT|none", value_parser = default_target(), requires = "Requested",
        help_heading = group::KEEP
    )]
    pub(super) default_target: Option<DefaultTarget>,
}

fn generators() -> impl TypedValueParser<Value = Generators> {
    OsStringValueParser::new().try_map(|text| match text.as_bytes() {
        b"all" => Ok(Generators::All),
        b"none" => Ok(Generators::None),
        names => {
            let names: Vec<Vec<u8>> = names.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect();
            match names.iter().any(|name| name.is_empty() || name.contains(&b'/')) {
                true => Err("the names of files in system-generators are needed, with commas between them"),
                false => Ok(Generators::Only(names)),
            }
        }
    })
}

fn default_target() -> impl TypedValueParser<Value = DefaultTarget> {
    OsStringValueParser::new().map(|text| match text.as_bytes() {
        b"none" => DefaultTarget::None,
        unit => DefaultTarget::Unit(unit.to_vec()),
    })
}
