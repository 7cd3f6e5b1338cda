//! A planned product together with the tree that its bytes come from.

use std::path::Path;

use image_runs::Image;
use self_cell::self_cell;
use tar_archive::Layout;

use super::image::{self, Disk, Outputs, PlannedDisk, WholeMeasured};
use super::initrd::{self, PlannedInitramfs};
use super::setting::{Context, Setting};
use super::tar;
use crate::blob::Blob;
use crate::disk::DiskLayout;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::{Preallocation, Reflink, WriteOptions};
use crate::recipe::{Build, Make};
use crate::report::Report;
use crate::run::pipeline::Prepared;
use crate::shown;
use crate::watch::Watch;

/// A build, and what was read for it.
pub(super) struct Ingredients {
    pub(super) build: Build,
    pub(super) prepared: Prepared,
    /// The parts of an initramfs beside the tree; `None` for other products.
    initrd: Option<initrd::Parts>,
}

impl Ingredients {
    /// Reads the sources of a build.
    pub(super) fn read(
        build: &Build,
        watch: &Watch,
        log: &Log,
        setting: &Setting<'_>,
    ) -> Result<(Self, Option<Preallocation>)> {
        let context = Context { tree: &build.tree, setting, watch, log };
        let mut initrd = None;
        let (prepared, preallocation) = match &build.make {
            Make::Image(recipe) => image::read(recipe, &context)?,
            Make::Tar(recipe) => tar::read(recipe, &context)?,
            Make::Initrd(recipe) => {
                let parts = initrd.insert(initrd::Parts::read(recipe, log)?);
                initrd::read(recipe, parts, &context)?
            }
        };
        Ok((Self { build: build.clone(), prepared, initrd }, preallocation))
    }
}

