//! Reading only those directories of the host that the search visits.
//!
//! A closure needs a small part of most trees, and a host has more than a tree should hold. So the
//! search starts with a tree in which only the usual directories are listed. If it visits a
//! directory that is not, that one is listed too and the search is repeated, until everything that
//! it visited was listed: the result is then the same as with the whole tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use image_tree::{InodeId, Kind, Tree};

use super::{Finding, Found};
use crate::blob::Blob;
use crate::closure::notice::noticing;
use crate::closure::{Known, Start};
use crate::error::Result;
use crate::recipe::TreeRecipe;
use crate::recipe::keep::Keep;
use crate::source::ReadOptions;
use crate::source::directory::{self, HostInode, Scanned};
use crate::transform::unreadable;

/// The maximum number of searches before everything is read. A path of unusual directories takes as
/// many as it has components.
const MAX_ROUNDS: usize = 8;

/// A directory of the host, listed as far as the search needs, and the closure found in it.
pub(in crate::run) struct Reached {
    pub(in crate::run) scanned: Scanned,
    pub(in crate::run) found: Found,
}

/// Reads only the directories that the search visits. Returns `None` if everything must be read: if
/// the source is not a single directory, if edits or ownership apply to the whole tree, or if a
/// path leads through many directories.
///
/// # Errors
/// Returns an error if the directory cannot be read, or the search fails.
pub(in crate::run) fn read(recipe: &TreeRecipe, options: &ReadOptions<'_>) -> Result<Option<Reached>> {
    let (Some(keep), [source]) = (&recipe.keep, &recipe.sources[..]) else { return Ok(None) };
    let is_plain = recipe.edits.is_empty()
        && recipe.ownership.is_none()
        && recipe.basedir.is_none()
        && recipe.unreadable == unreadable::Policy::Fail;
    let path = Path::new(source);
    if !is_plain || source == "-" || !path.is_dir() {
        return Ok(None);
    }
    let (mut wanted, mut parsed) = (above(keep), Parsed::default());
    for _ in 0..MAX_ROUNDS {
        options.interrupt.check()?;
        let is_wanted = |path: &[u8]| is_usual(path, keep) || wanted.contains(path);
        let scanned = directory::read_where(path, options, &is_wanted)?;
        let known = parsed.known_in(&scanned);
        let Look { found, known, missed } = look(&scanned, keep, recipe, known);
        if !missed.is_empty() {
            // An error may be caused by directories that are not listed.
            wanted.extend(missed);
            parsed = Parsed(Some((scanned, known)));
        } else if let Some(found) = found? {
            return Ok(Some(Reached { scanned, found }));
        }
    }
    Ok(None)
}

/// The result of one search.
struct Look {
    /// `None` if the search did not finish.
    found: Result<Option<Found>>,
    known: Known,
    /// The paths of the directories that must be listed too.
    missed: Vec<Vec<u8>>,
}

/// Searches a partly listed tree, up to the point where an unlisted directory is known to be
/// needed.
fn look(scanned: &Scanned, keep: &Keep, recipe: &TreeRecipe, known: Known) -> Look {
    let Scanned { tree, unlisted, .. } = scanned;
    let inodes = || unlisted.iter().map(|(inode, _)| *inode);
    let missed = |is_missed: &dyn Fn(InodeId, &[u8]) -> bool| -> Vec<Vec<u8>> {
        unlisted.iter().filter(|(id, path)| is_missed(*id, path)).map(|(_, path)| path.clone()).collect()
    };
    let (begun, looked_into) = noticing(inodes(), || Finding::begin(tree, keep, recipe, known));
    let is_whole = looked_into.is_empty();
    let begun_missed = missed(&|id, _| looked_into.contains(&id));
    let finding = match begun {
        Ok(finding) if is_whole => finding,
        Ok(finding) => {
            return Look { found: Ok(None), known: finding.search.known(), missed: begun_missed };
        }
        Err(error) => return Look { found: Err(error), known: Known::default(), missed: begun_missed },
    };
    let (found, looked_into) = noticing(inodes(), || finding.finish());
    match found {
        Ok((found, known)) => {
            // A directory that is kept without being visited lacks its xattrs.
            let is_kept = |path: &[u8]| found.closure.kept.contains_key(&[b"/", path].concat());
            let missed = missed(&|id, path| looked_into.contains(&id) || is_kept(path));
            Look { found: Ok(Some(found)), known, missed }
        }
        Err(error) => {
            let missed = missed(&|id, _| looked_into.contains(&id));
            Look { found: Err(error), known: Known::default(), missed }
        }
    }
}

/// The parsed files of an earlier scan.
#[derive(Default)]
struct Parsed(Option<(Scanned, Known)>);

impl Parsed {
    /// Transfers the parsed files to another scan, except for those that changed.
    fn known_in(&mut self, scanned: &Scanned) -> Known {
        let Some((before, known)) = self.0.take() else { return Known::default() };
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
    for start in &keep.starts {
        let Start::Path(path) = start else { continue };
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
