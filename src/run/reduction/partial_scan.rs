//! Reading only those directories of the host that the search visits.
//!
//! A closure needs a small part of most trees, and a host has more than a tree should hold. So the
//! search reads a tree that lists a directory when it is visited; the result is the same as with
//! the whole tree. Directories that most searches visit, and those that the recipe requests, are
//! listed in advance, by several threads.

use std::collections::BTreeSet;

use image_tree::glob::Glob;

use super::{Found, Lookups, WholeTree};
use crate::closure::{self, Keep, Request};
use crate::error::Result;
use crate::recipe::TreeRecipe;
use crate::recipe::keep::KeepRecipe;
use crate::run::stopwatch::Stopwatch;
use crate::source::ReadOptions;
use crate::source::directory::{HostInode, OnDemand, Scanned, Selection};
use crate::transform::own_files::OwnFiles;
use crate::transform::unreadable;

/// A directory of the host, listed as far as the search needs, and the closure found in it.
pub(in crate::run) struct PartialScan {
    pub(in crate::run) scanned: Scanned,
    pub(in crate::run) found: Found,
}

/// Reads only the directories that the search visits, and finds nothing among the files of the run
/// itself, which are removed from the source later. Returns `None` if everything must be read: if
/// the source is not a single directory, or if edits or ownership apply to the whole tree.
///
/// # Errors
/// Returns an error if a directory cannot be read, or the search fails.
pub(in crate::run) fn read(
    recipe: &TreeRecipe,
    options: &ReadOptions<'_>,
    own: &OwnFiles,
    lookups: Lookups<'_>,
) -> Result<Option<PartialScan>> {
    let (Some(KeepRecipe { keep, .. }), [source]) = (&recipe.keep, &recipe.sources[..]) else {
        return Ok(None);
    };
    let is_plain = recipe.edits.is_empty()
        && recipe.configure.is_empty()
        && recipe.overlays.is_empty()
        && recipe.modules.directory.is_none()
        && !recipe.modules.strip
        && recipe.ownership.is_none()
        && recipe.basedir.is_none()
        && recipe.unreadable == unreadable::Policy::Fail;
    let Some(path) = source.as_directory().filter(|_| is_plain) else { return Ok(None) };
    let requested = RequestedPaths::new(&keep.requests);
    let usual = |path: &[u8]| is_usual(path, keep) || requested.lead_to(path);
    let hidden = |host: HostInode| own.contain(host);
    let tree = OnDemand::open(path, options, Selection { usual: &usual, hidden: &hidden })?;
    let mut stopwatch = Stopwatch::start();
    let found = closure::Found::new(&tree, keep, recipe.threads.pool_of_several()?, recipe.ld_cache);
    if let Ok(found) = &found {
        // A directory that is kept without being visited lacks its xattrs.
        tree.list_where(|path| found.closure.kept.contains_key(&[b"/", path].concat()));
    }
    let whole_tree = WholeTree::of(&tree, lookups);
    let took = stopwatch.lap();
    // An error of the search may be caused by a directory that could not be listed.
    let scanned = tree.into_scanned()?;
    Ok(Some(PartialScan { scanned, found: Found { found: found?, whole_tree, took } }))
}

/// The requested paths, as far as they are known without links of the tree.
struct RequestedPaths<'k> {
    /// Without a leading `/`.
    paths: BTreeSet<Vec<u8>>,
    /// The parents of `paths`.
    above: BTreeSet<Vec<u8>>,
    globs: Vec<&'k Glob>,
}

impl<'k> RequestedPaths<'k> {
    fn new(requests: &'k [Request]) -> Self {
        let mut requested = Self { paths: BTreeSet::new(), above: BTreeSet::new(), globs: Vec::new() };
        requests.iter().for_each(|request| requested.add(request));
        requested
    }

    fn add(&mut self, request: &'k Request) {
        match request {
            Request::Path(path) => self.add_path(path),
            Request::First(paths) => paths.iter().for_each(|path| self.add_path(path)),
            Request::Glob { glob, .. } => self.globs.push(glob),
            Request::Optional(request) => self.add(request),
            Request::Dependency(_) | Request::Member { .. } => {}
        }
    }

    fn add_path(&mut self, path: &[u8]) {
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        self.above.extend((1..names.len()).map(|count| names[..count].join(&b'/')));
        self.paths.insert(names.join(&b'/'));
    }

    /// Returns true for a directory that the search visits because of a request: one above, at or
    /// beneath a requested name.
    fn lead_to(&self, directory: &[u8]) -> bool {
        let ends = directory.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        let mut above = ends.chain([directory.len()]).map(|end| &directory[..end]);
        self.above.contains(directory)
            || self.globs.iter().any(|glob| glob.may_match_beneath(directory))
            || self.paths.contains(&b""[..])
            || above.any(|path| self.paths.contains(path) || self.globs.iter().any(|glob| glob.matches(path)))
    }
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
        [b"var"] | [b"var", b"lib"] | [b"var", b"lib", b"dpkg", ..] => !keep.packages.is_empty(),
        [b"lib", multiarch] | [b"lib", multiarch, b"systemd"] => is_multiarch(multiarch),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroUsize;
    use std::os::unix::fs::symlink;

    use super::super::keep_path;
    use super::*;
    use crate::error::ErrorKind;
    use crate::interrupt::Interrupt;
    use crate::progress::Progress;

    /// A signal that comes when files of many bytes were found.
    struct Signal<'i>(&'i Interrupt);

    impl Progress for Signal<'_> {
        fn add(&self, _bytes: u64) {
            self.0.set(15);
        }
    }

    /// A directory that could not be listed appears empty to the search, which then fails too.
    #[test]
    fn a_failed_listing_is_reported_instead_of_what_is_missing() {
        let top = tempfile::tempdir().expect("a temporary directory");
        ["a/b", "etc"].iter().for_each(|name| fs::create_dir_all(top.path().join(name)).expect("new"));
        ["a/b/login", "f"].iter().for_each(|name| fs::write(top.path().join(name), "").expect("new"));
        fs::write(top.path().join("a/large"), vec![1; 64 << 20]).expect("new");
        // The link leads to directories that are not listed in advance.
        symlink("../a/b", top.path().join("etc/pam.d")).expect("new");
        let mut recipe = TreeRecipe::new([top.path()], NonZeroUsize::MIN);
        let mut keep = keep_path("/f");
        keep.keep.pam = vec![b"login".to_vec()];
        recipe.keep = Some(keep);
        let interrupt = Interrupt::never();
        let options = ReadOptions::new(&recipe.threads, &interrupt);
        let own = OwnFiles::default();
        let found =
            read(&recipe, &options, &own, Lookups::default()).expect("it can be read").expect("a directory");
        assert!(found.scanned.tree.resolve_no_symlinks(b"/a/b/login").is_some());
        let signal = Signal(&interrupt);
        let error = read(&recipe, &ReadOptions { found: &signal, ..options }, &own, Lookups::default()).err();
        assert_eq!(error.expect("a signal came").kind(), ErrorKind::Interrupted);
    }
}
