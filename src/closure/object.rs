//! A loaded object of a process, as its dynamic linker represents it.

use std::collections::BTreeSet;
use std::sync::Arc;

use image_tree::InodeId;

use crate::closure::elf::Elf;
use image_tree::path::parent;
use image_tree::resolve::Resolved;

/// A loaded object of a process.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) elf: Arc<Elf>,
    /// The path without symbolic links.
    pub(super) path: Vec<u8>,
    /// The expansion of `$ORIGIN`: the directory in which it was opened.
    pub(super) origin: Vec<u8>,
    /// The object that first caused it to be loaded.
    pub(super) loader: Option<usize>,
    /// The names by which it was loaded.
    pub(super) names: BTreeSet<Vec<u8>>,
    /// True if it is the dynamic linker itself.
    pub(super) is_loader: bool,
    /// True if it is loaded only on some processors. It does not match any name, so that the needs
    /// of other objects are resolved for every processor.
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
