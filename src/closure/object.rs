//! A file in a process, as its loader knows it.

use std::collections::BTreeSet;
use std::sync::Arc;

use image_tree::InodeId;

use super::elf::Elf;
use super::files::parent;
use crate::resolve::Resolved;

/// A file in a process.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) elf: Arc<Elf>,
    /// Its path without symbolic links.
    pub(super) path: Vec<u8>,
    /// What `$ORIGIN` stands for: the directory it was opened in.
    pub(super) origin: Vec<u8>,
    /// The object that it was first loaded for.
    pub(super) loader: Option<usize>,
    /// What it was loaded as.
    pub(super) names: BTreeSet<Vec<u8>>,
    /// Whether it is the loader itself.
    pub(super) is_loader: bool,
    /// Whether it is there on better processors only. It answers to no name here, so that what others need is found
    /// for every processor.
    pub(super) is_variant: bool,
    pub(super) id: InodeId,
}

impl Object {
    pub(super) fn new(elf: Arc<Elf>, file: &Resolved, opened: &[u8], loader: Option<usize>) -> Self {
        Self {
            elf,
            path: file.path.clone(),
            origin: parent(opened).to_vec(),
            loader,
            names: BTreeSet::new(),
            is_loader: false,
            is_variant: false,
            id: file.id,
        }
    }

    pub(super) fn is_called(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }

    pub(super) fn soname(&self) -> Option<&[u8]> {
        self.elf.dynamic.as_ref()?.soname.as_deref()
    }
}
