//! `rootcast image`: makes a disk from a tree.

mod describe;
mod frame;
mod measurement;
mod root_hash_file;
mod write;

use std::mem::ManuallyDrop;

use image_tree::dump::{self, Body};
use image_tree::{Kind, Timestamp, Tree};

use crate::blob::Blob;
use crate::disk::DiskLayout;
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::PlanRequest;
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::{Destination, Preallocation, Reflink, WriteOptions};
use crate::recipe::preset::DiskPreset;
use crate::recipe::{ImageRecipe, Output};
use crate::report::{Bar, ImageReport, Timings, kata};
use crate::run::output::{self, Outcome};
use crate::run::pipeline::{self, Holes, Verb};
use crate::run::print::{Printed, print};
use crate::run::stopwatch::Stopwatch;
use root_hash_file::RootHashFile;
use write::{Disk, Measured};

/// Makes the image and writes it to the output of the recipe.
///
/// # Errors
/// If the tree cannot be read or expressed, does not fit, or the image cannot be written. Nothing
/// is left behind then.
pub fn image(recipe: &ImageRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = Log::new(recipe.level());
    let mut stopwatch = Stopwatch::start();
    let filesystem = recipe.filesystem.filesystem();
    let properties = filesystem.properties();
    let (opened, own) = root_hash_file::open_outputs(recipe)?;
    let (destination, root_hash) = (opened.image.as_ref(), opened.root_hash.as_ref());
    let create = |file| RootHashFile::create(file, destination, interrupt.cleanups());
    let root_hash = root_hash.map(create).transpose()?;
    let begun = properties.contents_begin;
    let preallocation = begun.and_then(|start| output::preallocate(destination, &recipe.tree, start));
    let options = pipeline::Options {
        own,
        output: output::path(&recipe.output),
        spool: output::spool(&recipe.tree, &recipe.output),
        filesystem: Some(&properties),
        holes: Holes::Blocks { policy: properties.holes, len: properties.block_size },
        ..pipeline::Options::new(&recipe.tree, interrupt, &log).with_progress(preallocation.as_ref())
    };
    // Never dropped: freeing each name and inode at the end takes time, and the exit of the process
    // frees all at once.
    let prepared = ManuallyDrop::new(pipeline::run(Verb::Image, &options)?);
    let tree = &prepared.tree;
    let mut timings = Timings { read: stopwatch.lap(), ..Timings::default() };
    if recipe.reflink == Reflink::Always {
        refuse_archives(tree)?;
    }
    let seed = recipe
        .seed(|mut text| dump::write(tree, &mut text, |_, _| Ok(Body::None)))
        .map_err(|error| Error::new(ErrorKind::Io, error))?;
    let frame = frame::frame(recipe, tree, &seed)?;
    let request = PlanRequest {
        size: recipe.size,
        disk: &frame,
        seed: &seed,
        created: recipe.tree.source_date_epoch.unwrap_or(Timestamp::EPOCH),
        duplicates: &prepared.duplicates,
    };
    let planned = filesystem.plan(tree, &request)?;
    let plan = frame.plan(planned.len())?;
    timings.plan = stopwatch.lap();
    let mut report =
        describe::describe(recipe, &prepared, (&frame, &plan), &*planned, properties.byte_layout)?;
    warn_of_kata(recipe, &report, &log);
    if !recipe.dry_run {
        log.detail(report.to_string().trim_end().replace('\n', "\nrootcast: "));
        if let Some(sector_size) = destination.and_then(Destination::sector_size) {
            check_sectors(recipe, sector_size)?;
        }
        let disk = Disk { frame: &frame, plan: &plan, filesystem: &*planned };
        let write = || write_with_bar(recipe, disk, (destination, preallocation, root_hash), interrupt);
        let (outcome, measured) = output::warn_if_partial(destination, interrupt, &log, write)?;
        match outcome {
            Outcome::Written(transfer) => report.artifact.record_transfer(transfer),
            Outcome::Digest(digest) => report.artifact.sha256 = Some(digest),
        }
        if let Some(measured) = measured {
            describe::record(&mut report, recipe, &frame, &measured)?;
        }
        output::warn_if_exposed(destination, tree, &log);
        timings.write = stopwatch.lap();
    }
    report.build.timings = timings;
    report.build.add_messages(&log);
    print_results(recipe, &report, || describe::summary(recipe, &report, &*planned, tree))
}

/// Prints the configuration of Kata's runtimes, if it was requested, and the report.
fn print_results(recipe: &ImageRecipe, report: &ImageReport, summary: impl FnOnce() -> String) -> Result<()> {
    if recipe.print_kata_config {
        print_kata_config(recipe, report)?;
    }
    let ImageRecipe { json, dry_run, quiet, .. } = *recipe;
    let digest = report.artifact.sha256.as_deref();
    Printed { report, digest, json, dry_run, quiet }.print(summary)
}

/// The destinations of the disk and of its root hash, and the file that was preallocated.
type Outputs<'d> = (Option<&'d Destination>, Option<Preallocation>, Option<RootHashFile<'d>>);

fn write_with_bar(
    recipe: &ImageRecipe,
    disk: Disk<'_>,
    (destination, preallocation, root_hash_file): Outputs<'_>,
    interrupt: &Interrupt,
) -> Result<(Outcome, Option<Measured>)> {
    let bar = Bar::on_stderr("writing", disk.plan.len(), recipe.quiet);
    let (threads, reflink) = (&*recipe.tree.threads, recipe.reflink);
    let options = WriteOptions { threads, reflink, interrupt, progress: &bar };
    disk.write(destination, preallocation, root_hash_file, &options)
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

/// Prints the configuration of Kata's runtimes.
fn print_kata_config(recipe: &ImageRecipe, report: &ImageReport) -> Result<()> {
    let Output::File { path, .. } = &recipe.output else { return Ok(()) };
    let parameters = report.verity.as_ref().and_then(|verity| verity.parameters.as_deref());
    let text = match (recipe.preset, &recipe.extension) {
        (Some(DiskPreset::KataExtension), Some(name)) => kata::extension(name, path, parameters),
        _ => kata::image(path, report.filesystem.format(), parameters),
    };
    print(text.map_err(|error| Error::io(path, error))?.as_bytes())
}

/// Fails if the partition table would be for another sector size than the device's, as it would not
/// be found then.
fn check_sectors(recipe: &ImageRecipe, device: u32) -> Result<()> {
    let planned = recipe.sector_size.bytes();
    if recipe.layout == DiskLayout::Bare || planned == u64::from(device) {
        return Ok(());
    }
    let message = format!(
        "{}: its sectors have {device} bytes, and the partition table is for sectors of {planned}: give --sector-size {device}",
        output::shown(&recipe.output)
    );
    Err(Error::new(ErrorKind::Usage, message))
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
