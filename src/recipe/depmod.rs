//! The indices of kernel modules to make.

use std::path::PathBuf;
use std::sync::Arc;

use crate::log::Level;
use crate::threads::Threads;

/// The indices of the modules in a directory.
#[derive(Clone, Debug)]
pub struct DepmodRecipe {
    /// The directory with the modules: `lib/modules/VERSION`.
    pub modules: PathBuf,
    /// The directory for the indices.
    pub output: PathBuf,
    /// The threads that read modules.
    pub threads: Arc<Threads>,
    /// True if only errors and warnings are printed.
    pub quiet: bool,
    /// True if steps are printed too.
    pub verbose: bool,
}

impl DepmodRecipe {
    /// The verbosity of messages on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        match (self.quiet, self.verbose) {
            (true, _) => Level::Quiet,
            (false, true) => Level::Verbose,
            (false, false) => Level::Normal,
        }
    }
}
