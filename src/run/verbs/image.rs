//! `rootcast image`: makes a disk from a tree.

use std::mem::ManuallyDrop;

use image_runs::Image;
use image_tree::dump::{self, Body};
use image_tree::resolve::resolve_in_root;
use image_tree::{Kind, Timestamp, Tree};

use crate::architecture;
use crate::blob::{Blob, classify_read_error};
use crate::disk::{self, Disk, DiskLayout, DiskOptions, Partition};
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{PlanRequest, PlannedFilesystem};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::named::Named as _;
use crate::output::{Destination, Preallocation, Reflink, WriteOptions};
use crate::recipe::ImageRecipe;
use crate::report::Bar;
use crate::report::{self, BuildInfo, Counts, ImageReport, Timings};
use crate::run::output::{self, Outcome, write_output};
use crate::run::pipeline::{self, Holes, Prepared, Verb};
use crate::run::print::Printed;
use crate::run::stopwatch::Stopwatch;
use crate::seed::{Seed, label};

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
    let own = output::own_files(&recipe.output, None);
    let destination = output::open(&recipe.output, recipe.dry_run, &own, &recipe.tree.inputs())?;
    let destination = destination.as_ref();
    let begun = properties.contents_begin;
    let preallocation = begun.and_then(|start| output::preallocate(destination, &recipe.tree, start));
    let options = pipeline::Options {
        own,
        output: output::path(&recipe.output),
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
    let (disk_options, root) = (disk_options(recipe, &seed), root_partition(recipe, tree, &seed)?);
    let request = PlanRequest {
        size: recipe.size,
        overhead: disk::overhead(&root, &disk_options)?,
        seed: &seed,
        created: recipe.tree.source_date_epoch.unwrap_or(Timestamp::EPOCH),
        duplicates: &prepared.duplicates,
    };
    let planned = filesystem.plan(tree, &request)?;
    let disk = disk::place(&[(root, &*planned)], &disk_options)?;
    timings.plan = stopwatch.lap();
    let mut report = describe(recipe, &prepared, &disk, &*planned, properties.byte_layout);
    if !recipe.dry_run {
        log.detail(report.to_string().trim_end().replace('\n', "\nrootcast: "));
        if let Some(sector_size) = destination.and_then(Destination::sector_size) {
            check_sectors(recipe, sector_size)?;
        }
        let write = || write_with_bar(recipe, &disk, destination, preallocation, interrupt);
        match output::warn_if_partial(destination, interrupt, &log, write)? {
            Outcome::Written(transfer) => report.artifact.record_transfer(transfer),
            Outcome::Digest(digest) => report.artifact.sha256 = Some(digest),
        }
        output::warn_if_exposed(destination, tree, &log);
        timings.write = stopwatch.lap();
    }
    report.build.timings = timings;
    report.build.add_messages(&log);
    let ImageRecipe { json, dry_run, quiet, .. } = *recipe;
    let digest = report.artifact.sha256.as_deref();
    Printed { report: &report, digest, json, dry_run, quiet }.print(|| {
        let mut text = summary(recipe, &disk, &*planned, has_init(tree));
        if let Some(transfer) = report.artifact.transfer {
            text += &format!("{transfer}\n");
        }
        text
    })
}

fn disk_options(recipe: &ImageRecipe, seed: &Seed) -> DiskOptions {
    DiskOptions {
        layout: recipe.layout,
        sector_size: recipe.sector_size,
        disk_guid: seed.uuid(label::GPT_DISK),
        mbr_signature: seed.u32(label::MBR_SIGNATURE),
    }
}

/// Returns the partition of the filesystem, whose type in a GPT is that of the tree's architecture.
fn root_partition(recipe: &ImageRecipe, tree: &Tree<Blob>, seed: &Seed) -> Result<Partition> {
    let architecture = match (recipe.architecture, recipe.layout) {
        (None, DiskLayout::Gpt) => architecture::detect(tree).map_err(classify_read_error)?,
        (given, _) => given,
    };
    Ok(Partition::root(architecture, seed.uuid(label::GPT_ROOT_PARTITION)))
}

fn write_with_bar(
    recipe: &ImageRecipe,
    disk: &Disk<'_, Blob>,
    destination: Option<&Destination>,
    preallocation: Option<Preallocation>,
    interrupt: &Interrupt,
) -> Result<Outcome> {
    let bar = Bar::on_stderr("writing", disk.len(), recipe.quiet);
    let (threads, reflink) = (&*recipe.tree.threads, recipe.reflink);
    let options = WriteOptions { threads, reflink, interrupt, progress: &bar };
    write_output(disk, destination, preallocation, &options)
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

/// Returns the report on a planned image.
fn describe(
    recipe: &ImageRecipe,
    prepared: &Prepared,
    disk: &Disk<'_, Blob>,
    planned: &dyn PlannedFilesystem,
    byte_layout: &'static str,
) -> ImageReport {
    let root = disk.partitions().first();
    ImageReport {
        artifact: output::planned(&recipe.tree, &recipe.output, byte_layout, disk.len()),
        layout: recipe.layout.name(),
        sector_size: recipe.sector_size.bytes(),
        ranges: disk.ranges(),
        partition: root
            .map(|root| report::Partition { number: root.number, partuuid: root.partuuid.clone() }),
        filesystem: planned.report(),
        build: BuildInfo::new(Counts::of(&prepared.tree), prepared.hard_links),
    }
}

/// Returns true if a kernel finds an init: one of the programs that it tries without `init=`.
fn has_init(tree: &Tree<Blob>) -> bool {
    const TRIED: [&[u8]; 4] = [b"/sbin/init", b"/etc/init", b"/bin/init", b"/bin/sh"];
    TRIED.iter().any(|path| {
        let inode = resolve_in_root(tree, path).map(|id| tree.get(id));
        inode.is_some_and(|inode| matches!(inode.kind, Kind::Regular(_)) && inode.metadata.mode & 0o111 != 0)
    })
}

fn summary(
    recipe: &ImageRecipe,
    disk: &Disk<'_, Blob>,
    planned: &dyn PlannedFilesystem,
    boots: bool,
) -> String {
    let name = output::shown(&recipe.output);
    let mut text = format!("{name}: {} bytes, {} with {}\n", disk.len(), recipe.layout, planned.summary());
    if let Some(root) = disk.partitions().first() {
        text += &match boots {
            true => format!("boot it with root=PARTUUID={}\n", root.partuuid),
            false => format!("the partition has PARTUUID={}\n", root.partuuid),
        };
    }
    planned.notes().iter().for_each(|note| text += &format!("{note}\n"));
    text
}
