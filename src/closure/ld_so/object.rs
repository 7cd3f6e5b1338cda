//! A loaded object of a process, as its dynamic linker represents it.

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
    /// The expansion of `$ORIGIN`: the directory in which it was opened. `None` for a program that
    /// starts before `/proc` is mounted, from which the dynamic linker reads its path.
    pub(in crate::closure) origin: Option<Vec<u8>>,
    /// The object that first caused it to be loaded.
    pub(in crate::closure) loaded_by: Option<usize>,
    /// The names by which it was loaded, which are few.
    pub(in crate::closure) names: Vec<Vec<u8>>,
    /// True if it is the dynamic linker itself.
    pub(in crate::closure) is_dynamic_linker: bool,
    /// True if it is loaded only on some processors. It does not match any name, so that the
    /// dependencies of other objects are resolved for every processor.
    pub(in crate::closure) is_variant: bool,
    pub(in crate::closure) id: InodeId,
    /// The number of its path, by which the search remembers its dependencies.
    pub(in crate::closure) number: Option<u32>,
}

/// The state of a process during a search.
#[derive(Clone, Copy, Debug)]
pub(in crate::closure) struct Loaded<'p> {
    /// The objects loaded so far, the program first.
    pub(in crate::closure) objects: &'p [Object],
    /// The value of `LD_LIBRARY_PATH`; empty without one.
    pub(in crate::closure) library_path: &'p [u8],
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
            origin: Some(parent(opened).to_vec()),
            loaded_by,
            names: Vec::new(),
            number: None,
            is_dynamic_linker: false,
            is_variant: false,
            id: file.id,
        }
    }

    pub(in crate::closure) fn is_called(&self, name: &[u8]) -> bool {
        self.names.iter().any(|own| own == name)
    }

    pub(in crate::closure) fn soname(&self) -> Option<&[u8]> {
        self.elf.soname()
    }
}
