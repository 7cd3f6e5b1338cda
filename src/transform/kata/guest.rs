//! The tree of a guest while it is set up: changes by path, each of which is reported.

use std::path::Path;

use image_tree::path::{base_name, join, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{Content as _, Inode, InodeId, Kind, LinkTarget, Metadata, Timestamp, Tree};

use crate::architecture::{Architecture, of_path};
use crate::blob::Blob;
use crate::bounded;
use crate::error::{Error, ErrorKind, Result, classify_read_error};
use crate::log::{self, Log};
use crate::shown;
use crate::source::directory;
use crate::transform::compact;
use crate::transform::edit::parent_of;

/// The longest file that is read to be changed, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// The changes that were made, one line for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The changes.
    pub changes: Vec<String>,
    /// Sentences about files of the tree that were not expected.
    pub warnings: Vec<String>,
}

impl log::Report for Report {
    fn log(&self, log: &Log) {
        self.warnings.iter().for_each(|warning| log.warn(warning));
        self.changes.iter().for_each(|change| log.detail(format_args!("kata: {change}")));
    }
}

/// The tree of a guest while it is set up.
pub(super) struct Guest<'t> {
    tree: &'t mut Tree<Blob>,
    time: Timestamp,
    report: Report,
}

impl<'t> Guest<'t> {
    pub(super) fn new(tree: &'t mut Tree<Blob>, time: Timestamp) -> Self {
        Self { tree, time, report: Report::default() }
    }

    /// Drops inodes without a name, and returns the report.
    pub(super) fn finish(self) -> Report {
        compact(self.tree);
        self.report
    }

    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns the file at a path, following links.
    pub(super) fn find(&self, path: &str) -> Option<InodeId> {
        resolve_in_root(self.tree, path.as_bytes())
    }

    /// Returns the name itself at a path: a link is not followed.
    pub(super) fn name(&self, path: &str) -> Option<&Inode<Blob>> {
        let directory = resolve_in_root(self.tree, parent(path.as_bytes()))?;
        Some(self.tree.get(self.tree.lookup(directory, base_name(path.as_bytes()))?))
    }

    /// Returns true for a regular file, also behind links.
    pub(super) fn is_file(&self, path: &str) -> bool {
        self.find(path).is_some_and(|id| matches!(self.tree.get(id).kind, Kind::Regular(_)))
    }

    /// Returns true for a file that begins as a program does that the kernel executes: an ELF file or
    /// a script.
    pub(super) fn is_program(&self, path: &str) -> Result<bool> {
        let Some(Kind::Regular(content)) = self.find(path).map(|id| &self.tree.get(id).kind) else {
            return Ok(false);
        };
        let mut start = [0; 4];
        let len = content.len().min(4);
        let read = start.get_mut(..usize::try_from(len).unwrap_or(0)).unwrap_or_default();
        content.read_at(read, 0).map_err(classify_read_error)?;
        Ok(start == *b"\x7fELF" || start.starts_with(b"#!"))
    }

    /// Returns the machine of a program; `None` without one.
    pub(super) fn architecture(&self, path: &str) -> Result<Option<Architecture>> {
        of_path(self.tree, path.as_bytes()).map_err(classify_read_error)
    }

    pub(super) fn inode(&self, id: InodeId) -> &Inode<Blob> {
        self.tree.get(id)
    }

    pub(super) fn metadata_mut(&mut self, id: InodeId) -> &mut Metadata {
        self.tree.metadata_mut(id)
    }

