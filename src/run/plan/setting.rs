//! The circumstances of a plan, which affect no byte of the product.

use std::path::Path;

use super::preallocate::preallocate;
use crate::log::Log;
use crate::output::{Destination, Preallocation};
use crate::progress::Progress;
use crate::recipe::TreeRecipe;
use crate::run::pipeline;
use crate::transform::own_files::OwnFiles;
use crate::watch::Watch;

/// The output of a plan, as far as it is known before the tree is read.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::run) struct Setting<'s> {
    /// The files that the run writes, and therefore leaves out of directories.
    pub(in crate::run) own: OwnFiles,
    /// The path of the output; `None` if it has none, or if it is not known.
    pub(in crate::run) path: Option<&'s Path>,
    /// True if nothing is written, not even to the cache.
    pub(in crate::run) dry_run: bool,
    /// The opened output, part of which may be allocated while the tree is read.
    pub(in crate::run) destination: Option<&'s Destination>,
    /// The directory for unpacked layers; `None` for that of temporary files.
    pub(in crate::run) spool: Option<&'s Path>,
    /// The directory for temporary files; `None` for that of the environment.
    pub(in crate::run) temporary: Option<&'s Path>,
}

/// The circumstances in which the tree of a product is read.
#[derive(Clone, Copy)]
pub(super) struct Context<'c> {
    pub(super) tree: &'c TreeRecipe,
    pub(super) setting: &'c Setting<'c>,
    pub(super) watch: &'c Watch,
    pub(super) log: &'c Log,
}

impl<'c> Context<'c> {
    /// Allocates blocks of the output while the tree is read, from byte `start` on, if that saves
    /// time; `None` for a product that does not have the bytes of files in it as they are.
    pub(super) fn preallocate(&self, start: Option<u64>) -> Option<Preallocation> {
        preallocate(self.setting.destination, self.tree, start?)
    }

    /// Returns the options of the pipeline that every product has.
    pub(super) fn options(&self, found: &'c Found<'c>) -> pipeline::Options<'c> {
        let Self { tree, setting, watch, log } = *self;
        pipeline::Options {
            own: setting.own,
            output: setting.path.unwrap_or(Path::new("standard output")),
            spool: setting.spool.map(Path::to_owned),
            temporary: setting.temporary,
            dry_run: setting.dry_run,
            progress: found,
            ..pipeline::Options::new(tree, &watch.cancel, log)
        }
    }

    /// Returns the receivers of the numbers of bytes that are found.
    pub(super) fn found<'f>(&self, preallocation: Option<&'f Preallocation>) -> Found<'f>
    where
        'c: 'f,
    {
        Found { progress: &*self.watch.progress, preallocation }
    }
}

/// The receivers of the numbers of bytes in the sources' files as they are found.
pub(super) struct Found<'f> {
    progress: &'f dyn Progress,
    preallocation: Option<&'f Preallocation>,
}

impl Progress for Found<'_> {
    fn add(&self, bytes: u64) {
        self.progress.add(bytes);
        if let Some(preallocation) = self.preallocation {
            preallocation.add(bytes);
        }
    }
}
