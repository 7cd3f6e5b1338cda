//! The input of a plan.

use crate::module::Module;
use crate::name::module_name;

/// A module with its file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The path below `lib/modules/VERSION`, as `kernel/fs/9p/9p.ko.xz`.
    pub path: Vec<u8>,
    /// The name: that of the path.
    pub name: Vec<u8>,
    /// The contents of the file.
    pub module: Module,
}

impl Entry {
    /// Returns a module in the file at this path below `lib/modules/VERSION`.
    #[must_use]
    pub fn new(path: Vec<u8>, module: Module) -> Self {
        Self { name: module_name(&path), path, module }
    }
}

/// The modules of a version of the kernel, and the files that come with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'s> {
    /// The modules, in any order.
    pub modules: &'s [Entry],
    /// `modules.order`, if there is one.
    pub order: Option<&'s [u8]>,
    /// `modules.builtin`, if there is one.
    pub builtin: Option<&'s [u8]>,
    /// `modules.builtin.modinfo`, if there is one.
    pub builtin_modinfo: Option<&'s [u8]>,
}
