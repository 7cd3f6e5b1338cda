//! The packages of a release to select.

use std::sync::Arc;

use super::CacheRecipe;
use crate::architecture::Architecture;
use crate::log::Level;
use crate::source::package::deb::options::PackageOptions;
use crate::source::package::deb::spec::Spec;
use crate::threads::Threads;

/// The packages of a release to select.
#[derive(Clone, Debug)]
pub struct ArchiveRecipe {
    /// The release.
    pub spec: Spec,
    /// The archives, and the requested packages.
    pub options: PackageOptions,
    /// The architecture; `None` for that of this machine.
    pub architecture: Option<Architecture>,
    /// The directory of downloads and parsed indices for later runs.
    pub cache: Option<CacheRecipe>,
    /// The threads that read indices.
    pub threads: Arc<Threads>,
    /// True if steps are printed too.
    pub verbose: bool,
}

impl ArchiveRecipe {
    /// The verbosity of messages on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.verbose { Level::Verbose } else { Level::Normal }
    }
}
