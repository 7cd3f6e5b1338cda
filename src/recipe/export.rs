//! The image of containers to make of a tree.

use std::path::{Path, PathBuf};

use initramfs::codec::Codec;

use super::TreeRecipe;
use crate::log::Level;

/// An image of containers to make of a tree.
#[derive(Clone, Debug)]
pub struct ExportRecipe {
    /// The tree.
    pub tree: TreeRecipe,
    /// The place of the image; none if it is only planned.
    pub target: Option<Target>,
    /// The compression of the layer.
    pub codec: Codec,
    /// True for one layer for each source, false for one layer.
    pub split: bool,
    /// A file with the settings of containers.
    pub config: Option<PathBuf>,
    /// True to plan and report only, and to write nothing.
    pub dry_run: bool,
    /// True if only errors and warnings are printed.
    pub quiet: bool,
    /// True if the report on standard output is JSON.
    pub json: bool,
}

/// The place of an image.
#[derive(Clone, Debug)]
pub struct Target {
    /// The directory or the archive of the image layout.
    pub path: PathBuf,
    /// True for an archive.
    pub is_archive: bool,
    /// The name of the image in its layout.
    pub tag: Option<String>,
}

impl ExportRecipe {
    /// The files of the host that it names and that are read, some of which may be directories.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Path> {
        let mut inputs = self.tree.inputs();
        inputs.extend(self.config.as_deref());
        inputs
    }

    /// The verbosity of messages on standard error.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.quiet { Level::Quiet } else { self.tree.level() }
    }
}
