//! The tree as a generator sees it: reading data, and adding files that are reported.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::path::{base_name, join};
use image_tree::resolve::resolve_in_root;
use image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Shown, Timestamp, Tree, shortened};

use super::generator::{Generator, Made};
use crate::blob::Blob;
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use crate::transform::edit::parent_of;

/// The longest file that is read, in bytes.
const MAX_LEN: u64 = 16 * 1024 * 1024;

/// The directories of configuration, the first has precedence.
const CONFIGURATION: [&str; 5] = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"];

/// A tree, and the report of the generator that changes it.
pub(super) struct Site<'t> {
    pub(super) tree: &'t mut Tree<Blob>,
    /// The mtime of what is made.
    pub(super) time: Timestamp,
    made: Made,
}

impl<'t> Site<'t> {
    pub(super) fn new(tree: &'t mut Tree<Blob>, generator: Generator, time: Timestamp) -> Self {
        let made = Made { generator, paths: BTreeSet::new(), problems: Vec::new() };
        Self { tree, time, made }
    }

    pub(super) fn finish(self) -> Made {
        self.made
    }

    /// Reports what was not done.
    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        self.made.problems.push(problem.into());
    }

    /// Reports a path that was made or changed.
    pub(super) fn made(&mut self, path: &[u8]) {
        self.made.paths.insert(Shown(path).to_string());
    }

    /// Returns the file at a path, following links.
    pub(super) fn find(&self, path: &[u8]) -> Option<InodeId> {
        resolve_in_root(self.tree, path)
    }

    /// Returns the file of a name, without following a link there.
    pub(super) fn find_link(&self, path: &[u8]) -> Option<InodeId> {
        let path = image_tree::path::without_trailing_slashes(path);
        let name = base_name(path);
        if name.is_empty() {
            return Some(InodeId::ROOT);
        }
        let above = resolve_in_root(self.tree, &path[..path.len() - name.len()])?;
        self.tree.lookup(above, name)
    }

    /// Returns true for a regular file, also through links.
    pub(super) fn is_file(&self, path: &[u8]) -> bool {
        self.find(path).is_some_and(|id| matches!(self.tree.get(id).kind, Kind::Regular(_)))
    }

    /// Returns true for a directory, also through links.
    pub(super) fn is_directory(&self, path: &[u8]) -> bool {
        self.find(path).is_some_and(|id| self.tree.entries(id).is_some())
    }

    /// Returns the target of a symbolic link.
    pub(super) fn target(&self, path: &[u8]) -> Option<&[u8]> {
        match &self.tree.get(self.find_link(path)?).kind {
            Kind::Symlink(target) => Some(target.as_bytes()),
            _ => None,
        }
    }

    /// Returns the contents of a regular file; `None` if there is none.
    ///
    /// # Errors
    /// If it is longer than 16 MiB or cannot be read.
    pub(super) fn text(&self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.find(path).map(|id| &self.tree.get(id).kind) {
            Some(Kind::Regular(content)) => {
                let name = format!("the tree's {}", shortened(path));
                bounded::read_content(content, MAX_LEN, name).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns the names in a directory, sorted.
    pub(super) fn names(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let entries = self.find(path).and_then(|id| self.tree.entries(id));
        entries.into_iter().flat_map(BTreeMap::keys).map(|name| name.as_bytes().to_vec()).collect()
    }

    /// Returns the files of a directory such as `sysusers.d`, by their names: one in `/etc` hides
    /// those of its name in `/usr/lib`.
    pub(super) fn configuration(&self, directory: &str, suffix: &str) -> Vec<Vec<u8>> {
        let mut files = BTreeMap::new();
        for above in CONFIGURATION {
            let directory = format!("{above}/{directory}").into_bytes();
            for name in self.names(&directory) {
                if name.ends_with(suffix.as_bytes()) && !name.starts_with(b".") {
                    let path = join(&directory, &name);
                    files.entry(name).or_insert(path);
                }
            }
        }
        files.into_values().collect()
    }

    /// Metadata of root, at the time of what is made.
    pub(super) fn metadata(&self, mode: u16) -> Metadata {
        Metadata { mtime: self.time, ..Metadata::new(mode) }
    }

    /// Adds a file in place of any of its name, with missing directories above it.
    ///
    /// # Errors
    /// If it is in place of a directory that is not empty, or a directory above is another file.
    pub(super) fn put(&mut self, path: &[u8], inode: Inode<Blob>) -> Result<InodeId> {
        let parents = self.metadata(0o755);
        let failed = |why: String| refused(path, &why);
        let (above, name) = parent_of(self.tree, path, &parents).map_err(failed)?;
        if let Some(before) = self.tree.lookup(above, name.as_bytes()) {
            if self.tree.entries(before).is_some_and(|entries| !entries.is_empty()) {
                return Err(refused(path, "it is a directory with entries"));
            }
            self.tree.remove(above, name.as_bytes());
        }
        let id = self.tree.insert(above, name, inode).map_err(|error| refused(path, &error.to_string()))?;
        self.made(path);
        Ok(id)
    }

    /// Writes a regular file: through links if there is one, which keeps its mode and owner.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(super) fn write(&mut self, path: &[u8], contents: Vec<u8>, mode: u16) -> Result<InodeId> {
        match self.find(path) {
            Some(id) if matches!(self.tree.get(id).kind, Kind::Regular(_)) => {
                if self.text(path)?.as_deref() != Some(&contents[..]) {
                    let replaced = self.tree.replace_kind(id, Kind::Regular(Blob::from(contents)));
                    debug_assert!(replaced.is_ok(), "a regular file stays one");
                    self.tree.metadata_mut(id).mtime = self.time;
                    self.made(path);
                }
                Ok(id)
            }
            _ => {
                let metadata = self.metadata(mode);
                self.put(path, Inode { metadata, kind: Kind::Regular(Blob::from(contents)) })
            }
        }
    }

    /// Adds a directory and those above it; one that exists is unchanged.
    ///
    /// # Errors
    /// If another file is in its place.
    pub(super) fn directory(&mut self, path: &[u8], mode: u16) -> Result<InodeId> {
        if let Some(id) = self.find(path) {
            return match self.tree.entries(id) {
                Some(_) => Ok(id),
                None => Err(refused(path, "it is not a directory")),
            };
        }
        if self.find_link(path).is_some() {
            return Err(refused(path, "it is a link to nothing"));
        }
        let metadata = self.metadata(mode);
        self.put(path, Inode::directory(metadata))
    }

    /// Adds a symbolic link in place of any file of its name.
    ///
    /// # Errors
    /// As [`put`](Self::put), or if the target is not one.
    pub(super) fn symlink(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        if self.target(path) == Some(target) {
            return Ok(());
        }
        let target = LinkTarget::new(target).map_err(|error| refused(path, &error.to_string()))?;
        let metadata = self.metadata(0o777);
        self.put(path, Inode { metadata, kind: Kind::Symlink(target) })?;
        Ok(())
    }

    /// Copies a regular file with its metadata, as `cp -p` does. Returns false if there is none.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(super) fn copy(&mut self, from: &[u8], to: &[u8]) -> Result<bool> {
        let Some(id) = self.find(from) else { return Ok(false) };
        let inode = self.tree.get(id);
        if !matches!(inode.kind, Kind::Regular(_)) {
            return Ok(false);
        }
        let inode = inode.clone();
        self.put(to, inode)?;
        Ok(true)
    }

    /// Removes a file that is not a directory with entries. Returns false if there is none.
    pub(super) fn remove(&mut self, path: &[u8]) -> bool {
        let is_full = self.find_link(path).and_then(|id| self.tree.entries(id));
        is_full.is_none_or(BTreeMap::is_empty) && self.remove_all(path)
    }

    /// Removes a file, or a directory with all its entries. Returns false if there is none.
    pub(super) fn remove_all(&mut self, path: &[u8]) -> bool {
        let path = image_tree::path::without_trailing_slashes(path);
        let Ok(name) = Name::new(base_name(path)) else { return false };
        let above = resolve_in_root(self.tree, &path[..path.len() - name.as_bytes().len()]);
        let Some(above) = above else { return false };
        let is_removed = self.tree.remove(above, name.as_bytes()).is_some();
        if is_removed {
            self.made(path);
        }
        is_removed
    }
}

/// Returns the error for a file that cannot be added.
pub(super) fn refused(path: &[u8], why: &str) -> Error {
    Error::new(ErrorKind::BadInput, format!("--configure: {} cannot be made: {why}", shortened(path)))
}
