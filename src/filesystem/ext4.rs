//! ext4, by [`mkfs_ext4`].

mod error;
mod report;

use std::ops::RangeInclusive;

use image_runs::{Image, Run};
use image_tree::Tree;
use mkfs_ext4::{Layout, Options};
use uuid::Uuid;

use super::{Filesystem, FilesystemReport, Label, PlanRequest, PlannedFilesystem, Properties, Size};
use crate::blob::Blob;
use crate::error::Result;
use crate::seed::label;
use crate::shown::Count;
use crate::transform::own_directories::OwnDirectory;
use crate::transform::{sparse, unusable_xattrs};

pub use report::Ext4Report;

/// The name of the byte layout. A different layout has a different name, and so different
/// identifiers.
pub const BYTE_LAYOUT: &str = "ext4-2";

/// The seconds since 1970 that times of files can have.
pub(super) const TIME_RANGE: RangeInclusive<i64> = Options::TIME_RANGE;

/// The maximum number of names of a file.
pub(super) const MAX_LINKS: u64 = Options::MAX_LINKS;

/// The number of bytes of free space for each inode that is added for it.
pub const BYTES_PER_INODE: u64 = Options::BYTES_PER_INODE;

/// The offset behind the journal of most filesystems, in bytes. The journal is nearly all zeros.
const AFTER_JOURNAL: u64 = 24 << 20;

/// An ext4 filesystem to be planned.
#[derive(Clone, Debug)]
pub struct Ext4 {
    /// The options. Identifiers, label, size, time and holes are replaced, and so is the offset of
    /// aligned data.
    pub options: Options,
    /// The name of the profile, for reports.
    pub profile: &'static str,
    /// The label.
    pub label: Label,
    /// The UUID; `None` derives it from the seed.
    pub uuid: Option<Uuid>,
    /// The files that have holes.
    pub holes: sparse::Policy,
    /// True if files with the same bytes share blocks.
    pub shares_duplicates: bool,
}

impl Ext4 {
    /// Returns the options for a request.
    fn options(&self, request: &PlanRequest<'_>) -> Result<Options> {
        let PlanRequest { seed, disk, .. } = request;
        let mut options = self.options.clone();
        options.uuid = self.uuid.unwrap_or_else(|| seed.uuid(label::EXT4_UUID));
        options.hash_seed = seed.uuid(label::EXT4_HASH_SEED);
        options.label = mkfs_ext4::Label::new(self.label.as_str()).map_err(error::usage)?;
        options.size = match request.size {
            Size::Smallest => mkfs_ext4::Size::Smallest,
            Size::Free { bytes } => mkfs_ext4::Size::Free { bytes },
            Size::FreePercent(percent) => mkfs_ext4::Size::FreePercent(percent),
            Size::Total { bytes } => mkfs_ext4::Size::Total { bytes: disk.room_in(bytes)? },
        };
        options.holes = self.holes != sparse::Policy::Never;
        if let Some(alignment) = &mut options.data_alignment {
            alignment.filesystem_offset = disk.offset()?;
        }
        options.created = request.created;
        Ok(options)
    }
}

impl Filesystem for Ext4 {
    fn properties(&self) -> Properties {
        Properties {
            byte_layout: BYTE_LAYOUT,
            block_size: self.options.block_size.bytes(),
            holes: self.holes,
            shares_duplicates: self.shares_duplicates,
            max_links: MAX_LINKS,
            xattrs: unusable_xattrs::Support { format: "ext4", converts_acls: true },
            own_directories: &[OwnDirectory { name: "lost+found", mode: 0o700 }],
            contents_begin: (!self.shares_duplicates).then_some(AFTER_JOURNAL),
        }
    }

    fn plan<'t>(
        &self,
        tree: &'t Tree<Blob>,
        request: &PlanRequest<'_>,
    ) -> Result<Box<dyn PlannedFilesystem + Send + 't>> {
        let options = self.options(request)?;
        let layout = mkfs_ext4::plan_sharing(tree, &options, request.duplicates)
            .map_err(|error| error::classify_plan_error(error, request))?;
        let report = Ext4Report::new(&layout.summary(), &options, &self.label, self.profile);
        Ok(Box::new(Planned { layout, report }))
    }
}

/// A planned ext4 filesystem.
struct Planned<'t> {
    layout: Layout<'t, Blob>,
    report: Ext4Report,
}

impl Image<Blob> for Planned<'_> {
    fn len(&self) -> u64 {
        self.layout.len()
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Blob>> + Send + '_> {
        self.layout.runs()
    }
}

impl PlannedFilesystem for Planned<'_> {
    fn report(&self) -> FilesystemReport {
        FilesystemReport::Ext4(self.report.clone())
    }

    fn summary(&self) -> String {
        let summary = self.layout.summary();
        let available = summary.available_blocks * u64::from(summary.block_size);
        let files = Count(summary.files, "file", "files");
        format!("an ext4 filesystem of {files}, {available} bytes available")
    }

    fn notes(&self) -> Vec<String> {
        // Fewer than the identical files: files stored in inodes share nothing.
        let Ext4Report { shared_files, shared_blocks, block_size, .. } = self.report;
        if shared_files == 0 {
            return Vec::new();
        }
        let bytes = shared_blocks * u64::from(block_size);
        vec![format!(
            "{} blocks of {bytes} bytes with others, and the filesystem can be mounted for reading only",
            Count(shared_files, "file shares", "files share")
        )]
    }
}
