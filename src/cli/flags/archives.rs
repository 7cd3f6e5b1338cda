//! Flags that select packages of archives.

use std::path::PathBuf;

use clap::Args;

use super::values;
use crate::architecture::Architecture;
use crate::cli::help::group;
use crate::source::package::deb::architecture;
use crate::source::package::deb::options::PackageOptions;
use crate::source::package::deb::resolve::{Request, Variant};

/// The selection of packages of archives.
#[derive(Debug, Args)]
pub(in crate::cli) struct ArchiveArguments {
    /// Packages to select, with what they need
    ///
    /// Each is NAME, NAME=VERSION, NAME/SUITE or ./FILE.deb. A name may have :ARCH after it. A file takes part in the selection with its own version.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = group::PACKAGES)]
    include: Vec<String>,

    /// Set of packages to select besides, as mmdebstrap has them
    #[arg(
        long, value_name = "WHICH", value_parser = values::choice_with_help(variant_help), default_value = "required",
        help_heading = group::PACKAGES
    )]
    variant: Variant,

    /// Select recommended packages as well, where that is possible
    #[arg(long, help_heading = group::PACKAGES)]
    recommends: bool,

    /// Packages that must not be selected; of alternatives, others are
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = group::PACKAGES)]
    exclude_package: Vec<String>,

    /// Root of an archive, by http, https or file
    ///
    /// Of several, each that has a suite serves it, the first one first. Without this flag, the
    /// sources of apt on this host are used, as far as the keys of the distribution sign them. For
    /// deb:SUITE they must have the suite.
    #[arg(long, value_name = "URL", help_heading = group::PACKAGES)]
    mirror: Vec<String>,

    /// File of the keys that sign the archive
    ///
    /// The default is those of the distribution on this host.
    #[arg(long, value_name = "FILE", help_heading = group::PACKAGES)]
    keyring: Vec<PathBuf>,

    /// File or directory of apt's sources (.list, .sources) in place of those of this host
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "mirror", help_heading = group::PACKAGES)]
    apt_sources: Vec<PathBuf>,

    /// Pockets besides the release: updates, security, backports and so on, or release for none
    ///
    /// The default is updates and security, as far as the archives have them. One that is named must
    /// exist.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = group::PACKAGES)]
    pocket: Vec<String>,

    /// Components of the archive [default: main]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', help_heading = group::PACKAGES)]
    components: Vec<String>,

    /// Further architectures whose packages may be selected, as NAME:ARCH or by dependencies
    #[arg(long, value_name = "ARCH,…", value_delimiter = ',', help_heading = group::PACKAGES)]
    foreign_arch: Vec<Architecture>,

    /// File of apt's preferences; those of this host are not used
    #[arg(long, value_name = "FILE", help_heading = group::PACKAGES)]
    preferences: Vec<PathBuf>,

    /// State of the archive at this time, such as 20251101T000000Z
    ///
    /// Metadata has to be valid at that time. The snapshots are where the archive's Release file says,
    /// or at a --mirror with @SNAPSHOTID@ in its URL.
    #[arg(long, value_name = "TIME", help_heading = group::PACKAGES)]
    snapshot: Option<String>,

    /// Fetch nothing over a network: use the cache and files of this host
    #[arg(long, help_heading = group::PACKAGES)]
    offline: bool,
}

fn variant_help(variant: Variant) -> &'static str {
    match variant {
        Variant::Essential => "The essential packages",
        Variant::Apt => "The essential packages, and apt",
        Variant::Required => "The essential packages, and those of priority required",
        Variant::Minbase => "Those of required, and apt",
        Variant::Important => "Those of required, and those of priority important",
        Variant::Standard => "Those of important, and those of priority standard",
        Variant::Custom => "None",
    }
}

impl ArchiveArguments {
    pub(in crate::cli) fn options(self) -> PackageOptions {
        let foreign = self.foreign_arch.into_iter().map(|one| architecture::name(one).to_owned());
        PackageOptions {
            mirrors: self.mirror,
            keyrings: self.keyring,
            apt_sources: self.apt_sources,
            pockets: Some(self.pocket).filter(|pockets| !pockets.is_empty()),
            components: self.components,
            preferences: self.preferences,
            foreign_architectures: foreign.collect(),
            snapshot: self.snapshot,
            offline: self.offline,
            request: Request {
                variant: self.variant,
                include: self.include,
                exclude: self.exclude_package,
                recommends: self.recommends,
            },
        }
    }
}
