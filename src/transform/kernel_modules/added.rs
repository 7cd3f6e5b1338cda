//! Adds the modules of a version of the kernel to a tree.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use image_tree::path::{base_name, join};
use image_tree::resolve::{resolve_in_root, trace_in_root};
use image_tree::{InodeId, Kind, Metadata, Shown, Timestamp, Tree};

use crate::blob::Blob;
use crate::closure::kernel_modules::{IGNORED, versions};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, Report};
use crate::transform::edit::copy_tree;
use crate::transform::overlay::has_same_bytes;

/// The directory of versions in a tree that has none.
const DIRECTORY: &[u8] = b"/lib/modules";

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The name of the version.
    pub version: &'a [u8],
    /// The directory of the host that the modules are from, for messages.
    pub directory: &'a Path,
    /// The modification time of directories that are made above that of the version.
    pub time: Timestamp,
}

/// A version that the tree has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The directory of the version, without symbolic links.
    pub path: Vec<u8>,
    /// False if the tree had the version.
    pub is_new: bool,
    /// True if it is new and has no `modules.dep`.
    pub lacks_indices: bool,
}

impl Report for Added {
    fn log(&self, log: &Log) {
        let what = if self.is_new { "modules were added" } else { "the tree has the same modules" };
        log.detail(format_args!("{}: {what}", Shown(&self.path)));
    }
}

/// Adds a version, whose files are the tree `modules`, unless the tree has the same. Links to where
/// the kernel was built are left out.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if the tree has other files for the version, or something else
/// in the place of a directory.
pub fn apply(tree: &mut Tree<Blob>, mut modules: Tree<Blob>, options: &Options<'_>) -> Result<Added> {
    let Options { version, directory, time } = *options;
    for name in IGNORED {
        modules.remove(InodeId::ROOT, name);
    }
    let there = versions(tree).into_iter().find(|path| base_name(path) == version);
    if let Some(path) = there {
        let id = resolve_in_root(tree, &path).unwrap_or(InodeId::ROOT);
        return match difference((tree, id), (&modules, InodeId::ROOT)) {
            None => Ok(Added { path, is_new: false, lacks_indices: false }),
            Some(at) => {
                let (at, from) = (join(&path, &at), Shown(directory.as_os_str().as_bytes()));
                let (at, path) = (Shown(&at), Shown(&path));
                let what = format!(
                    "--modules: {at} is not as in {from}; leave out --modules, or the tree's by --exclude {path}"
                );
                Err(Error::new(ErrorKind::BadInput, what))
            }
        };
    }
    let path = join(DIRECTORY, version);
    let parents = Metadata { mtime: time, ..Metadata::new(0o755) };
    let failed = |why: String| Error::new(ErrorKind::BadInput, format!("--modules: {why}"));
    copy_tree(tree, &modules, &path, &parents, true).map_err(failed)?;
    let real = trace_in_root(tree, &path, &mut 0);
    let path =
        real.map(|traced| traced.path).map_err(|_| failed(format!("{} is not there", Shown(&path))))?;
    let lacks_indices = modules.lookup(InodeId::ROOT, b"modules.dep").is_none();
    Ok(Added { path, is_new: true, lacks_indices })
}

/// Returns the path of the first name, below both directories, that only one of them has or that is
/// another file in each; metadata does not count.
fn difference(one: (&Tree<Blob>, InodeId), other: (&Tree<Blob>, InodeId)) -> Option<Vec<u8>> {
    let mut left = vec![(one.1, other.1, Vec::new())];
    while let Some((first, second, path)) = left.pop() {
        let is_top = first == one.1;
        let (Some(mine), Some(theirs)) = (one.0.entries(first), other.0.entries(second)) else {
            return Some(path);
        };
        let names = mine.keys().chain(theirs.keys().filter(|name| !mine.contains_key(*name)));
        for name in names.filter(|name| !(is_top && IGNORED.contains(&name.as_bytes()))) {
            let path = if path.is_empty() { name.as_bytes().to_vec() } else { join(&path, name.as_bytes()) };
            let (Some(first), Some(second)) = (mine.get(name), theirs.get(name)) else { return Some(path) };
            match (&one.0.get(*first).kind, &other.0.get(*second).kind) {
                (Kind::Directory(_), Kind::Directory(_)) => left.push((*first, *second, path)),
                (Kind::Regular(first), Kind::Regular(second)) if has_same_bytes(first, second) => {}
                (Kind::Symlink(first), Kind::Symlink(second)) if first == second => {}
                _ => return Some(path),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    fn tree(text: &str) -> Tree<Blob> {
        let text = format!("/ 0 40755 1 0 0 0 0.0 - - -\n{text}");
        dump::parse(text.as_bytes(), |file| match &file.body {
            dump::Body::Inline(bytes) => Ok(Blob::from(bytes.to_vec())),
            _ => Err(()),
        })
        .expect("it is valid")
    }

    const MODULES: &str = "/a.ko 1 100644 1 0 0 0 0.0 - x -\n\
        /build 2 120777 1 0 0 0 0.0 /x - -\n\
        /kernel 0 40755 1 0 0 0 0.0 - - -\n\
        /kernel/l.ko 7 120777 1 0 0 0 0.0 ../a.ko - -\n";

    fn added(tree: &mut Tree<Blob>, modules: &str) -> Result<Added> {
        let options = Options { version: b"1", directory: Path::new("m/1"), time: Timestamp::EPOCH };
        apply(tree, self::tree(modules), &options)
    }

    #[test]
    fn a_version_is_added_through_links_and_without_those_to_its_build() {
        for (below, place) in [
            (
                "/lib 7 120777 1 0 0 0 0.0 usr/lib - -\n/usr 0 40755 1 0 0 0 0.0 - - -\n\
              /usr/lib 0 40755 1 0 0 0 0.0 - - -\n",
                "/usr/lib/modules/1",
            ),
            ("", "/lib/modules/1"),
        ] {
            let mut tree = tree(below);
            let new = Added { path: place.into(), is_new: true, lacks_indices: true };
            assert_eq!(added(&mut tree, MODULES).expect("it is new"), new);
            let is_there =
                |name: &str| resolve_in_root(&tree, format!("{place}/{name}").as_bytes()).is_some();
            assert!(is_there("kernel/l.ko") && is_there("a.ko") && !is_there("build"));
            let same = Added { path: place.into(), is_new: false, lacks_indices: false };
            assert_eq!(added(&mut tree, MODULES).expect("it is the same"), same);
            for other in [
                MODULES.replace("- x -", "- y -"),
                MODULES.replace("../a.ko", "../b.ko"),
                format!("{MODULES}/z.ko 1 100644 1 0 0 0 0.0 - x -\n"),
                "/a.ko 1 100644 1 0 0 0 0.0 - x -\n".to_owned(),
            ] {
                let error = added(&mut tree, &other).expect_err("it differs").to_string();
                let end =
                    format!("is not as in m/1; leave out --modules, or the tree's by --exclude {place}");
                assert!(error.starts_with("--modules: ") && error.ends_with(&end), "{error}");
            }
        }
        let mut file = tree("/lib 1 100644 1 0 0 0 0.0 - x -\n");
        added(&mut file, MODULES).expect_err("a file is in the place of a directory");
    }
}
