//! A loaded object of a process, as its dynamic linker represents it.

use std::collections::BTreeSet;
use std::sync::Arc;

use image_tree::InodeId;

use crate::closure::elf::Elf;
use image_tree::path::parent;
use image_tree::resolve::Resolved;

/// A loaded object of a process.
#[derive(Clone, Debug)]
pub(in crate::closure) struct Object {
    pub(in crate::closure) elf: Arc<Elf>,
    /// The path without symbolic links.
    pub(in crate::closure) path: Vec<u8>,
    /// The expansion of `$ORIGIN`: the directory in which it was opened.
    pub(in crate::closure) origin: Vec<u8>,
    /// The object that first caused it to be loaded.
    pub(in crate::closure) loaded_by: Option<usize>,
    /// The names by which it was loaded.
    pub(in crate::closure) names: BTreeSet<Vec<u8>>,
    /// True if it is the dynamic linker itself.
    pub(in crate::closure) is_dynamic_linker: bool,
    /// True if it is loaded only on some processors. It does not match any name, so that the
    /// dependencies of other objects are resolved for every processor.
    pub(in crate::closure) is_variant: bool,
    pub(in crate::closure) id: InodeId,
}

impl Object {
    pub(in crate::closure) fn new(
        elf: Arc<Elf>,
        file: &Resolved,
        opened: &[u8],
        loaded_by: Option<usize>,
    ) -> Self {
        Self {
            elf,
            path: file.path.clone(),
            origin: parent(opened).to_vec(),
            loaded_by,
            names: BTreeSet::new(),
            is_dynamic_linker: false,
            is_variant: false,
            id: file.id,
        }
    }

    pub(in crate::closure) fn is_called(&self, name: &[u8]) -> bool {
        self.names.contains(name)
    }

    pub(in crate::closure) fn soname(&self) -> Option<&[u8]> {
        self.elf.dynamic.as_ref()?.soname.as_deref()
    }
}
