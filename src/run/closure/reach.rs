//! Reading as much of a directory of the host as the search for what is kept looks at.
//!
//! What a closure needs is a small part of most trees, and a host has more than a tree should hold. So the search begins
//! in a tree with but the usual directories listed. Where a path leads into one that is not, it is listed too, and the
//! search begins again, until all that it looked into was there: then it found what it would have found in the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use image_tree::{InodeId, Kind, Tree};

use super::{Finding, Found};
use crate::blob::Blob;
use crate::closure::{Known, Start};
use crate::error::Result;
use crate::recipe::TreeRecipe;
use crate::recipe::keep::Keep;
use crate::resolve::noticing;
use crate::source::ReadOptions;
use crate::source::directory::{self, HostInode, Scanned};
use crate::transform::unreadable;

/// How often the search begins again before everything is read. A path of unusual directories takes as many as it has
/// components.
const MAX_ROUNDS: usize = 8;

/// A directory of the host as far as it was looked into, and what is kept of it.
pub(in crate::run) struct Reached {
    pub(in crate::run) scanned: Scanned,
    pub(in crate::run) found: Found,
}

/// Reads what is looked at; none where everything has to be read: of other sources than one directory, where edits and
/// owners are for the whole tree, and where a path leads through many directories.
///
/// # Errors
/// When the directory cannot be read, or the search fails.
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
            // If there is an error, it may come of what was not there to be seen.
            wanted.extend(missed);
            parsed = Parsed(Some((scanned, known)));
        } else if let Some(found) = found? {
            return Ok(Some(Reached { scanned, found }));
        }
    }
    Ok(None)
}

/// What came of one search.
struct Look {
    /// None when it did not go to its end.
    found: Result<Option<Found>>,
    known: Known,
    /// The paths of the directories that should have been listed.
    missed: Vec<Vec<u8>>,
}

/// Searches a tree of which a part is listed, until it is clear that the part is too small.
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
            // What is kept without a look into it lacks its xattrs.
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

/// What is known of the files of an earlier scan.
#[derive(Default)]
struct Parsed(Option<(Scanned, Known)>);

impl Parsed {
    /// The same for those files of another scan that are as they were.
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

/// The directories above the paths that were asked for.
fn above(keep: &Keep) -> BTreeSet<Vec<u8>> {
    let mut directories = BTreeSet::new();
    for start in &keep.starts {
        let Start::Path(path) = start else { continue };
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        directories.extend((1..names.len()).map(|count| names[..count].join(&b'/')));
    }
    directories
}

/// Whether most searches look into a directory, so that they need not begin again for it.
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
