//! The versions whose modules differ between two states of a tree.

use std::collections::BTreeMap;

use image_tree::path::base_name;
use image_tree::{Kind, Tree};

use crate::blob::Blob;
use crate::closure::kernel_modules::{find, versions};

/// The modules of each version, by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules(BTreeMap<Vec<u8>, Vec<(Vec<u8>, Blob)>>);

impl Modules {
    /// Returns the modules of a tree. Those of a version with more directories than can be searched
    /// are left out.
    #[must_use]
    pub fn of(tree: &Tree<Blob>) -> Self {
        let files = |version: &[u8]| {
            let files = find(tree, version).map(|found| found.files).unwrap_or_default().into_iter();
            let blob = |id| match &tree.get(id).kind {
                Kind::Regular(blob) => Some(blob.clone()),
                _ => None,
            };
            files.filter_map(|file| Some((file.path, blob(file.id)?))).collect()
        };
        Self(versions(tree).into_iter().map(|path| (path.clone(), files(&path))).collect())
    }

    /// Returns the directories of the versions that have other modules now, without the version
    /// that was added with its indices.
    #[must_use]
    pub fn changed_to(&self, now: &Self, added: Option<&[u8]>) -> Vec<Vec<u8>> {
        let is_changed = |path: &[u8], files: &[(Vec<u8>, Blob)]| match self.0.get(path) {
            Some(before) => before != files,
            None => !files.is_empty() && added != Some(base_name(path)),
        };
        let changed = now.0.iter().filter(|(path, files)| is_changed(path, files));
        changed.map(|(path, _)| path.clone()).collect()
    }
}
