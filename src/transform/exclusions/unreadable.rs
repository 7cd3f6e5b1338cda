//! The treatment of files that the host does not permit reading.

use std::collections::BTreeMap;
use std::fmt;

use image_tree::{Kind, Tree};

use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{self, Log};
use crate::named::named;
use crate::shown::{self, Count};
use crate::source::directory::Unreadable;
use image_tree::path::join;
use image_tree::resolve::{resolve_in_root, trace_in_root};

/// The treatment of unreadable files and directories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Fail with an error that names all of them.
    #[default]
    Fail,
    /// Leave them out, except directories to which other sources or edits added files.
    Skip,
    /// Make them empty, without xattrs.
    Empty,
}

named!(Policy, "a policy for unreadable files", [Fail => "fail", Skip => "skip", Empty => "empty"]);

/// The most paths in a message.
const NAMED: usize = 20;

/// The files and directories that were left out or emptied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    policy: Policy,
    found: Named,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.policy == Policy::Skip { "left out" } else { "made empty" };
        let (files, were) = if self.found.count == 1 { ("file", "was") } else { ("files", "were") };
        write!(f, "{} {files} may not be read and {were} {done}: {}", self.found.count, self.found)
    }
}

impl Skipped {
    /// Returns their number.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.found.count
    }
}

/// The first paths of many, and the number of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Named {
    /// At most [`NAMED`].
    paths: Vec<String>,
    count: u64,
}

impl Named {
    fn add(&mut self, path: impl FnOnce() -> String) {
        self.count += 1;
        if self.paths.len() < NAMED {
            self.paths.push(path());
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.paths.join(", "))?;
        match self.count - self.paths.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl log::Report for Skipped {
    fn log(&self, log: &Log) {
        log.exclude("unreadable files", self.count());
        log.warn(self);
    }
}

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The treatment of unreadable files.
    pub policy: Policy,
    /// The unreadable files of the sources and edits.
    pub unreadable: &'a [Unreadable],
}

/// Applies the policy to unreadable files and directories. Those that edits removed or replaced
/// since do not matter.
///
/// # Errors
/// With [`Policy::Fail`] if there are any; with [`Policy::Skip`] if the root directory is
/// unreadable, since it cannot be left out.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Option<Skipped>> {
    let Options { policy, unreadable } = *options;
    let mut all = Named::default();
    for found in unreadable {
        let Some((parent, name, id)) = locate(tree, found) else { continue };
        all.add(|| shown::path(&found.host_path()).to_string());
        match policy {
            Policy::Fail => {}
            Policy::Skip => {
                if name.is_empty() {
                    let message = "is the root directory, which cannot be read and cannot be skipped";
                    return Err(Error::at(ErrorKind::Io, found.host_path(), message));
                }
                // The files that were added to it are readable.
                if tree.entries(id).is_none_or(BTreeMap::is_empty) {
                    tree.remove(parent, &name);
                }
            }
            Policy::Empty => {
                // OK to ignore: a directory is already empty.
                let _ = tree.replace_kind(id, Kind::Regular(Blob::from(Vec::new())));
            }
        }
    }
    if all.count == 0 {
        return Ok(None);
    }
    if policy == Policy::Fail {
        let them = if all.count == 1 { "it" } else { "them" };
        let message = format!(
            "{} may not be read: {all}; --unreadable skip leaves {them} out, --unreadable empty makes {them} empty",
            Count(all.count, "file or directory", "files or directories")
        );
        return Err(Error::new(ErrorKind::Io, message));
    }
    if policy == Policy::Skip {
        crate::transform::compact(tree);
    }
    Ok(Some(Skipped { policy, found: all }))
}

/// Returns the path of an unreadable file without symbolic links, if it is still in the tree.
pub fn path_in(tree: &Tree<Blob>, found: &Unreadable) -> Option<Vec<u8>> {
    let (_, name, _) = locate(tree, found)?;
    let path = found.path();
    let above = &path[..path.len() - name.len()];
    let above = trace_in_root(tree, above, &mut 0).ok()?.path;
    Some(if name.is_empty() { above } else { join(&above, &name) })
}

