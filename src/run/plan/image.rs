//! The plan of a disk.

mod describe;
mod disk;
mod frame;
mod measurement;
mod root_hash_file;

use image_tree::dump::{self, Body};
use image_tree::{Kind, Timestamp, Tree};

use super::initrd::kernel;
use super::setting::Context;
use crate::blob::Blob;
use crate::disk::{DiskFrame, DiskPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{PlanRequest, PlannedFilesystem, Properties, Work};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::{Preallocation, Reflink};
use crate::recipe::preset::DiskPreset;
use crate::recipe::{ImageRecipe, TreeRecipe};
use crate::report::ImageReport;
use crate::run::pipeline::{self, Holes, Prepared, Verb};

pub(super) use describe::summary;
pub(super) use disk::{Disk, Measured, Outputs, WholeMeasured};
pub(in crate::run) use root_hash_file::RootHashFile;

/// A planned disk.
pub(super) struct PlannedDisk<'t> {
    pub(super) filesystem: Box<dyn PlannedFilesystem + Send + 't>,
    pub(super) frame: DiskFrame,
    /// The disk before its root hash is known.
    pub(super) plan: DiskPlan,
    byte_layout: &'static str,
}

/// Reads the tree of a disk.
pub(super) fn read(recipe: &ImageRecipe, context: &Context<'_>) -> Result<(Prepared, Option<Preallocation>)> {
    let properties = recipe.filesystem.filesystem().properties();
    let preallocation = context.preallocate(properties.contents_begin);
    let found = context.found(preallocation.as_ref());
    let prepared = pipeline::run(Verb::Image, &options(&properties, context.options(&found)))?;
    Ok((prepared, preallocation))
}

fn options<'r>(properties: &'r Properties, options: pipeline::Options<'r>) -> pipeline::Options<'r> {
    let holes = Holes::Blocks { policy: properties.holes, len: properties.block_size };
    pipeline::Options { filesystem: Some(properties), holes, ..options }
}

/// Plans a disk of a tree.
pub(super) fn plan<'t>(
    tree_recipe: &TreeRecipe,
    recipe: &ImageRecipe,
    prepared: &'t Prepared,
    interrupt: &Interrupt,
) -> Result<PlannedDisk<'t>> {
    let filesystem = recipe.filesystem.filesystem();
    let tree = &prepared.tree;
    if recipe.reflink == Reflink::Always {
        refuse_archives(tree)?;
    }
    let seed = recipe
        .seed(tree_recipe, |mut text| dump::write(tree, &mut text, |_, _| Ok(Body::None)))
        .map_err(|error| Error::new(ErrorKind::Io, error))?;
    let frame = frame::frame((tree_recipe, recipe), tree, &seed)?;
    let kernel = kernel::config(recipe.filesystem.kernel())?;
    let request = PlanRequest {
        size: recipe.size,
        disk: &frame,
        seed: &seed,
        created: tree_recipe.source_date_epoch.unwrap_or(Timestamp::EPOCH),
        duplicates: &prepared.duplicates,
        kernel: &kernel,
        work: Work {
            threads: &tree_recipe.threads,
            interrupt,
            cache: prepared.cache.as_ref(),
            temporary: prepared.temporary.as_deref(),
        },
    };
    let planned = filesystem.plan(tree, &request)?;
    let plan = frame.plan(planned.len())?;
    let byte_layout = filesystem.properties().byte_layout;
    Ok(PlannedDisk { filesystem: planned, frame, plan, byte_layout })
}

impl PlannedDisk<'_> {
    /// Returns the report on the plan.
    pub(super) fn report(
        &self,
        (tree, recipe): (&TreeRecipe, &ImageRecipe),
        prepared: &Prepared,
        log: &Log,
    ) -> Result<ImageReport> {
        let Self { filesystem, frame, plan, byte_layout } = self;
        let planned = describe::Planned { frame, plan, filesystem: &**filesystem, byte_layout };
        let report = describe::describe((tree, recipe), prepared, planned)?;
        warn_of_kata(recipe, &report, log);
        Ok(report)
    }

    /// Returns the disk to write.
    pub(super) fn disk(&self) -> Disk<'_> {
        Disk { frame: &self.frame, plan: &self.plan, filesystem: &*self.filesystem }
    }
}

/// Records the root hash of a disk in its report, and what depends on it.
pub(super) fn record_measured(
    report: &mut ImageReport,
    recipe: &ImageRecipe,
    disk: Disk<'_>,
    measured: &Measured,
) -> Result<()> {
    describe::record(report, recipe, disk.frame, measured)
}

/// Warns of a guest extension that Kata's guests do not mount.
fn warn_of_kata(recipe: &ImageRecipe, report: &ImageReport, log: &Log) {
    /// The only format that the service of Kata's guests mounts.
    const MOUNTED: &str = "erofs";
    let format = report.filesystem.format();
    if recipe.preset == Some(DiskPreset::KataExtension) && format != MOUNTED {
        log.warn(format_args!(
            "Kata's guests mount extensions as {MOUNTED}, and this one is {format}: the guest needs a service of its own \
             that mounts it"
        ));
    }
}

/// Fails if contents are not files of the host, since only those can be cloned; contents in memory
/// are shorter than a block.
fn refuse_archives(tree: &Tree<Blob>) -> Result<()> {
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        if let Kind::Regular(content) = &tree.get(step.id).kind
            && matches!(content.unmapped(), Blob::Range(_) | Blob::Sparse(_))
        {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            let message = format!(
                "{}: its bytes are part of an archive, which cannot be cloned; --reflink=auto copies them",
                String::from_utf8_lossy(&path)
            );
            return Err(Error::new(ErrorKind::Usage, message));
        }
    }
    Ok(())
}
