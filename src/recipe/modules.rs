//! The changes to the kernel modules of a tree.

use std::path::PathBuf;

pub use crate::transform::kernel_modules::Compression;

/// The changes to the kernel modules of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModulesRecipe {
    /// A directory of the host whose modules are added to the tree: `lib/modules/VERSION` of
    /// another tree, or one of several versions.
    pub directory: Option<PathBuf>,
    /// The version to add; `None` for the only one.
    pub version: Option<Vec<u8>>,
    /// The compression of modules.
    pub compression: Compression,
    /// True if debug sections are removed, and the signatures of modules that had some.
    pub strip: bool,
}
