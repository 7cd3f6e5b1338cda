//! Reading only those directories of the host that the search visits.
//!
//! A closure needs a small part of most trees, and a host has more than a tree should hold. So the
//! search starts with a tree in which only the usual directories are listed. If it visits a
//! directory that is not, that one is listed too and the search is repeated, until everything that
//! it visited was listed: the result is then the same as with the whole tree.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use image_tree::{Directories, Inode, InodeId, Kind, Name, Tree};

use super::Found;
use crate::blob::Blob;
use crate::closure::{self, ElfCache, Finding, Keep, Request};
use crate::error::Result;
use crate::recipe::TreeRecipe;
use crate::recipe::keep::KeepRecipe;
use crate::run::stopwatch::Stopwatch;
use crate::source::ReadOptions;
use crate::source::directory::{self, HostInode, Scanned};
use crate::transform::unreadable;

/// The maximum number of searches before everything is read. A path of unusual directories takes as
/// many as it has components.
const MAX_ROUNDS: usize = 8;

/// A directory of the host, listed as far as the search needs, and the closure found in it.
pub(in crate::run) struct PartialScan {
    pub(in crate::run) scanned: Scanned,
    pub(in crate::run) found: Found,
}

/// Reads only the directories that the search visits. Returns `None` if everything must be read: if
/// the source is not a single directory, if edits or ownership apply to the whole tree, or if a
/// path leads through many directories.
///
/// # Errors
/// Returns an error if the directory cannot be read, or the search fails.
pub(in crate::run) fn read(recipe: &TreeRecipe, options: &ReadOptions<'_>) -> Result<Option<PartialScan>> {
    let (Some(KeepRecipe { keep, .. }), [source]) = (&recipe.keep, &recipe.sources[..]) else {
        return Ok(None);
    };
    let is_plain = recipe.edits.is_empty()
        && recipe.ownership.is_none()
        && recipe.basedir.is_none()
        && recipe.unreadable == unreadable::Policy::Fail;
    let path = Path::new(source);
    if !is_plain || source == "-" || !path.is_dir() {
        return Ok(None);
    }
    let (mut wanted, mut earlier, mut took) = (above(keep), Earlier::default(), Duration::ZERO);
    for _ in 0..MAX_ROUNDS {
        options.interrupt.check()?;
        let is_wanted = |path: &[u8]| is_usual(path, keep) || wanted.contains(path);
        let scanned = directory::read_where(path, options, &is_wanted)?;
        let known = earlier.parsed_in(&scanned);
        let mut stopwatch = Stopwatch::start();
        let Outcome { found, parsed, missed } = search(&scanned, keep, recipe, known);
        took += stopwatch.lap();
        if !missed.is_empty() {
            // An error may be caused by directories that are not listed.
            wanted.extend(missed);
            earlier = Earlier(Some((scanned, parsed)));
        } else if let Some(found) = found? {
            return Ok(Some(PartialScan { scanned, found: Found { found, took } }));
        }
    }
    Ok(None)
}

/// A partly listed tree, which records the unlisted directories whose entries are requested.
struct Recording<'s> {
    tree: &'s Tree<Blob>,
    /// By inode index: true for an unlisted directory.
    is_unlisted: Vec<bool>,
    visited: RefCell<BTreeSet<InodeId>>,
}

impl<'s> Recording<'s> {
    fn new(scanned: &'s Scanned) -> Self {
        let mut is_unlisted = vec![false; scanned.tree.inode_count()];
        scanned.unlisted.iter().for_each(|(id, _)| is_unlisted[id.index()] = true);
        Self { tree: &scanned.tree, is_unlisted, visited: RefCell::default() }
    }
}

impl Directories for Recording<'_> {
    type Content = Blob;

    fn get(&self, id: InodeId) -> &Inode<Blob> {
        self.tree.get(id)
    }

    fn entries(&self, id: InodeId) -> Option<&BTreeMap<Name, InodeId>> {
        if self.is_unlisted[id.index()] {
            self.visited.borrow_mut().insert(id);
        }
        self.tree.entries(id)
    }
}

