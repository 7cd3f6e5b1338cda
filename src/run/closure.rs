//! `rootcast closure`, and the reduction of a tree for the other verbs.

mod partial_scan;

pub(super) use partial_scan::{PartialScan, read as partial_scan};

use std::collections::BTreeMap;
use std::time::Duration;

use image_tree::{Shown, Tree};
use serde::Serialize;

use super::output;
use super::pipeline::{self, Prepared, Verb};
use super::print::{print, print_json};
use super::stopwatch::Stopwatch;
use crate::blob::Blob;
use crate::closure::{self, Closure, Kind, Reason, explain};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{Log, Report as _};
use crate::recipe::keep::{ClosureRecipe, MissingPolicy};
use crate::recipe::{Output, TreeRecipe};
use crate::shown::JsonName;
use crate::transform::ld_cache;

/// Prints the kept part of a tree, or the reasons for it.
///
/// # Errors
/// Returns an error if the tree cannot be read, something is missing, or a path to explain is not
/// kept.
pub fn closure(recipe: &ClosureRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = Log::new(recipe.tree.level());
    let mut stopwatch = Stopwatch::start();
    let own = output::own_files(&Output::Stream, None);
    let options = pipeline::Options { own, ..pipeline::Options::new(&recipe.tree, interrupt, &log) };
    let Prepared { tree, part, .. } = pipeline::run(Verb::Closure, &options)?;
    let part = part.ok_or_else(|| Error::new(ErrorKind::Usage, "nothing is asked for to be kept"))?;
    let read = stopwatch.lap().saturating_sub(part.took);
    if recipe.json {
        return print_json(&Report::of(&part, read, &log));
    }
    let mut text = Vec::new();
    if recipe.why.is_empty() {
        for path in part.closure.kept.keys() {
            if recipe.null {
                text.extend_from_slice(path);
                text.push(0);
            } else {
                text.extend_from_slice(format!("{}\n", Shown(path)).as_bytes());
            }
        }
    }
    for path in &recipe.why {
        write_chains(&tree, &part, path, &mut text)?;
    }
    print(&text)
}

/// Writes each chain from a path to the request.
fn write_chains(tree: &Tree<Blob>, part: &Part, path: &[u8], text: &mut Vec<u8>) -> Result<()> {
    let path = explain::kept_name(tree, &part.closure, path)?;
    for chain in explain::chains(&part.closure, &path) {
        text.extend_from_slice(format!("{}\n", Shown(&path)).as_bytes());
        for reason in &chain {
            text.extend_from_slice(format!("  {}\n", part.told(reason)).as_bytes());
        }
    }
    Ok(())
}

/// The kept part of a tree.
pub(super) struct Part {
    closure: Closure,
    /// The needs that are not those of a program or library, by name: each completes a sentence.
    notes: BTreeMap<Vec<u8>, String>,
    /// The time taken by the search and the reduction.
    took: Duration,
}

impl Part {
    /// Returns the origin of a need that is not that of a program or library.
    fn note(&self, reason: &Reason) -> Option<&str> {
        let is_asked = reason.by.is_some() || reason.kind == Kind::Asked;
        self.notes.get(&reason.name).filter(|_| !is_asked).map(String::as_str)
    }

    fn told(&self, reason: &Reason) -> String {
        match self.note(reason) {
            Some(note) => format!("{} {}, which {note}", reason.kind, Shown(&reason.name)),
            None => reason.to_string(),
        }
    }
}

/// Reduces a tree to the part that the recipe keeps, with a new cache for the loader if it needs
/// one, and returns the closure with it. The kept part may have been found before.
///
/// # Errors
/// Returns an error if something is missing, or a file that determines needs cannot be read.
pub(super) fn reduce(
    tree: Tree<Blob>,
    recipe: &TreeRecipe,
    found: Option<Found>,
    log: &Log,
) -> Result<(Tree<Blob>, Option<Part>)> {
    let Some(keep) = &recipe.keep else {
        let mut tree = tree;
        if recipe.ld_cache {
            let options =
                ld_cache::Options { threads: recipe.threads.count(), time: recipe.time_of_changes() };
            ld_cache::apply(&mut tree, &options)?.log(log);
        }
        return Ok((tree, None));
    };
    let found = match found {
        Some(found) => found,
        None => {
            let mut stopwatch = Stopwatch::start();
            let found = closure::Found::new(&tree, &keep.keep, recipe.threads.count(), recipe.ld_cache)?;
            Found { found, took: stopwatch.lap() }
        }
    };
    let needs_cache = found.found.needs_ld_cache;
    let mut part = found.log(&tree, log);
    let mut stopwatch = Stopwatch::start();
    let closure = &mut part.closure;
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
    part.took += stopwatch.lap();
    Ok((tree, Some(part)))
}

/// The kept part of a tree, and the time taken by the search.
pub(super) struct Found {
    found: closure::Found,
    took: Duration,
}

impl Found {
    /// Logs the warnings about the search, and the files that are kept by implication.
    fn log(self, tree: &Tree<Blob>, log: &Log) -> Part {
        let Self { found, took } = self;
        found.unknown.iter().for_each(|unknown| log.warn(unknown));
        found.implications(tree).iter().for_each(|message| log.detail(message));
        let notes = found.notes();
        Part { closure: found.closure, notes, took }
    }
}

/// The machine-readable report; its schema is `src/report/closure.schema.json`.
#[derive(Serialize)]
struct Report {
    kept: Vec<Kept>,
    missing: Vec<String>,
    timings: Timings,
    warnings: Vec<String>,
}

/// The duration of each step, in seconds.
#[derive(Serialize)]
struct Timings {
    /// Reading and editing names and metadata, including the searches that select what is read.
    read_seconds: f64,
    /// Finding the kept part, and removing the rest.
    close_seconds: f64,
}

#[derive(Serialize)]
struct Kept {
    path: JsonName,
    reasons: Vec<ReasonReport>,
}

#[derive(Serialize)]
struct ReasonReport {
    kind: &'static str,
    by: Option<JsonName>,
    name: JsonName,
    note: Option<String>,
}

impl Report {
    fn of(part: &Part, read: Duration, log: &Log) -> Self {
        let Part { closure, .. } = part;
        let kept = closure.kept.iter().map(|(path, reasons)| Kept {
            path: JsonName(path.clone()),
            reasons: reasons
                .iter()
                .map(|reason| ReasonReport {
                    kind: kind(reason.kind),
                    by: reason.by.clone().map(JsonName),
                    name: JsonName(reason.name.clone()),
                    note: part.note(reason).map(str::to_owned),
                })
                .collect(),
        });
        Self {
            kept: kept.collect(),
            missing: closure.missing.iter().map(ToString::to_string).collect(),
            timings: Timings { read_seconds: read.as_secs_f64(), close_seconds: part.took.as_secs_f64() },
            warnings: log.warnings(),
        }
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Asked => "asked",
        Kind::Interpreter => "interpreter",
        Kind::Needed => "needed",
        Kind::Filter => "filter",
        Kind::Auxiliary => "auxiliary",
        Kind::Hwcaps => "hwcaps",
        Kind::Script => "script",
        Kind::Dlopen => "dlopen",
        Kind::Configured => "configured",
        Kind::Symlink => "symlink",
        Kind::Parent => "parent",
    }
}
