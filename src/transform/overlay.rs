//! Lays a tree over another one, of which a part is kept.
//!
//! Directories are merged, also through symbolic links to directories, and every other file takes
//! the place of what is there. That is a conflict if something else needs the file in whose place
//! it is: known only once the kept part is found, so [`Laid`] remembers each such place.

use std::collections::BTreeSet;

use image_tree::path::{base_name, join, parent};
use image_tree::resolve::{resolve_in_root, trace_in_root};
use image_tree::{Content, FileType, InodeId, Kind, Tree};

use crate::blob::Blob;
use crate::closure::config::unit::SEARCH_PATH;
use crate::closure::requests::{Keep, NamePattern};
use crate::closure::{Closure, Kind as Need, Reason, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{self, Log};
use crate::named::named;
use crate::stack::{Rules, Stack, Whiteouts};

/// The name of the requests for everything in an overlay.
const ORIGIN: &[u8] = b"--overlay";

/// The databases of accounts, which remain as an overlay has them.
const ACCOUNTS: [&[u8]; 2] = [b"/etc/passwd", b"/etc/group"];

/// The suffixes of the names of units that are followed.
const UNITS: [&[u8]; 8] =
    [b".service", b".socket", b".target", b".mount", b".automount", b".path", b".timer", b".swap"];

/// The treatment of places where an overlay meets something else that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflict {
    /// An error that lists them.
    #[default]
    Error,
    /// The file of the overlay is taken, with a warning.
    Replace,
}

named!(Conflict, "a treatment of conflicts", [Error => "error", Replace => "replace"]);

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The tree that is laid over the other one.
    pub overlay: &'a Tree<Blob>,
}

/// A place where an overlay has another file than the tree below.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Met {
    /// The path without symbolic links.
    path: Vec<u8>,
    was: FileType,
    now: FileType,
    /// True for a directory that was empty.
    was_empty: bool,
}

/// An overlay that is part of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Laid {
    /// The paths of its files, without symbolic links in their directories.
    paths: Vec<Vec<u8>>,
    met: Vec<Met>,
}

/// The places where an overlay took the place of something, to be reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report(Vec<String>);

impl log::Report for Report {
    fn log(&self, log: &Log) {
        self.0.iter().for_each(|place| log.warn(place));
    }
}

impl log::Report for Laid {
    /// Logs nothing: the places are reported once the kept part is known.
    fn log(&self, _log: &Log) {}
}

/// Lays a tree over another one. The metadata of the root directory is unchanged.
///
/// # Errors
/// If both trees together have more inodes than a tree can.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Laid> {
    let overlay = options.overlay;
    let names = names(overlay);
    let met = names.iter().filter_map(|(path, id)| meet(tree, overlay, path, *id)).collect();
    let root = tree.get(InodeId::ROOT).metadata.clone();
    let rules = Rules { whiteouts: Whiteouts::Keep, keep_directory_symlink: true, is_layer: false };
    let mut stack = Stack::new(rules);
    let below = std::mem::replace(tree, Tree::new(root.clone()));
    for added in [below, overlay.clone()] {
        stack.add_tree(added).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
    }
    *stack.metadata_mut(InodeId::ROOT) = root;
    *tree = stack.finish();
    let real = |(path, _): &(Vec<u8>, InodeId)| Some(join(&real_parent(tree, path)?, base_name(path)));
    Ok(Laid { paths: names.iter().filter_map(real).collect(), met })
}

/// Returns the path of every name of a tree but the root.
fn names(tree: &Tree<Blob>) -> Vec<(Vec<u8>, InodeId)> {
    let mut names = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        if step.name.is_some() {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            names.push((path, step.id));
        }
    }
    names
}

fn real_parent(tree: &Tree<Blob>, path: &[u8]) -> Option<Vec<u8>> {
    Some(trace_in_root(tree, parent(path), &mut 0).ok()?.path)
}

