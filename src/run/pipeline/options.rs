//! The options of all steps of the pipeline.

use std::path::{Path, PathBuf};

use super::holes::Holes;
use crate::blob::SpoolMemory;
use crate::filesystem::Properties;
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::progress::{Progress, Silent};
use crate::recipe::TreeRecipe;
use crate::run::reduction::Lookups;
use crate::transform::init::Init;
use crate::transform::own_files::OwnFiles;
use crate::transform::startable;

/// The options of all steps.
pub(in crate::run) struct Options<'r> {
    /// The sources, and the changes that every verb takes.
    pub(in crate::run) recipe: &'r TreeRecipe,
    /// The files that the run writes, and therefore leaves out of directories.
    pub(in crate::run) own: OwnFiles,
    /// The name of the output in messages.
    pub(in crate::run) output: &'r Path,
    /// The properties of the filesystem of an image; `None` for other verbs.
    pub(in crate::run) filesystem: Option<&'r Properties>,
    /// The directory for unpacked layers; `None` for that of temporary files.
    pub(in crate::run) spool: Option<PathBuf>,
    /// The memory for what archives unpack to, before files are used.
    pub(in crate::run) memory: SpoolMemory,
    /// The directory for temporary files; `None` for that of the environment.
    pub(in crate::run) temporary: Option<&'r Path>,
    /// The representation of holes in the output.
    pub(in crate::run) holes: Holes,
    /// The choice of `/init`; `None` for an initramfs that needs none.
    pub(in crate::run) init: Option<&'r Init>,
    /// True if systemd starts Kata's agent.
    pub(in crate::run) with_agent: bool,
    /// The check that `/init` starts; `None` without one.
    pub(in crate::run) startable: Option<startable::Options>,
    /// False if the tree's files are only named, so that xattrs are not read.
    pub(in crate::run) xattrs: bool,
    /// True if nothing is written, not even to the cache.
    pub(in crate::run) dry_run: bool,
    /// True if the trees after each source are kept in the result.
    pub(in crate::run) states: bool,
    /// The questions about the tree before it is reduced.
    pub(in crate::run) lookups: Lookups<'r>,
    /// Receives the number of bytes in the sources' files as they are found.
    pub(in crate::run) progress: &'r dyn Progress,
    /// Checked regularly; a signal ends the pipeline.
    pub(in crate::run) interrupt: &'r Interrupt,
    /// The log of all reports.
    pub(in crate::run) log: &'r Log,
}

impl<'r> Options<'r> {
    /// Returns the options for a tree whose verb has none of its own.
    pub(in crate::run) fn new(recipe: &'r TreeRecipe, interrupt: &'r Interrupt, log: &'r Log) -> Self {
        Self {
            recipe,
            own: OwnFiles::default(),
            output: Path::new("standard output"),
            filesystem: None,
            spool: recipe.spool.clone(),
            memory: SpoolMemory::default(),
            temporary: None,
            holes: Holes::Zeros("an initramfs stores holes as zeros"),
            init: None,
            with_agent: false,
            startable: None,
            xattrs: true,
            dry_run: false,
            states: false,
            lookups: Lookups::default(),
            progress: &Silent,
            interrupt,
            log,
        }
    }
}
