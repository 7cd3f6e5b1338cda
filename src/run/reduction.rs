//! The reduction of a tree to the part that a recipe keeps.

mod partial_scan;

pub(super) use partial_scan::{PartialScan, read as partial_scan};

use std::collections::BTreeMap;
use std::time::Duration;

use image_tree::{Shown, Tree};

use super::stopwatch::Stopwatch;
use crate::blob::Blob;
use crate::closure::{self, Closure, Kind, Reason};
use crate::error::Result;
use crate::log::{Log, Report as _};
use crate::recipe::TreeRecipe;
use crate::recipe::keep::MissingPolicy;
use crate::transform::ld_cache;

/// The kept part of a tree.
pub(super) struct Reduction {
    pub(super) closure: Closure,
    /// The dependencies that are not those of a program or library, by name: each completes a sentence.
    notes: BTreeMap<Vec<u8>, String>,
    /// The time taken by the search and the reduction.
    pub(super) took: Duration,
}

impl Reduction {
    /// Returns the origin of a dependency that is not that of a program or library.
    pub(super) fn note(&self, reason: &Reason) -> Option<&str> {
        let is_requested = reason.by.is_some() || reason.kind == Kind::Requested;
        self.notes.get(&reason.name).filter(|_| !is_requested).map(String::as_str)
    }

    /// Returns a reason as a clause.
    pub(super) fn describe(&self, reason: &Reason) -> String {
        match self.note(reason) {
            Some(note) => format!("{} {}, which {note}", reason.kind, Shown(&reason.name)),
            None => reason.to_string(),
        }
    }
}

/// Reduces a tree to the part that the recipe keeps, with a new cache for the dynamic linker if it needs
/// one, and returns the closure with it. The kept part may have been found before.
///
/// # Errors
/// Returns an error if something is missing, or a file that determines needs cannot be read.
pub(super) fn reduce(
    tree: Tree<Blob>,
    recipe: &TreeRecipe,
    found: Option<Found>,
    log: &Log,
) -> Result<(Tree<Blob>, Option<Reduction>)> {
    let Some(keep) = &recipe.keep else {
        let mut tree = tree;
        if recipe.ld_cache {
            let options = ld_cache::Options { threads: &recipe.threads, time: recipe.time_of_changes() };
            ld_cache::apply(&mut tree, &options)?.log(log);
        }
        return Ok((tree, None));
    };
    let found = match found {
        Some(found) => found,
        None => {
            let mut stopwatch = Stopwatch::start();
            let found =
                closure::Found::new(&tree, &keep.keep, recipe.threads.pool_of_several()?, recipe.ld_cache)?;
            Found { found, took: stopwatch.lap() }
        }
    };
    let needs_cache = found.found.needs_ld_cache;
    let mut reduction = found.log(&tree, log);
    let mut stopwatch = Stopwatch::start();
    let closure = &mut reduction.closure;
    for warning in &closure.warnings {
        log.warn(warning);
    }
    match keep.missing {
        MissingPolicy::Error => closure.refuse_missing()?,
        MissingPolicy::Warn => {
            closure.missing.iter().for_each(|one| log.warn(format_args!("missing: {one}")))
        }
    }
    let metadata = ld_cache::metadata(&tree, recipe.time_of_changes());
    let before = tree.inode_count();
    let mut tree = closure::keep(tree, closure);
    log.detail(format_args!("{} of {before} inodes are kept", tree.inode_count()));
    if needs_cache {
        match ld_cache::write(&mut tree, &closure.library_directories, metadata)? {
            Some(written) => {
                log.detail(format_args!(
                    "/etc/ld.so.cache was written anew for {} libraries",
                    written.entries
                ));
                ld_cache::add_to(closure, &written.path);
            }
            None if recipe.ld_cache => return Err(ld_cache::not_written("what is kept")),
            // Without libraries the cache would be empty.
            None => {}
        }
    }
    reduction.took += stopwatch.lap();
    Ok((tree, Some(reduction)))
}

/// The kept part of a tree, and the time taken by the search.
pub(super) struct Found {
    found: closure::Found,
    took: Duration,
}

impl Found {
    /// Logs the warnings about the search, and the files that are kept by implication.
    fn log(self, tree: &Tree<Blob>, log: &Log) -> Reduction {
        let Self { found, took } = self;
        found.unknown.iter().for_each(|unknown| log.warn(unknown));
        found.implications(tree).iter().for_each(|message| log.detail(message));
        let notes = found.notes();
        Reduction { closure: found.closure, notes, took }
    }
}
