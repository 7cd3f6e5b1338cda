//! The reduction of a tree to the part that a recipe keeps.

mod partial_scan;

pub(super) use partial_scan::{PartialScan, read as partial_scan};

use std::time::Duration;

use image_tree::{Metadata, Shown, Tree};

use super::stopwatch::Stopwatch;
use crate::blob::Blob;
use crate::closure::accounts::NamedAccounts;
use crate::closure::packages::Owners;
use crate::closure::{self, Closure, Kind, Missing, Notes, Reason};
use crate::error::Result;
use crate::log::{Log, Report};
use crate::recipe::TreeRecipe;
use crate::recipe::keep::{KeepRecipe, MissingPolicy};
use crate::transform::ld_cache;

/// The kept part of a tree.
pub(super) struct Reduction {
    pub(super) closure: Closure,
    /// The origins of dependencies that are not those of a program or library.
    notes: Notes,
    /// The packages that own the kept files, if they were to be looked up.
    owners: Owners,
    /// The accounts that kept units, rules and the like name.
    pub(super) accounts: NamedAccounts,
    /// The metadata of `/etc/ld.so.cache` if it is to be written for the kept part.
    pub(super) ld_cache: Option<Metadata>,
    /// True if systemd is kept with all that it needs.
    pub(super) has_systemd: bool,
    /// The time taken by the search and the reduction.
    pub(super) took: Duration,
}

impl Reduction {
    /// Returns the origin of a dependency that is not that of a program or library.
    pub(super) fn note(&self, reason: &Reason) -> Option<&str> {
        let note = self.notes.get(&(reason.by.clone(), reason.name.clone()));
        note.filter(|_| reason.kind != Kind::Requested).map(String::as_str)
    }

    /// Returns the packages that own a kept file, if the tree has a database of packages.
    pub(super) fn owners(&self, path: &[u8]) -> &[String] {
        self.owners.get(path).map_or(&[], Vec::as_slice)
    }

    /// Returns a reason as a clause.
    pub(super) fn describe(&self, reason: &Reason) -> String {
        match self.note(reason) {
            Some(note) => format!("{} {}, which {note}", reason.kind, Shown(&reason.name)),
            None => reason.to_string(),
        }
    }
}

/// Finds the part of a tree that the recipe keeps, or completes the one that was found before.
/// Returns `None` if everything is kept.
///
/// # Errors
/// Returns an error if a request does not match anything, or a file that determines needs cannot be
/// read.
pub(super) fn find(
    tree: &Tree<Blob>,
    recipe: &TreeRecipe,
    found: Option<Found>,
) -> Result<Option<(Reduction, Messages)>> {
    let Some(KeepRecipe { keep, .. }) = &recipe.keep else { return Ok(None) };
    let Found { found, took } = match found {
        Some(found) => found,
        None => {
            let mut stopwatch = Stopwatch::start();
            let found = closure::Found::new(tree, keep, recipe.threads.pool_of_several()?, recipe.ld_cache)?;
            Found { found, took: stopwatch.lap() }
        }
    };
    let (notes, implications) = (found.notes(), found.implications(tree));
    let closure::Found { closure, accounts, needs_ld_cache, has_systemd, unknown, owners, .. } = found;
    let ld_cache = needs_ld_cache.then(|| ld_cache::metadata(tree, recipe.time_of_changes()));
    let messages = Messages { unknown, implications, warnings: closure.warnings.clone() };
    Ok(Some((Reduction { closure, notes, owners, accounts, ld_cache, has_systemd, took }, messages)))
}

/// The kept part of a tree, and the time taken by the search.
pub(super) struct Found {
    found: closure::Found,
    took: Duration,
}

/// The messages about a search.
pub(super) struct Messages {
    /// Warnings about dependencies that cannot be determined.
    unknown: Vec<String>,
    /// The files that are kept by implication.
    implications: Vec<String>,
    /// Other warnings.
    warnings: Vec<String>,
}

impl Report for Messages {
    fn log(&self, log: &Log) {
        self.unknown.iter().for_each(|unknown| log.warn(unknown));
        self.implications.iter().for_each(|message| log.detail(message));
        self.warnings.iter().for_each(|warning| log.warn(warning));
    }
}

/// The needed files that are missing, as the recipe permits.
pub(super) struct MissingFiles(Vec<Missing>);

impl MissingFiles {
    /// Returns the missing files of a closure.
    ///
    /// # Errors
    /// Returns an error if there are any and the recipe does not permit it.
    pub(super) fn of(closure: &Closure, recipe: &TreeRecipe) -> Result<Self> {
        let policy = recipe.keep.as_ref().map(|keep| keep.missing);
        if policy != Some(MissingPolicy::Warn) {
            closure.refuse_missing()?;
        }
        Ok(Self(closure.missing.clone()))
    }
}

impl Report for MissingFiles {
    fn log(&self, log: &Log) {
        self.0.iter().for_each(|one| log.warn(format_args!("missing: {one}")));
    }
}

/// Returns the requests of `--keep PATH`.
#[cfg(test)]
pub(super) fn keep_path(path: &str) -> KeepRecipe {
    let keep = closure::Keep::paths(vec![closure::Request::Path(path.as_bytes().to_vec())]);
    KeepRecipe { keep, missing: MissingPolicy::Error, accounts: crate::transform::accounts::Accounts::All }
}
