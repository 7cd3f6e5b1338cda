//! `rootcast resolve` and `rootcast fetch`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::architecture::Architecture;
use crate::cli::flags::archives::ArchiveArguments;
use crate::cli::flags::general::General;
use crate::cli::flags::output::usage;
use crate::cli::help::{Help, group};
use crate::recipe::archive::ArchiveRecipe;
use crate::source::package::deb::spec::Spec;
use crate::threads::Threads;

/// The release to select packages of.
#[derive(Debug, Args)]
struct Release {
    /// Release: debian:SUITE, ubuntu:SUITE or deb:SUITE
    ///
    /// A suite with a slash at the end, as in deb:./, is a directory of a flat repository.
    #[arg(value_name = "RELEASE", required = true, help_heading = group::INPUT)]
    source: OsString,

    /// Architecture of the packages
    ///
    /// The default is that of this machine.
    #[arg(long, value_name = "ARCH", help_heading = group::INPUT)]
    arch: Option<Architecture>,

    #[command(flatten)]
    archives: ArchiveArguments,
}

/// Print the packages that a request selects
///
/// Their versions and the reasons are printed too. The answer is that of apt. Nothing but the
/// metadata of the archives is fetched.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResolveVerb {
    #[command(flatten)]
    release: Release,

    /// Print a JSON object
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,

    #[command(flatten)]
    general: General,
}

/// Fetch the packages that a request selects
///
/// Builds without a network can use them: the directory gets the signed metadata of the archives
/// too, and is itself an archive, for --mirror file:DIR.
#[derive(Debug, Args)]
pub(in crate::cli) struct FetchVerb {
    #[command(flatten)]
    release: Release,

    /// Directory to write, made if missing
    #[arg(long, value_name = "DIR", help_heading = group::OUTPUT)]
    to: PathBuf,

    #[command(flatten)]
    general: General,
}

pub(in crate::cli) const RESOLVE_HELP: Help = Help {
    verb: "resolve",
    usage: "rootcast resolve <RELEASE> [OPTIONS]",
    examples: &[
        "rootcast resolve debian:trixie --include systemd,init,chrony",
        "rootcast resolve ubuntu:resolute --arch arm64 --variant minbase --json",
        "rootcast resolve deb:stable --mirror https://host/debian --keyring key.gpg",
    ],
    common: &["source", "arch", "include", "mirror", "keyring", "cache", "json"],
};

pub(in crate::cli) const FETCH_HELP: Help = Help {
    verb: "fetch",
    usage: "rootcast fetch <RELEASE> --to <DIR> [OPTIONS]",
    examples: &[
        "rootcast fetch debian:trixie --include systemd,init --to packages/",
        "rootcast fetch ubuntu:resolute --arch arm64 --to packages/",
        "rootcast resolve debian:trixie --mirror file:$PWD/packages --offline",
    ],
    common: &["source", "arch", "include", "mirror", "keyring", "cache", "to"],
};

impl Release {
    fn recipe(self, general: &General) -> Result<ArchiveRecipe, clap::Error> {
        let spec = Spec::parse(&self.source).map_err(usage)?;
        let spec = spec.ok_or_else(|| {
            let source = self.source.to_string_lossy();
            usage(format!("\"{}\" is not debian:SUITE, ubuntu:SUITE or deb:SUITE", source.escape_debug()))
        })?;
        Ok(ArchiveRecipe {
            spec,
            options: self.archives.options(),
            architecture: self.arch,
            cache: general.cache(),
            threads: Arc::new(Threads::new(general.threads())),
            verbose: general.verbose,
        })
    }
}

impl ResolveVerb {
    pub(in crate::cli) fn recipe(self) -> Result<(ArchiveRecipe, bool), clap::Error> {
        Ok((self.release.recipe(&self.general)?, self.json))
    }
}

impl FetchVerb {
    pub(in crate::cli) fn recipe(self) -> Result<(ArchiveRecipe, PathBuf), clap::Error> {
        Ok((self.release.recipe(&self.general)?, self.to))
    }
}
