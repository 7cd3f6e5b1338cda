//! Adding files by tables of paths.

use image_tree::path::join;
use image_tree::resolve::resolve_in_root;
use image_tree::{Content, Directories};

use crate::closure::Kind;
use crate::closure::config::file::read;
use crate::closure::dependency::{Dependencies, PATH, Target};
use crate::closure::error::Result;

/// The files of a tree that are added to a closure. None is mandatory.
pub(super) struct Files<'f, 't, T> {
    pub(super) tree: &'t T,
    found: &'f mut Dependencies,
}

impl<'f, 't, T: Directories<Content: Content>> Files<'f, 't, T> {
    pub(super) fn new(tree: &'t T, found: &'f mut Dependencies) -> Self {
        Self { tree, found }
    }

    /// Adds a file. A path that ends in `/` stands for the files of that directory.
    pub(super) fn add(&mut self, path: &str, reason: &str) {
        match path.strip_suffix('/') {
            Some(directory) => self.add_all(directory.as_bytes(), reason),
            None => self.add_path(path.as_bytes(), reason),
        }
    }

    pub(super) fn add_path(&mut self, path: &[u8], reason: &str) {
        self.found.configured(path, false, reason.to_owned());
    }

    /// Adds every file of a directory.
    pub(super) fn add_all(&mut self, directory: &[u8], reason: &str) {
        for name in self.names(directory) {
            self.add_path(&join(directory, &name), reason);
        }
    }

    /// Adds a name, without the target of a link or the content of a directory.
    pub(super) fn add_name(&mut self, path: &[u8], reason: &str) {
        self.found.add(Target::Name(path.to_vec()), Kind::Configured, false, reason.to_owned());
    }

    /// Adds a directory with its whole content, without examining it.
    pub(super) fn add_whole(&mut self, directory: &[u8], reason: &str) {
        self.found.add(Target::Whole(directory.to_vec()), Kind::Configured, false, reason.to_owned());
    }

    /// Adds a program, by its path or by a name that is searched for.
    pub(super) fn add_program(&mut self, name: &[u8], reason: &str) {
        self.found.add(Target::program(name, &PATH), Kind::Configured, false, reason.to_owned());
    }

    /// Returns the names in a directory, in order; none if it does not exist.
    pub(super) fn names(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        let entries = resolve_in_root(self.tree, directory).and_then(|id| self.tree.entries(id));
        entries.into_iter().flatten().map(|(name, _)| name.as_bytes().to_vec()).collect()
    }

    /// Returns the text of a file; empty if it does not exist.
    pub(super) fn text(&self, path: &[u8]) -> Result<Vec<u8>> {
        Ok(read(self.tree, path)?.unwrap_or_default())
    }
}

/// Returns the lines of a text that are neither empty nor a comment, each split into its fields.
pub(super) fn records(text: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    lines.map(|line| line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()).collect())
}