    /// Returns the text of a regular file; `None` without one.
    pub(super) fn text(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self.find(path).map(|id| &self.tree.get(id).kind) {
            Some(Kind::Regular(content)) => {
                bounded::read_content(content, MAX_LEN, format_args!("the tree's {path}")).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Replaces the text of a file, whose metadata remains but for the time. Links to it are
    /// followed. Does nothing if it is the same.
    pub(super) fn replace(&mut self, path: &str, text: Vec<u8>) -> Result<()> {
        let before = self.text(path)?;
        let (Some(before), Some(id)) = (before, self.find(path)) else {
            return Err(refused(path, "it is not a regular file"));
        };
        if before != text {
            let kind = Kind::Regular(Blob::from(text));
            self.tree.replace_kind(id, kind).map_err(|_| refused(path, "it cannot be changed"))?;
            self.tree.metadata_mut(id).mtime = self.time;
            self.report.changes.push(format!("{path} was changed"));
        }
        Ok(())
    }

    /// Writes a new file of root, in place of anything but a directory.
    pub(super) fn write(&mut self, path: &str, text: impl Into<Vec<u8>>, mode: u16) -> Result<()> {
        let kind = Kind::Regular(Blob::from(text.into()));
        self.put(path, Inode { metadata: Metadata { mtime: self.time, ..Metadata::new(mode) }, kind })?;
        self.report.changes.push(format!("{path} was written"));
        Ok(())
    }

    /// Makes a link, in place of anything but a directory. Does nothing if there is the same.
    pub(super) fn link(&mut self, path: &str, target: &str) -> Result<()> {
        if let Some(Kind::Symlink(old)) = self.name(path).map(|inode| &inode.kind)
            && old.as_bytes() == target.as_bytes()
        {
            return Ok(());
        }
        let link = LinkTarget::new(target).map_err(|error| refused(path, &error.to_string()))?;
        let metadata = Metadata { mtime: self.time, ..Metadata::new(0o777) };
        self.put(path, Inode { metadata, kind: Kind::Symlink(link) })?;
        self.report.changes.push(format!("{path} is a link to {target}"));
        Ok(())
    }

    /// Copies a regular file of the host, which root owns, in place of anything but a directory.
    pub(super) fn copy(&mut self, file: &Path, path: &str, mode: u16) -> Result<()> {
        let found = directory::read_file(file)?;
        let Kind::Regular(content) = found.kind else {
            let message = format!("{}: is not a regular file, which {path} has to be", shown::path(file));
            return Err(Error::new(ErrorKind::BadInput, message));
        };
        if content.len() == 0 {
            let message = format!("{}: is empty, and would be {path}", shown::path(file));
            return Err(Error::new(ErrorKind::BadInput, message));
        }
        let metadata = Metadata { mtime: self.time, ..Metadata::new(mode) };
        self.put(path, Inode { metadata, kind: Kind::Regular(content) })?;
        self.report.changes.push(format!("{path} is {}", shown::path(file)));
        Ok(())
    }

    /// Creates a directory of root if there is none.
    pub(super) fn directory(&mut self, path: &str, mode: u16) -> Result<()> {
        if let Some(id) = self.find(path) {
            return match self.tree.entries(id) {
                Some(_) => Ok(()),
                None => Err(refused(path, "it is not a directory")),
            };
        }
        let metadata = Metadata { mtime: self.time, ..Metadata::new(mode) };
        self.put(path, Inode::directory(metadata))?;
        self.report.changes.push(format!("{path} was created"));
        Ok(())
    }

    /// Removes a name, and a directory with everything in it. Does nothing without one.
    pub(super) fn remove(&mut self, path: &[u8]) {
        let Some(directory) = resolve_in_root(self.tree, parent(path)) else { return };
        if self.tree.lookup(directory, base_name(path)).is_some() {
            self.tree.remove(directory, base_name(path));
            self.report.changes.push(format!("{} was removed", path.escape_ascii()));
        }
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.report.warnings.push(warning);
    }

    /// Moves a name to another path, in place of anything but a directory.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        let directory = resolve_in_root(self.tree, parent(from.as_bytes()));
        let id = directory.and_then(|id| self.tree.lookup(id, base_name(from.as_bytes())));
        let (Some(directory), Some(id)) = (directory, id) else {
            return Err(refused(from, "it is not in the tree"));
        };
        if self.find(to) == Some(id) && !matches!(self.name(to).map(|to| &to.kind), Some(Kind::Symlink(_))) {
            return Ok(());
        }
        let inode = self.tree.get(id).clone();
        self.put(to, inode)?;
        self.tree.remove(directory, base_name(from.as_bytes()));
        self.report.changes.push(format!("{from} is {to} now"));
        Ok(())
    }

    /// Returns the paths of all names for which `wanted` is true of the name and the target of a
    /// link, in the order of the walk.
    pub(super) fn names(&self, wanted: impl Fn(&[u8], Option<&[u8]>) -> bool) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut path = Vec::new();
        let mut walk = self.tree.walk();
        while let Some(step) = walk.next() {
            let Some(name) = step.name else { continue };
            let target = match &self.tree.get(step.id).kind {
                Kind::Symlink(target) => Some(target.as_bytes()),
                _ => None,
            };
            if wanted(name.as_bytes(), target) {
                path.clear();
                walk.write_path(&mut path);
                found.push(join(b"/", path.strip_prefix(b"/").unwrap_or(&path)));
            }
        }
        found
    }

    fn put(&mut self, path: &str, inode: Inode<Blob>) -> Result<()> {
        let parents = Metadata { mtime: self.time, ..Metadata::new(0o755) };
        let (directory, name) =
            parent_of(self.tree, path.as_bytes(), &parents).map_err(|why| refused(path, &why))?;
        if let Some(old) = self.tree.lookup(directory, name.as_bytes()) {
            if self.tree.entries(old).is_some() {
                return Err(refused(path, "it is a directory; --remove it first"));
            }
            self.tree.remove(directory, name.as_bytes());
        }
        self.tree.insert(directory, name, inode).map_err(|error| refused(path, &error.to_string()))?;
        Ok(())
    }
}

/// The error of a path that cannot be set up.
pub(super) fn refused(path: &str, why: &str) -> Error {
    Error::new(ErrorKind::BadInput, format!("the Kata guest's {path}: {why}"))
}