/// A planned product, which borrows from the ingredients.
enum Planned<'t> {
    Image(PlannedDisk<'t>),
    Initrd(PlannedInitramfs<'t>),
    Tar(Layout<'t, Blob>),
}

self_cell!(
    struct Cell {
        owner: Ingredients,

        #[covariant]
        dependent: Planned,
    }
);

/// A planned product with its ingredients.
pub(super) struct Parts(Cell);

/// Images with their offsets in bytes, in order.
type Images<'p> = Vec<(u64, &'p (dyn Image<Blob> + 'p))>;

impl Parts {
    /// Plans the product.
    pub(super) fn plan(ingredients: Ingredients, interrupt: &Interrupt, log: &Log) -> Result<Self> {
        Cell::try_new(ingredients, |Ingredients { build, prepared, initrd }| {
            Ok(match (&build.make, initrd) {
                (Make::Image(recipe), _) => {
                    Planned::Image(image::plan(&build.tree, recipe, prepared, interrupt)?)
                }
                (Make::Tar(_), _) => Planned::Tar(tar::plan(prepared)?),
                (Make::Initrd(recipe), Some(parts)) => {
                    Planned::Initrd(initrd::plan(recipe, parts, &prepared.tree, interrupt, log)?)
                }
                (Make::Initrd(_), None) => return Err(mismatch()),
            })
        })
        .map(Self)
    }

    /// The build, and what was read for it.
    pub(super) fn ingredients(&self) -> &Ingredients {
        self.0.borrow_owner()
    }

    /// The planned disk, if the product is one.
    pub(super) fn disk(&self) -> Option<Disk<'_>> {
        match self.0.borrow_dependent() {
            Planned::Image(planned) => Some(planned.disk()),
            Planned::Initrd(_) | Planned::Tar(_) => None,
        }
    }

    /// Returns the report on the plan.
    pub(super) fn report(&self, log: &Log) -> Result<Report> {
        let Ingredients { build, prepared, .. } = self.ingredients();
        let tree = &build.tree;
        Ok(match (self.0.borrow_dependent(), &build.make) {
            (Planned::Image(planned), Make::Image(recipe)) => {
                Report::Image(Box::new(planned.report((tree, recipe), prepared, log)?))
            }
            (Planned::Initrd(planned), Make::Initrd(_)) => {
                Report::Initrd(Box::new(planned.report(tree, prepared)))
            }
            (Planned::Tar(layout), Make::Tar(recipe)) => {
                Report::Tar(Box::new(tar::describe((tree, recipe), prepared, layout)))
            }
            _ => return Err(mismatch()),
        })
    }

    /// The length of the product before compression, in bytes.
    pub(super) fn len(&self) -> u64 {
        match self.0.borrow_dependent() {
            Planned::Image(planned) => planned.plan.len(),
            Planned::Initrd(planned) => planned.len(),
            Planned::Tar(layout) => layout.len(),
        }
    }

    /// The policy for sharing extents with the sources.
    pub(super) fn reflink(&self) -> Reflink {
        match &self.ingredients().build.make {
            Make::Image(recipe) => recipe.reflink,
            Make::Initrd(recipe) => recipe.reflink,
            Make::Tar(_) => Reflink::Never,
        }
    }

    /// Writes or digests the product, and adds the results to the report.
    pub(super) fn write(
        &self,
        outputs: Outputs<'_>,
        options: &WriteOptions<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let Ingredients { build, prepared, .. } = self.ingredients();
        let cache = prepared.cache.as_ref();
        match (self.0.borrow_dependent(), &build.make, report) {
            (Planned::Image(planned), Make::Image(recipe), Report::Image(report)) => {
                let disk = planned.disk();
                let (outcome, measured) = disk.write(outputs, options)?;
                outcome.record(&mut report.artifact);
                match measured {
                    Some(measured) => image::record_measured(report, recipe, disk, &measured),
                    None => Ok(()),
                }
            }
            (Planned::Initrd(planned), Make::Initrd(_), Report::Initrd(report)) => {
                planned.write(cache, (outputs.sink, outputs.preallocation), *options, report)
            }
            (Planned::Tar(layout), Make::Tar(recipe), Report::Tar(report)) => {
                tar::write(recipe, (layout, cache), (outputs.sink, outputs.preallocation), *options, report)
            }
            _ => Err(mismatch()),
        }
    }

    /// Returns the length and the images of the product, which has zeros between them, unless it is
    /// compressed.
    pub(super) fn images<'p>(&'p self, measured: Option<&'p WholeMeasured>) -> Option<(u64, Images<'p>)> {
        let images: Images<'p> = match (self.0.borrow_dependent(), &self.ingredients().build.make) {
            (Planned::Image(planned), _) => planned.disk().parts(measured),
            (Planned::Initrd(planned), _) => planned.parts()?,
            (Planned::Tar(_), Make::Tar(recipe)) if recipe.codec.compression().is_some() => return None,
            (Planned::Tar(layout), _) => vec![(0, layout)],
        };
        Some((self.len(), images))
    }

    /// Fails if the partition table would be for another sector size than that of the output's
    /// device, as it would not be found then.
    pub(super) fn check_sectors(&self, device: u32, output: &Path) -> Result<()> {
        let Make::Image(recipe) = &self.ingredients().build.make else { return Ok(()) };
        let planned = recipe.sector_size.bytes();
        if recipe.layout == DiskLayout::Bare || planned == u64::from(device) {
            return Ok(());
        }
        let message = format!(
            "{}: its sectors have {device} bytes, and the partition table is for sectors of {planned}: give --sector-size {device}",
            shown::path(output)
        );
        Err(Error::new(ErrorKind::Usage, message))
    }

    /// Returns the summary of a written or digested product.
    pub(super) fn summary(&self, name: &str, report: &Report) -> String {
        let Ingredients { build, prepared, .. } = self.ingredients();
        match (self.0.borrow_dependent(), &build.make, report) {
            (Planned::Image(planned), Make::Image(recipe), Report::Image(report)) => {
                image::summary((recipe, name), report, &*planned.filesystem, &prepared.tree)
            }
            (_, _, Report::Initrd(report)) => initrd::summary(name, report),
            (_, _, Report::Tar(report)) => tar::summary(name, report),
            (_, _, Report::Image(report)) => format!("{name}: {} bytes\n", report.artifact.size),
        }
    }
}

/// Returns the error of parts of different products, which are never put together.
fn mismatch() -> Error {
    Error::new(ErrorKind::Verification, "parts of different products were put together")
}