/// The result of one search.
struct Outcome {
    /// `None` if the search did not finish.
    found: closure::Result<Option<closure::Found>>,
    parsed: ElfCache,
    /// The paths of the directories that must be listed too.
    missed: Vec<Vec<u8>>,
}

/// Searches a partly listed tree, up to the point where an unlisted directory is known to be
/// needed.
fn search(scanned: &Scanned, keep: &Keep, recipe: &TreeRecipe, parsed: ElfCache) -> Outcome {
    let tree = Recording::new(scanned);
    let is_visited = |id: &InodeId| tree.visited.borrow().contains(id);
    let missed = |is_missed: &dyn Fn(&InodeId, &[u8]) -> bool| -> Vec<Vec<u8>> {
        let missed = scanned.unlisted.iter().filter(|(id, path)| is_missed(id, path));
        missed.map(|(_, path)| path.clone()).collect()
    };
    let begun = Finding::begin(&tree, keep, recipe.threads.count(), recipe.ld_cache, parsed);
    let finished = match begun {
        Ok(finding) if tree.visited.borrow().is_empty() => finding.finish(),
        Ok(finding) => {
            let parsed = finding.into_cache();
            return Outcome { found: Ok(None), parsed, missed: missed(&|id, _| is_visited(id)) };
        }
        Err(error) => Err(error),
    };
    match finished {
        Ok((found, parsed)) => {
            // A directory that is kept without being visited lacks its xattrs.
            let is_kept = |path: &[u8]| found.closure.kept.contains_key(&[b"/", path].concat());
            let missed = missed(&|id, path| is_visited(id) || is_kept(path));
            Outcome { found: Ok(Some(found)), parsed, missed }
        }
        Err(error) => {
            let missed = missed(&|id, _| is_visited(id));
            Outcome { found: Err(error), parsed: ElfCache::default(), missed }
        }
    }
}

/// The parsed files of an earlier scan.
#[derive(Default)]
struct Earlier(Option<(Scanned, ElfCache)>);

impl Earlier {
    /// Transfers the parsed files to another scan, except for those that changed.
    fn parsed_in(&mut self, scanned: &Scanned) -> ElfCache {
        let Some((before, known)) = self.0.take() else { return ElfCache::default() };
        let steps = scanned.tree.walk().filter(|step| step.first);
        let now: BTreeMap<HostInode, InodeId> =
            steps.filter_map(|step| Some((*scanned.hosts.get(step.id.index())?, step.id))).collect();
        let identity = |tree: &Tree<Blob>, id| match &tree.get(id).kind {
            Kind::Regular(Blob::Host(file)) => Some(file.identity()),
            _ => None,
        };
        known.in_another_tree(|id| {
            let same = *now.get(before.hosts.get(id.index())?)?;
            (identity(&before.tree, id)? == identity(&scanned.tree, same)?).then_some(same)
        })
    }
}

/// Returns the parents of the requested paths.
fn above(keep: &Keep) -> BTreeSet<Vec<u8>> {
    let mut directories = BTreeSet::new();
    for request in &keep.requests {
        let Request::Path(path) = request else { continue };
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        directories.extend((1..names.len()).map(|count| names[..count].join(&b'/')));
    }
    directories
}

/// Returns true for a directory that most searches visit, so that it is listed from the start.
fn is_usual(path: &[u8], keep: &Keep) -> bool {
    let inside =
        [&b"usr/local/"[..], b"usr/"].iter().find_map(|above| path.strip_prefix(*above)).unwrap_or(path);
    let names: Vec<&[u8]> = inside.split(|byte| *byte == b'/').collect();
    let is_multiarch = |name: &[u8]| name.windows(7).any(|part| part == b"-linux-");
    match names[..] {
        [b"usr" | b"local" | b"bin" | b"sbin" | b"etc" | b"lib" | b"lib32" | b"lib64" | b"libx32"]
        | [b"etc", b"ld.so.conf.d"] => true,
        [b"lib" | b"etc", b"systemd", ..] => !keep.units.is_empty(),
        [b"lib", multiarch] | [b"lib", multiarch, b"systemd"] => is_multiarch(multiarch),
        _ => false,
    }
}