/// Returns the place where a file takes that of a different one.
fn meet(tree: &Tree<Blob>, overlay: &Tree<Blob>, path: &[u8], id: InodeId) -> Option<Met> {
    let above = trace_in_root(tree, parent(path), &mut 0).ok()?;
    let old = tree.lookup(above.id, base_name(path))?;
    let (was, now) = (&tree.get(old).kind, &overlay.get(id).kind);
    let real = join(&above.path, base_name(path));
    let is_same = match (was, now) {
        (Kind::Directory(_), Kind::Directory(_)) => true,
        (Kind::Symlink(_), Kind::Directory(_)) => {
            resolve_in_root(tree, &real).is_some_and(|target| tree.entries(target).is_some())
        }
        (Kind::Regular(was), Kind::Regular(now)) => has_same_bytes(was, now),
        (was, now) => was == now,
    };
    let was_empty = tree.entries(old).is_some_and(std::collections::BTreeMap::is_empty);
    (!is_same).then(|| Met { path: real, was: was.file_type(), now: now.file_type(), was_empty })
}

/// Returns true if two files have the same bytes; false if one cannot be read.
pub(super) fn has_same_bytes(one: &Blob, other: &Blob) -> bool {
    const CHUNK: u64 = 64 * 1024;
    let mut offset = 0;
    while offset < one.len() && one.len() == other.len() {
        let len = usize::try_from(CHUNK.min(one.len() - offset)).unwrap_or_default();
        let (mut first, mut second) = (vec![0; len], vec![0; len]);
        if one.read_at(&mut first, offset).is_err()
            || other.read_at(&mut second, offset).is_err()
            || first != second
        {
            return false;
        }
        offset += CHUNK;
    }
    one.len() == other.len()
}

impl Laid {
    /// Returns the requests with those for everything in the overlay. Units are followed if units
    /// are requested.
    #[must_use]
    pub fn requests(&self, tree: &Tree<Blob>, keep: &Keep) -> Keep {
        let mut keep = keep.clone();
        let member = |path: &Vec<u8>| Request::Member { path: path.clone(), origin: ORIGIN.to_vec() };
        keep.requests.extend(self.paths.iter().map(member));
        if !keep.units.is_empty() {
            let real = |path: &&[u8]| Some(trace_in_root(tree, path, &mut 0).ok()?.path);
            let directories: BTreeSet<Vec<u8>> =
                SEARCH_PATH.iter().filter_map(|path| real(&&path[..])).collect();
            let units = self.paths.iter().filter(|path| directories.contains(parent(path)));
            let names: BTreeSet<&[u8]> =
                units.map(|path| base_name(path)).filter(|name| is_unit(name)).collect();
            keep.units.extend(names.into_iter().map(|name| NamePattern { text: name.to_vec(), glob: None }));
        }
        keep
    }

    /// Returns true if the overlay has databases of accounts.
    #[must_use]
    pub fn has_accounts(&self) -> bool {
        self.paths.iter().any(|path| ACCOUNTS.contains(&path.as_slice()))
    }

    /// Returns the places where a file of the overlay took that of one which something else needs;
    /// without a closure everything is needed. An empty directory is not a conflict.
    ///
    /// # Errors
    /// If there are conflicts, and they are errors.
    pub fn check(&self, closure: Option<&Closure>, conflict: Conflict) -> Result<Report> {
        let is_other = |reason: &Reason| reason.name != ORIGIN && reason.kind != Need::Parent;
        let is_needed = |met: &&Met| {
            closure.is_none_or(|closure| {
                closure.kept.get(&met.path).is_some_and(|found| found.iter().any(is_other))
            })
        };
        let (empty, others): (Vec<&Met>, Vec<&Met>) =
            self.met.iter().filter(|met| is_needed(met) || met.was_empty).partition(|met| met.was_empty);
        let place = |met: &Met| {
            let was = if met.was_empty { "an empty directory" } else { met.was.name() };
            format!("{}: {} in place of {was}", met.path.escape_ascii(), met.now)
        };
        if conflict == Conflict::Error && !others.is_empty() {
            let places: Vec<String> = others.into_iter().map(place).collect();
            let message = format!(
                "--overlay has other files than the tree: {}; --overlay-conflict replace takes those of the overlay",
                places.join(", ")
            );
            return Err(Error::new(ErrorKind::BadInput, message));
        }
        let places = empty.into_iter().chain(others).map(|met| format!("--overlay: {}", place(met)));
        Ok(Report(places.collect()))
    }
}

/// Returns true for the name of a unit that is not a template.
fn is_unit(name: &[u8]) -> bool {
    UNITS.iter().any(|suffix| name.ends_with(suffix)) && !name.windows(2).any(|pair| pair == b"@.")
}

#[cfg(test)]
mod tests {
    use image_tree::dump::{self, Body};

    use super::*;

