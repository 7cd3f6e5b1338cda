//! The seam between `image` and the formats of filesystems.
//!
//! ```text
//! recipe ──▶ Filesystem ──properties──▶ how the tree is prepared: holes, shared blocks, lost+found
//!                 │
//!                 └─plan(tree, seed, place on the disk)──▶ PlannedFilesystem: an Image, and a report
//! ```
//!
//! Each format is a module here, one in `recipe/filesystem` (its options as data) and one in
//! `cli/filesystem` (its flags). Nothing else knows a format: `image` prepares the tree by the
//! [`Properties`], and passes on the report.

pub mod advice;
pub mod ext4;
mod label;

use std::collections::BTreeMap;
use std::fmt;

use image_runs::Image;
use image_tree::{InodeId, Timestamp, Tree};
use serde::Serialize;

use crate::blob::Blob;
use crate::disk::{DISK_UNIT, DiskOverhead};
use crate::error::{Error, ErrorKind, Result};
use crate::seed::Seed;
use crate::transform::own_directories::OwnDirectory;
use crate::transform::sparse;

pub use label::{Label, LabelError};

/// A format of filesystems with its options.
pub trait Filesystem: fmt::Debug {
    /// Returns the properties by which a tree is prepared for it.
    fn properties(&self) -> Properties;

    /// Plans a filesystem of a tree: decides the place of every byte, and writes none.
    ///
    /// # Errors
    /// [`DoesNotFit`](ErrorKind::DoesNotFit) if the size is too small or beyond the limit of the
    /// format, [`BadInput`](ErrorKind::BadInput) if the format cannot represent a file,
    /// [`Usage`](ErrorKind::Usage) if options conflict. Messages name the path, and the flag that
    /// helps.
    fn plan<'t>(
        &self,
        tree: &'t Tree<Blob>,
        request: &PlanRequest<'_>,
    ) -> Result<Box<dyn PlannedFilesystem + 't>>;
}

/// The properties of a filesystem that decide how a tree is prepared for it, before it is planned.
#[derive(Clone, Copy, Debug)]
pub struct Properties {
    /// The name of the byte layout: the same name means the same bytes for the same input.
    pub byte_layout: &'static str,
    /// The unit in which files have holes, in bytes.
    pub block_size: u64,
    /// The files that have holes.
    pub holes: sparse::Policy,
    /// True if files with the same bytes share blocks.
    pub shares_duplicates: bool,
    /// The maximum number of names of a file.
    pub max_links: usize,
    /// The directories that every filesystem of the format has in its root, in addition to those of
    /// the tree.
    pub own_directories: &'static [OwnDirectory],
    /// The offset at which the contents of files begin in most filesystems, in bytes, so that the
    /// output can be preallocated from there on while the tree is read; `None` if contents are not
    /// stored as they are, or not all of them.
    pub contents_begin: Option<u64>,
}

/// The values that a plan depends on beside the tree and the options of the format.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'r> {
    /// The size.
    pub size: Size,
    /// The place of the filesystem on the disk.
    pub overhead: DiskOverhead,
    /// The seed of identifiers.
    pub seed: &'r Seed,
    /// The creation time of the filesystem.
    pub created: Timestamp,
    /// Files with the bytes of an earlier one in the order of the tree's walk, each with that one;
    /// empty unless [`Properties::shares_duplicates`] is set.
    pub duplicates: &'r BTreeMap<InodeId, InodeId>,
}

/// The size of an image. Its debug form is part of the text that seeds are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The minimum size.
    Smallest,
    /// The minimum size in which an unprivileged user can write this many bytes.
    Free {
        /// The free space in bytes.
        bytes: u64,
    },
    /// The minimum size of which an unprivileged user can fill this share of the filesystem, in
    /// percent.
    FreePercent(u8),
    /// Exactly this many bytes, those of the partition table included.
    Total {
        /// The size in bytes.
        bytes: u64,
    },
}

/// A planned filesystem.
pub trait PlannedFilesystem: Image<Blob> {
    /// Returns the section of reports on it.
    fn report(&self) -> FilesystemReport;

    /// Returns a noun phrase with its format, number of files and room, as `an ext4 filesystem of 3
    /// files, 0 bytes available`.
    fn summary(&self) -> String;

    /// Returns further sentences about properties that a user may not expect.
    fn notes(&self) -> Vec<String>;
}

/// The section of a report on a filesystem: as JSON, with the name of the format as `type`, and as
/// lines of text.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FilesystemReport {
    /// An ext4 filesystem.
    Ext4(ext4::Ext4Report),
}

impl fmt::Display for FilesystemReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ext4(report) => report.fmt(f),
        }
    }
}

/// Returns the error of an image that is too small for a filesystem of `needed` bytes. Sizes are
/// those of the whole image, as the user gave them.
fn too_small(size: u64, needed: u64, overhead: DiskOverhead) -> Error {
    let needed = needed.saturating_add(overhead.total);
    let needed = needed.checked_next_multiple_of(DISK_UNIT).unwrap_or(needed);
    let message = format!(
        "the image is {missing} bytes too small: --size gives {size} bytes, the tree needs {needed}; \
         give --size {needed} or more, or leave it out for the smallest",
        missing = needed.saturating_sub(size),
    );
    Error::new(ErrorKind::DoesNotFit, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_is_too_small_is_reported_for_the_whole_image() {
        let overhead = DiskOverhead { offset: 1 << 20, total: (1 << 20) + 16_896 };
        let error = too_small(2 << 20, 3 << 20, overhead);
        let needed = ((4 << 20) + 16_896_u64).next_multiple_of(4096);
        let missing = needed - (2 << 20);
        assert_eq!(error.kind(), ErrorKind::DoesNotFit);
        assert_eq!(
            error.to_string(),
            format!(
                "the image is {missing} bytes too small: --size gives 2097152 bytes, the tree needs {needed}; \
                 give --size {needed} or more, or leave it out for the smallest"
            )
        );
    }
}
