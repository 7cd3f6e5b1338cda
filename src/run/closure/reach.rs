//! Reading as much of a directory of the host as the search for what is kept looks at.
//!
//! What a closure needs is a small part of most trees, and a host has more than a tree should hold. So the search begins
//! in a tree with but the usual directories listed. Where a path leads into one that is not, it is listed too, and the
//! search begins again, until all that it looked into was there: then it found what it would have found in the whole.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Finding, Found};
use crate::closure::Start;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::recipe::TreeRecipe;
use crate::recipe::keep::Keep;
use crate::resolve::noticing;
use crate::source::Layer;
use crate::source::directory::{self, Scanned};
use crate::transform::unreadable;

/// How often the search begins again before everything is read. A path of unusual directories takes as many as it has
/// components.
const MAX_ROUNDS: usize = 8;

/// A directory of the host as far as it was looked into, and what is kept of it.
pub(in crate::run) struct Reached {
    pub(in crate::run) layer: Layer,
    pub(in crate::run) found: Found,
}

/// Reads what is looked at; none where everything has to be read: of other sources than one directory, where edits and
/// owners are for the whole tree, and where a path leads through many directories.
///
/// # Errors
/// When the directory cannot be read, or the search fails.
pub(super) fn read(recipe: &TreeRecipe, interrupt: &Interrupt) -> Result<Option<Reached>> {
    let (Some(keep), [source]) = (&recipe.keep, &recipe.sources[..]) else { return Ok(None) };
    let is_plain = recipe.edits.is_empty()
        && recipe.ownership.is_none()
        && recipe.basedir.is_none()
        && recipe.unreadable == unreadable::Policy::Fail;
    let path = Path::new(source);
    if !is_plain || source == "-" || !path.is_dir() {
        return Ok(None);
    }
    let mut wanted = above(keep);
    for _ in 0..MAX_ROUNDS {
        interrupt.check()?;
        let is_wanted = |path: &[u8]| is_usual(path, keep) || wanted.contains(path);
        let mut scanned = directory::read_where(path, recipe.threads.get(), &is_wanted)?;
        let Scanned { tree, unlisted, .. } = &mut scanned;
        let inodes = || unlisted.iter().map(|(inode, _)| *inode);
        let (finding, mut looked_into) = noticing(inodes(), || Finding::begin(tree, keep, recipe));
        if looked_into.is_empty() {
            let found;
            (found, looked_into) = noticing(inodes(), || finding?.finish());
            if looked_into.is_empty() {
                let layer = Layer { scanned, implied: BTreeSet::new() };
                return Ok(Some(Reached { layer, found: found? }));
            }
        }
        // An error may come of what was not there to be seen.
        wanted.extend(
            unlisted.drain(..).filter(|(inode, _)| looked_into.contains(inode)).map(|(_, path)| path),
        );
    }
    Ok(None)
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
