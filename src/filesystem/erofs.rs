//! EROFS, by [`mkfs_erofs`].

mod error;
mod kernel;
mod pack;
mod report;

use std::collections::BTreeSet;

use image_runs::{Image, Run};
use image_tree::glob::Glob;
use image_tree::{InodeId, Tree};
use mkfs_erofs::{KernelVersion, Layout, Options, PackOptions};
use uuid::Uuid;

use super::{Filesystem, FilesystemReport, Label, PlanRequest, PlannedFilesystem, Properties, Size};
use crate::blob::Blob;
use crate::error::Result;
use crate::seed::label;
use crate::shown::{ByteCount, Count};
use crate::transform::{sparse, unusable_xattrs};

pub use report::ErofsReport;

/// The name of the byte layout. A different layout has a different name, and so different
/// identifiers.
pub const BYTE_LAYOUT: &str = "erofs-1";

/// An EROFS filesystem to be planned.
#[derive(Clone, Debug)]
pub struct Erofs {
    /// The options. Identifiers, label, length, time and holes are replaced.
    pub options: Options,
    /// The compression, and the files that it leaves out.
    pub compression: Option<Compression>,
    /// The name of the profile, for reports.
    pub profile: &'static str,
    /// The label.
    pub label: Label,
    /// The UUID; `None` derives it from the seed.
    pub uuid: Option<Uuid>,
    /// The files that have holes.
    pub holes: sparse::Policy,
    /// The version of the kernel that has to mount it; `None` for any.
    pub max_kernel: Option<KernelVersion>,
}

/// The compression of files.
#[derive(Clone, Debug)]
pub struct Compression {
    /// The options.
    pub options: PackOptions,
    /// The paths of files that are stored as they are.
    pub exclude: Vec<Glob>,
}

impl Compression {
    /// Returns the files that are stored as they are.
    fn excluded(&self, tree: &Tree<Blob>) -> BTreeSet<InodeId> {
        let mut excluded = BTreeSet::new();
        if self.exclude.is_empty() {
            return excluded;
        }
        let (mut walk, mut path) = (tree.walk(), Vec::new());
        while let Some(step) = walk.next() {
            path.clear();
            walk.write_path(&mut path);
            if self.exclude.iter().any(|glob| glob.matches(&path)) {
                excluded.insert(step.id);
            }
        }
        excluded
    }
}

impl Erofs {
    /// Returns the options for a request.
    fn options(&self, request: &PlanRequest<'_>) -> Result<Options> {
        let PlanRequest { seed, disk, .. } = request;
        let mut options = self.options.clone();
        options.uuid = self.uuid.unwrap_or_else(|| seed.uuid(label::EROFS_UUID));
        options.label = mkfs_erofs::Label::new(self.label.as_str()).map_err(error::usage)?;
        options.len = match request.size {
            Size::Total { bytes } => Some(disk.room_in(bytes)?),
            // Free space is refused by the recipe.
            Size::Smallest | Size::Free { .. } | Size::FreePercent(_) => None,
        };
        options.holes = self.holes != sparse::Policy::Never;
        options.created = request.created;
        Ok(options)
    }
}

impl Filesystem for Erofs {
    fn properties(&self) -> Properties {
        Properties {
            byte_layout: BYTE_LAYOUT,
            block_size: self.options.block_size.bytes(),
            holes: self.holes,
            shares_duplicates: true,
            max_links: Options::MAX_LINKS,
            xattrs: unusable_xattrs::Support { format: "EROFS", converts_acls: true },
            own_directories: &[],
            contents_begin: None,
        }
    }

    fn plan<'t>(
        &self,
        tree: &'t Tree<Blob>,
        request: &PlanRequest<'_>,
    ) -> Result<Box<dyn PlannedFilesystem + Send + 't>> {
        let options = self.options(request)?;
        let shared = request.duplicates;
        let layout = match &self.compression {
            None => mkfs_erofs::plan_sharing(tree, &options, shared),
            Some(compression) => {
                let excluded = compression.excluded(tree);
                let pack_options = compression.options.clone();
                let packed = pack::pack(tree, pack_options, shared, &excluded, &request.work)?;
                mkfs_erofs::plan_packed(tree, &options, shared, packed)
            }
        };
        let layout = layout.map_err(|error| error::classify_plan_error(error, request))?;
        let summary = layout.summary();
        let ignored = kernel::check(&summary.needs, self.max_kernel, request.kernel)?;
        let codec = self.compression.as_ref().map(|compression| compression.options.codec);
        let report = ErofsReport::new(&summary, &options, (&self.label, self.profile), codec);
        Ok(Box::new(Planned { layout, report, ignored }))
    }
}

/// A planned EROFS filesystem.
struct Planned<'t> {
    layout: Layout<'t, Blob>,
    report: ErofsReport,
    /// The metadata that the kernel ignores, as sentences.
    ignored: Vec<String>,
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
        FilesystemReport::Erofs(self.report.clone())
    }

    fn summary(&self) -> String {
        let files = Count(self.layout.summary().files, "file", "files");
        format!("an EROFS filesystem of {files}, for Linux {} and later", self.report.oldest_kernel)
    }

    fn notes(&self) -> Vec<String> {
        let ErofsReport { shared_files, shared_blocks, block_size, .. } = self.report;
        let mut notes = self.ignored.clone();
        if shared_files > 0 {
            let files = Count(shared_files, "file shares", "files share");
            notes.push(format!("{files} {} with others", ByteCount(shared_blocks * u64::from(block_size))));
        }
        notes
    }
}
