//! The plan of a filesystem: its request, and the result.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use image_runs::Image;
use image_tree::{InodeId, Timestamp, Tree};
use initramfs::KernelConfig;

use super::report::FilesystemReport;
use super::size::Size;
use crate::blob::Blob;
use crate::cache::Cache;
use crate::disk::DiskFrame;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::seed::Seed;
use crate::threads::Threads;
use crate::transform::own_directories::OwnDirectory;
use crate::transform::{sparse, unusable_xattrs};

/// A format of filesystems with its options.
pub trait Filesystem: fmt::Debug {
    /// Returns the properties by which a tree is prepared for it.
    fn properties(&self) -> Properties;

    /// Plans a filesystem of a tree: decides the place of every byte, and writes none.
    ///
    /// # Errors
    /// [`DoesNotFit`](crate::error::ErrorKind::DoesNotFit) if the size is too small or beyond the
    /// limit of the format, [`BadInput`](crate::error::ErrorKind::BadInput) if the format cannot
    /// represent a file, [`Usage`](crate::error::ErrorKind::Usage) if options conflict. Messages
    /// name the path, and the flag that helps.
    fn plan<'t>(
        &self,
        tree: &'t Tree<Blob>,
        request: &PlanRequest<'_>,
    ) -> Result<Box<dyn PlannedFilesystem + Send + 't>>;
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
    pub max_links: u64,
    /// The extended attributes that it can hold.
    pub xattrs: unusable_xattrs::Support,
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
    /// The disk around the filesystem.
    pub disk: &'r DiskFrame,
    /// The seed of identifiers.
    pub seed: &'r Seed,
    /// The creation time of the filesystem.
    pub created: Timestamp,
    /// Files with the bytes of an earlier one in the order of the tree's walk, each with that one;
    /// empty unless [`Properties::shares_duplicates`] is set.
    pub duplicates: &'r BTreeMap<InodeId, InodeId>,
    /// The configuration of the kernel that has to mount it.
    pub kernel: &'r KernelConfig,
    /// The means of work on the contents of files, for a format that compresses them.
    pub work: Work<'r>,
}

/// The means of work on the contents of files while a filesystem is planned. None affects the
/// bytes.
#[derive(Clone, Copy, Debug)]
pub struct Work<'w> {
    /// The threads.
    pub threads: &'w Threads,
    /// The interrupt, checked between units of work.
    pub interrupt: &'w Interrupt,
    /// The cache of results.
    pub cache: Option<&'w Cache>,
    /// The directory for temporary files; `None` for that of the environment.
    pub temporary: Option<&'w Path>,
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
