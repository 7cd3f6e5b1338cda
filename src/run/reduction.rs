//! The reduction of a tree to the part that a recipe keeps.

mod partial_scan;
mod whole_tree;

pub(super) use partial_scan::{PartialScan, read as partial_scan};
pub(super) use whole_tree::{Lookups, WholeTree};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use image_tree::{Metadata, Shown, Tree};

use super::stopwatch::Stopwatch;
use crate::blob::Blob;
use crate::closure::accounts::NamedAccounts;
use crate::closure::packages::Owners;
use crate::closure::{self, Closure, Keep, Kind, Missing, Notes, Reason};
use crate::error::Result;
use crate::log::{Log, Report};
use crate::recipe::TreeRecipe;
use crate::source::directory::Unreadable;
use crate::transform::{kernel_modules, ld_cache, unreadable};

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
    /// The directory of the version of which modules were requested.
    pub(super) modules: Option<Vec<u8>>,
    /// True if systemd is kept with all that it needs.
    pub(super) has_systemd: bool,
    /// The answers about the whole tree.
    pub(super) whole_tree: WholeTree,
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

    /// Gives files other paths, also in the reasons for others.
    pub(super) fn rename(&mut self, paths: &BTreeMap<Vec<u8>, Vec<u8>>) {
        if paths.is_empty() {
            return;
        }
        let renamed = |path: Vec<u8>| paths.get(&path).cloned().unwrap_or(path);
        // The name may have links in its path.
        let named = |name: Vec<u8>| match paths.get(&name) {
            Some(new) => new.clone(),
            None => kernel_modules::without_ending(&name).map(<[u8]>::to_vec).unwrap_or(name),
        };
        let reason =
            |Reason { kind, by, name }: Reason| Reason { kind, by: by.map(renamed), name: named(name) };
        let kept = std::mem::take(&mut self.closure.kept).into_iter();
        self.closure.kept =
            kept.map(|(path, reasons)| (renamed(path), reasons.into_iter().map(reason).collect())).collect();
        let notes = std::mem::take(&mut self.notes).into_iter();
        self.notes = notes.map(|((by, name), note)| ((by.map(renamed), named(name)), note)).collect();
    }

    /// Returns a reason as a clause.
    pub(super) fn describe(&self, reason: &Reason) -> String {
        match self.note(reason) {
            Some(note) => format!("{} {}, which {note}", reason.kind, Shown(&reason.name)),
            None => reason.to_string(),
        }
    }
}

/// Finds the part of a tree that `keep` requests, or completes the one that was found before. An
/// optional file that is unreadable is left out, unless the recipe has a policy for such files.
/// Returns `None` if everything is kept.
///
/// # Errors
/// Returns an error if a request does not match anything, or a file that determines needs cannot be
/// read.
pub(super) fn find(
    tree: &Tree<Blob>,
    unreadable_files: &[Unreadable],
    recipe: &TreeRecipe,
    keep: Option<&Keep>,
    found: Option<Found>,
    lookups: Lookups<'_>,
) -> Result<Option<(Reduction, Messages)>> {
    let Some(keep) = keep else { return Ok(None) };
    let Found { found, whole_tree, took } = match found {
        Some(found) => found,
        None => {
            let mut stopwatch = Stopwatch::start();
            let found = closure::Found::new(tree, keep, recipe.threads.pool_of_several()?, recipe.ld_cache)?;
            Found { found, whole_tree: WholeTree::of(tree, lookups), took: stopwatch.lap() }
        }
    };
    let (notes, implications, optional) = (found.notes(), found.implications(tree), found.optional_files());
    let closure::Found { mut closure, accounts, needs_ld_cache, has_systemd, unknown, owners, .. } = found;
    if recipe.unreadable == unreadable::Policy::Fail {
        let paths = unreadable_files.iter().filter_map(|found| unreadable::path_in(tree, found));
        let warnings: Vec<String> =
            paths.filter_map(|path| optional.leave_out(&mut closure, &path)).collect();
        closure.warnings.extend(warnings);
    }
    let ld_cache = needs_ld_cache.then(|| ld_cache::metadata(tree, recipe.time_of_changes()));
    let modules = closure::kernel_modules::directory(tree, &keep.modules).map_err(closure::Error::from)?;
    let messages = Messages { unknown, implications, warnings: closure.warnings.clone() };
    Ok(Some((
        Reduction { closure, notes, owners, accounts, ld_cache, modules, has_systemd, whole_tree, took },
        messages,
    )))
}

/// The kept part of a tree, and the time taken by the search.
pub(super) struct Found {
    found: closure::Found,
    whole_tree: WholeTree,
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
        let refuses =
            |missing: &&Missing| recipe.keep.as_ref().is_none_or(|keep| keep.missing.refuses(missing));
        let refused: Vec<Missing> = closure.missing.iter().filter(refuses).cloned().collect();
        if !refused.is_empty() {
            return Err(closure::Error::Missing(refused).into());
        }
        Ok(Self(closure.missing.clone()))
    }
}

impl Report for MissingFiles {
    fn log(&self, log: &Log) {
        let (harmless, others): (Vec<&Missing>, Vec<&Missing>) =
            self.0.iter().partition(|one| one.is_harmless);
        others.iter().for_each(|one| log.warn(format_args!("missing: {one}")));
        harmless.iter().for_each(|one| log.detail(format_args!("missing: {one}")));
        if !harmless.is_empty() {
            log.warn(summary(&harmless));
        }
    }
}

/// Returns the requests of `--keep PATH`.
#[cfg(test)]
pub(super) fn keep_path(path: &str) -> crate::recipe::keep::KeepRecipe {
    let keep = closure::Keep::paths(vec![closure::Request::Path(path.as_bytes().to_vec())]);
    crate::recipe::keep::KeepRecipe {
        keep,
        missing: crate::recipe::keep::MissingRules::default(),
        accounts: crate::transform::accounts::Accounts::All,
    }
}

/// Returns a sentence about missing files that only parts of kept directories or packages need.
fn summary(harmless: &[&Missing]) -> String {
    const SHOWN: usize = 3;
    let names: BTreeSet<&[u8]> = harmless.iter().map(|one| one.name.as_slice()).collect();
    let needing: BTreeSet<&[u8]> =
        harmless.iter().filter_map(|one| one.chain.first()).map(Vec::as_slice).collect();
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| name.escape_ascii().to_string()).collect();
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    let count = |count: usize| if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
    format!(
        "missing, but needed by nothing that is named: {} ({}{more}), for {} of kept directories and packages; -v \
         lists them",
        count(names.len()),
        shown.join(", "),
        count(needing.len())
    )
}