    fn tree(lines: &str) -> Tree<Blob> {
        let text = format!("/ 0 40755 2 0 0 0 0.0 - - -\n{lines}");
        let tree = dump::parse(text.as_bytes(), |file| match &file.body {
            Body::Inline(bytes) => Ok::<_, std::io::Error>(Blob::from(bytes.to_vec())),
            _ => Ok(Blob::from(Vec::new())),
        });
        tree.expect("a dump")
    }

    const BELOW: &str = "\
/etc 0 40755 2 0 0 0 0.0 - - -
/etc/a 1 100644 1 0 0 0 0.0 - a -
/etc/same 1 100644 1 0 0 0 0.0 - s -
/lib 7 120777 1 0 0 0 0.0 usr/lib - -
/usr 0 40755 2 0 0 0 0.0 - - -
/usr/lib 0 40755 2 0 0 0 0.0 - - -
/usr/lib/x 1 100644 1 0 0 0 0.0 - x -
/var 0 40755 2 0 0 0 0.0 - - -
/var/tmp 0 41777 2 0 0 0 0.0 - - -
";
    const OVERLAY: &str = "\
/etc 0 40700 2 0 0 0 0.0 - - -
/etc/a 1 100644 1 0 0 0 0.0 - b -
/etc/same 1 100600 1 0 0 0 0.0 - s -
/lib 0 40755 2 0 0 0 0.0 - - -
/lib/x 1 120777 1 0 0 0 0.0 y - -
/lib/y 1 100644 1 0 0 0 0.0 - y -
/var 0 40755 2 0 0 0 0.0 - - -
/var/tmp 6 120777 1 0 0 0 0.0 ../tmp - -
";

    fn laid() -> (Tree<Blob>, Laid) {
        let mut below = tree(BELOW);
        let laid = apply(&mut below, &Options { overlay: &tree(OVERLAY) }).expect("it is small");
        (below, laid)
    }

    #[test]
    fn directories_are_merged_through_links() {
        let (tree, laid) = laid();
        let paths: Vec<String> = laid.paths.iter().map(|path| path.escape_ascii().to_string()).collect();
        assert_eq!(
            paths,
            ["/etc", "/etc/a", "/etc/same", "/lib", "/usr/lib/x", "/usr/lib/y", "/var", "/var/tmp"]
        );
        let kind =
            |path: &[u8]| tree.get(tree.resolve_no_symlinks(path).expect("it is there")).kind.file_type();
        assert_eq!(kind(b"/lib"), FileType::Symlink);
        assert_eq!(kind(b"/usr/lib/y"), FileType::Regular);
        let mode = |path: &[u8]| tree.get(tree.resolve_no_symlinks(path).expect("it is there")).metadata.mode;
        assert_eq!((mode(b"/etc"), mode(b"/etc/same"), mode(b"/")), (0o700, 0o600, 0o755));
    }

    #[test]
    fn places_that_others_need_are_conflicts() {
        let (_, laid) = laid();
        let all = ["/etc/a: a file in place of a file", "/usr/lib/x: a symbolic link in place of a file"];
        let empty = "--overlay: /var/tmp: a symbolic link in place of an empty directory";
        let error = laid.check(None, Conflict::Error).expect_err("there are two").to_string();
        assert!(all.iter().all(|place| error.contains(place)) && !error.contains("/var/tmp"), "{error}");
        let report = laid.check(None, Conflict::Replace).expect("they are replaced");
        assert_eq!(
            report.0,
            [empty.to_owned(), format!("--overlay: {}", all[0]), format!("--overlay: {}", all[1])]
        );
        // Of a reduced tree only what something else needs is one.
        let mut closure = Closure::default();
        let reason = |kind, name: &[u8]| Reason { kind, by: None, name: name.to_vec() };
        closure.kept.insert(b"/etc/a".to_vec(), [reason(Need::Requested, ORIGIN)].into());
        closure.kept.insert(b"/usr/lib/x".to_vec(), [reason(Need::Parent, b"/z")].into());
        assert_eq!(laid.check(Some(&closure), Conflict::Error).expect("none is needed").0, [empty]);
        closure.kept.insert(b"/etc/a".to_vec(), [reason(Need::Configured, b"/etc/a")].into());
        let error = laid.check(Some(&closure), Conflict::Error).expect_err("one is needed").to_string();
        assert!(error.contains(all[0]) && !error.contains(all[1]), "{error}");
    }
}