/// Returns the place of an unreadable file, if it is still in the tree: its directory, its name
/// there, and its inode.
fn locate(
    tree: &Tree<Blob>,
    found: &Unreadable,
) -> Option<(image_tree::InodeId, Vec<u8>, image_tree::InodeId)> {
    let path = found.path();
    let end = path.iter().rposition(|byte| *byte == b'/');
    let (above, name) = path.split_at(end.map_or(0, |slash| slash + 1));
    let parent = resolve_in_root(tree, above)?;
    let id = if name.is_empty() { parent } else { tree.lookup(parent, name)? };
    let same = match &tree.get(id).kind {
        Kind::Directory(_) => found.directory,
        // A second name of a file is read through the first.
        Kind::Regular(Blob::Host(_)) => !found.directory,
        _ => false,
    };
    same.then(|| (parent, name.to_vec(), id))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use image_tree::Content as _;
    use rustix::process::geteuid;

    use super::*;
    use crate::interrupt::Interrupt;
    use crate::source::directory;
    use crate::threads::Threads;

    /// Creates a directory with one readable file and several unreadable ones. None if root runs
    /// the test.
    fn unreadable_tree(test: &str) -> Option<(tempfile::TempDir, impl FnOnce())> {
        if geteuid().is_root() {
            eprintln!("SKIPPED {test}: root may read everything");
            return None;
        }
        let top = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| top.path().join(name);
        for name in ["unlisted", "unsearched", "open"] {
            fs::create_dir(at(name)).expect("a new directory");
            fs::write(at(name).join("file"), "x").expect("a new file");
        }
        fs::write(at("secret"), "x").expect("a new file");
        fs::hard_link(at("secret"), at("open/secret")).expect("a second name");
        for (name, mode) in [("secret", 0o200), ("unlisted", 0o300), ("unsearched", 0o600)] {
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        let paths = [at("unlisted"), at("unsearched")];
        let open = move || {
            for path in paths {
                fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("it is ours");
            }
        };
        Some((top, open))
    }

    fn applied(top: &std::path::Path, policy: Policy) -> (Tree<Blob>, Result<Option<Skipped>>) {
        let scanned =
            directory::read(top, &Threads::single(), &Interrupt::never()).expect("it can be scanned");
        let mut tree = scanned.tree;
        let result = apply(&mut tree, &Options { policy, unreadable: &scanned.unreadable });
        (tree, result)
    }

    #[test]
    fn fail_names_all_unreadable_files() {
        let Some((top, open)) = unreadable_tree("fail_names_all_unreadable_files") else { return };
        let (_, result) = applied(top.path(), Policy::Fail);
        open();
        let at = |name: &str| top.path().join(name).display().to_string();
        let paths = [at("open/secret"), at("secret"), at("unlisted"), at("unsearched")].join(", ");
        let expected = format!("4 files or directories may not be read: {paths}; --unreadable skip");
        let error = result.expect_err("much may not be read").to_string();
        assert!(error.starts_with(&expected), "{error}");
    }

    #[test]
    fn skip_removes_and_empty_truncates() {
        let Some((top, open)) = unreadable_tree("skip_removes_and_empty_truncates") else { return };
        let (skipped, warning) = applied(top.path(), Policy::Skip);
        let (emptied, _) = applied(top.path(), Policy::Empty);
        open();
        let paths = |tree: &Tree<Blob>| {
            tree.walk().filter_map(|step| step.name).map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(paths(&skipped), ["open", "file"]);
        assert!(
            warning
                .expect("no error")
                .expect("a warning")
                .to_string()
                .starts_with("4 files may not be read and were left out: ")
        );
        assert_eq!(paths(&emptied), ["open", "file", "secret", "secret", "unlisted", "unsearched"]);
        let secret = emptied.get(emptied.resolve_no_symlinks(b"/secret").expect("it is there"));
        assert!(matches!(&secret.kind, Kind::Regular(blob) if blob.is_empty()));
        let unlisted = emptied.get(emptied.resolve_no_symlinks(b"/unlisted").expect("it is there"));
        assert_eq!(unlisted.metadata.mode, 0o300);
    }

    #[test]
    fn messages_name_a_limited_number_of_paths() {
        let named = |count: u64| {
            let mut named = Named::default();
            (0..count).for_each(|number| named.add(|| number.to_string()));
            named.to_string()
        };
        assert!(named(25).ends_with(", 19 and 5 more"));
        assert!(named(20).ends_with(", 19"));

        let skipped = |count: u64| {
            let mut found = Named::default();
            (0..count).for_each(|number| found.add(|| number.to_string()));
            Skipped { policy: Policy::Skip, found }.to_string()
        };
        assert_eq!(skipped(1), "1 file may not be read and was left out: 0");
        assert_eq!(skipped(2), "2 files may not be read and were left out: 0, 1");
    }
}
