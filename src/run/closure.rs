//! `rootcast closure`, and the reduction of a tree for the other verbs.

mod cache;
mod reach;
mod starts;

pub(super) use reach::{Reached, read as reach};

use std::collections::BTreeMap;
use std::time::Duration;

use image_tree::{Content, Shown, Tree};
use serde::Serialize;

use super::output;
use super::pipeline::{self, Prepared, Verb};
use super::print::{print, print_json};
use super::stopwatch::Stopwatch;
use crate::blob::Blob;
use crate::closure::notice::trace_in_root;
use crate::closure::{self, Closure, Kind, Known, Options, Reason, Search, Start, why};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::recipe::keep::{ClosureRecipe, Keep, MissingPolicy};
use crate::recipe::{Output, TreeRecipe};
use crate::shown::JsonName;
use image_tree::resolve::ResolveError;

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
        explain(&tree, &part, path, &mut text)?;
    }
    print(&text)
}

/// Writes each chain from a path to the request.
fn explain(tree: &Tree<Blob>, part: &Part, path: &[u8], text: &mut Vec<u8>) -> Result<()> {
    let path = kept_name(tree, &part.closure, path).ok_or_else(|| {
        let path = Shown(path);
        Error::new(ErrorKind::BadInput, format!("{path} is not kept: nothing that was asked for needs it"))
    })?;
    for chain in why::chains(&part.closure, &path) {
        text.extend_from_slice(format!("{}\n", Shown(&path)).as_bytes());
        for reason in &chain {
            text.extend_from_slice(format!("  {}\n", part.told(reason)).as_bytes());
        }
    }
    Ok(())
}

/// Returns the name under which a path is kept: its own, since a link may have other reasons than
/// its target, or else that of its target.
fn kept_name<C>(tree: &Tree<C>, closure: &Closure, path: &[u8]) -> Option<Vec<u8>> {
    let slash = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (directory, name) = path.split_at(slash);
    let directory = if directory.is_empty() { b"/" } else { directory };
    let real = |path: &[u8]| -> Result<Vec<u8>, ResolveError> { Ok(trace_in_root(tree, path, &mut 0)?.path) };
    let itself = real(directory).ok().map(|directory| match &directory[..] {
        b"/" => [b"/", name].concat(),
        directory => [directory, b"/", name].concat(),
    });
    let is_kept = |path: &Vec<u8>| closure.kept.contains_key(path);
    itself.filter(is_kept).or_else(|| real(path).ok().filter(is_kept))
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
        let tree = if recipe.ld_cache { cache::of_whole(tree, recipe, log)? } else { tree };
        return Ok((tree, None));
    };
    let found = match found {
        Some(found) => found,
        None => find(&tree, keep, recipe)?,
    };
    let needs_cache = found.needs_cache;
    let mut part = found.told(&tree, log);
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
    let metadata = cache::metadata(&tree, recipe.time_of_changes());
    let before = tree.inode_count();
    let mut tree = closure::keep(tree, closure);
    log.detail(format_args!("{} of {before} inodes are kept", tree.inode_count()));
    if needs_cache {
        match cache::write(&mut tree, &closure.library_directories, metadata)? {
            Some(written) => {
                log.detail(format_args!(
                    "/etc/ld.so.cache was written anew for {} libraries",
                    written.entries
                ));
                cache::add_to(closure, &written.path);
            }
            None if recipe.ld_cache => return Err(cache::not_written("what is kept")),
            // Without libraries the cache would be empty.
            None => {}
        }
    }
    part.took += stopwatch.lap();
    Ok((tree, Some(part)))
}

/// The kept part of a tree, and the messages about the search.
pub(super) struct Found {
    closure: Closure,
    asked: Vec<Start>,
    implied: starts::Implied,
    /// Sentences about needs that cannot be determined.
    unknown: Vec<String>,
    /// True if the loader's cache is to be written.
    needs_cache: bool,
    /// The time taken by the search.
    took: Duration,
}

/// Finds the needed files, including those that the configuration of kept files requires.
fn find(tree: &Tree<Blob>, keep: &Keep, recipe: &TreeRecipe) -> Result<Found> {
    Ok(Finding::begin(tree, keep, recipe, Known::default())?.finish()?.0)
}

/// The requested files and their needs, before the implied ones are known.
struct Finding<'t> {
    tree: &'t Tree<Blob>,
    keep: &'t Keep,
    options: Options,
    search: Search<'t, Blob>,
    found: Found,
}

impl<'t> Finding<'t> {
    fn begin(tree: &'t Tree<Blob>, keep: &'t Keep, recipe: &TreeRecipe, known: Known) -> Result<Self> {
        let mut stopwatch = Stopwatch::start();
        let (hwcaps, dlopen) = (keep.hwcaps.clone(), keep.dlopen.clone());
        let options = Options { hwcaps, dlopen, threads: recipe.threads.count() };
        let (asked, unknown) = starts::asked(tree, keep)?;
        let mut search = Search::knowing(tree, known);
        let closure = search.close(&asked, &options)?;
        let (implied, needs_cache) = (starts::Implied::default(), recipe.ld_cache);
        let found = Found { closure, asked, implied, unknown, needs_cache, took: stopwatch.lap() };
        Ok(Self { tree, keep, options, search, found })
    }

    /// Finishes the search; also returns the files parsed by then.
    fn finish(self) -> Result<(Found, Known)> {
        /// The maximum number of rounds. Each adds needs that become known only with a loader or
        /// library directory found in the previous one. In common systems the second round does not
        /// add anything.
        const MAX_ROUNDS: usize = 8;
        let mut stopwatch = Stopwatch::start();
        let Self { tree, keep, options, mut search, mut found } = self;
        let mut rounds = 0;
        loop {
            found.needs_cache |= cache::is_needed(tree, &found.closure)?;
            let implied = starts::implied(tree, keep, &found.closure, found.needs_cache)?;
            let is_known = implied.needs == found.implied.needs;
            found.implied = implied;
            if is_known {
                break;
            }
            rounds += 1;
            if rounds > MAX_ROUNDS {
                let why = format!(
                    "what comes along with what is kept brings in more even after {MAX_ROUNDS} rounds: the tree has \
                     loader after loader; keep fewer programs, or fewer of --gconv, --pam and --openssl"
                );
                return Err(Error::new(ErrorKind::BadInput, why));
            }
            let more = found.implied.needs.iter().cloned().map(Start::Need);
            let starts: Vec<Start> = found.asked.iter().cloned().chain(more).collect();
            found.closure = search.close(&starts, &options)?;
        }
        found.unknown.append(&mut found.implied.unknown);
        found.took += stopwatch.lap();
        Ok((found, search.known()))
    }
}

impl Found {
    /// Reports implied needs and those that cannot be determined.
    fn told(self, tree: &Tree<Blob>, log: &Log) -> Part {
        let Self { closure, asked, implied, unknown, took, .. } = self;
        unknown.iter().for_each(|unknown| log.warn(unknown));
        starts::tell(tree, &closure, &implied.needs, log);
        let needs = asked.iter().filter_map(|start| match start {
            Start::Need(need) => Some(need),
            Start::Path(_) | Start::Glob { .. } => None,
        });
        let notes = starts::notes(needs.chain(&implied.needs));
        Part { closure, notes, took }
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

/// Returns the bytes of a configuration file, or `None` if there is no such regular file.
fn read<C: Content>(tree: &Tree<C>, path: &[u8]) -> Result<Option<Vec<u8>>> {
    closure::read_configuration(tree, path)
}
