//! `rootcast image`: makes a disk from a tree.

use std::io::Write as _;
use std::mem::ManuallyDrop;

use image_runs::Image;
use image_tree::dump::{self, Body};
use image_tree::resolve::resolve_in_root;
use image_tree::{Kind, Timestamp, Tree};
use mkfs_ext4::Size;
use uuid::Uuid;

use super::advice;
use super::output::{self, Outcome, write_output};
use super::pipeline::{self, Prepared, Verb};
use super::print::{print, print_json};
use super::stopwatch::Stopwatch;
use crate::architecture;
use crate::blob::{Blob, classify_read_error};
use crate::disk::{self, DISK_UNIT, Disk, DiskLayout, DiskOptions, Surroundings};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::{Destination, Reflink, Reservation, WriteOptions};
use crate::recipe::{BYTE_LAYOUT, ImageRecipe};
use crate::report::Bar;
use crate::report::{BuildInfo, Counts, Filesystem, ImageReport, Partition, Timings};
use crate::seed::{Seed, label};

/// The name of the GPT partition, which the Discoverable Partitions Specification does not define.
const PARTITION_NAME: &str = "root";

/// The offset in the image behind the journal of most filesystems, in bytes. The journal is nearly
/// all zeros.
const AFTER_JOURNAL: u64 = 24 << 20;

/// Makes the image and writes it to the output of the recipe.
///
/// # Errors
/// If the tree cannot be read or expressed, does not fit, or the image cannot be written. Nothing
/// is left behind then.
pub fn image(recipe: &ImageRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = Log::new(recipe.level());
    let mut stopwatch = Stopwatch::start();
    let own = output::own_files(&recipe.output, None);
    let destination = output::open(&recipe.output, recipe.dry_run, &own, &recipe.tree.inputs())?;
    let destination = destination.as_ref();
    let begun = destination.filter(|_| !recipe.filesystem.dedupe);
    let reservation = output::preallocate(begun, &recipe.tree, AFTER_JOURNAL);
    let options = pipeline::Options {
        own,
        output: output::path(&recipe.output),
        sparse: recipe.filesystem.sparse,
        block_len: recipe.filesystem.options(Uuid::nil(), Uuid::nil(), 0).block_size.bytes(),
        dedupe: recipe.filesystem.dedupe,
        ..pipeline::Options::new(&recipe.tree, interrupt, &log).with_progress(reservation.as_ref())
    };
    // Freeing each name and inode at the end takes up to 3 % of a run; the exit of the process
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
    let disk_options = disk_options(recipe, tree, &seed)?;
    let around = disk::surroundings(&disk_options)?;
    let filesystem_options = filesystem_options(recipe, &seed, around);
    let filesystem = mkfs_ext4::plan_sharing(tree, &filesystem_options, &prepared.duplicates)
        .map_err(|error| blame(recipe, around.all, error))?;
    let disk = disk::place(&filesystem, &disk_options)?;
    timings.plan = stopwatch.lap();
    let mut report = describe(recipe, &prepared, &disk, &filesystem_options, &filesystem.summary());
    if recipe.dry_run {
        report.build.timings = timings;
        return print_plan(recipe, report, &log);
    }
    log.detail(report.to_string().trim_end().replace('\n', "\nrootcast: "));
    if let Some(sector_size) = destination.and_then(Destination::sector_size) {
        check_sectors(recipe, sector_size)?;
    }
    let write = || write_with_bar(recipe, &disk, destination, reservation, interrupt);
    match output::warn_if_partial(destination, interrupt, &log, write)? {
        Outcome::Written(transfer) => report.artifact.record_transfer(transfer),
        Outcome::Digest(digest) => report.artifact.sha256 = Some(digest),
    }
    output::warn_if_exposed(destination, tree, &log);
    timings.write = stopwatch.lap();
    report.build.timings = timings;
    if recipe.json {
        return print_report(report, &log);
    }
    if let Some(digest) = &report.artifact.sha256 {
        return print(format!("{digest}\n").as_bytes());
    }
    if !recipe.quiet {
        // OK to ignore: standard error may be closed.
        let mut text = summary(recipe, &disk, &filesystem.summary(), has_init(tree));
        if let Some(transfer) = report.artifact.transfer {
            text += &format!("{transfer}\n");
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    Ok(())
}

fn disk_options(recipe: &ImageRecipe, tree: &Tree<Blob>, seed: &Seed) -> Result<DiskOptions> {
    let architecture = match (recipe.architecture, recipe.layout) {
        (None, DiskLayout::Gpt) => architecture::detect(tree).map_err(classify_read_error)?,
        (given, _) => given,
    };
    Ok(DiskOptions {
        layout: recipe.layout,
        sector_size: recipe.sector_size,
        architecture,
        disk_guid: seed.uuid(label::GPT_DISK),
        partition_guid: seed.uuid(label::GPT_ROOT_PARTITION),
        mbr_signature: seed.u32(label::MBR_SIGNATURE),
        partition_name: PARTITION_NAME.to_owned(),
    })
}

fn filesystem_options(recipe: &ImageRecipe, seed: &Seed, around: Surroundings) -> mkfs_ext4::Options {
    let size = match recipe.size {
        Size::Total { bytes } => Size::Total { bytes: bytes.saturating_sub(around.all) },
        size => size,
    };
    let uuid = recipe.uuid.unwrap_or_else(|| seed.uuid(label::EXT4_UUID));
    let hash_seed = seed.uuid(label::EXT4_HASH_SEED);
    let mut options = recipe.filesystem.options(uuid, hash_seed, around.before);
    options.label = recipe.label;
    options.size = size;
    options.inodes = recipe.inodes;
    options.created = recipe.tree.source_date_epoch.unwrap_or(Timestamp::EPOCH);
    options
}

/// Returns the error for a failed plan of the filesystem. Sizes are those of the whole image, as
/// the user gave them.
fn blame(recipe: &ImageRecipe, overhead: u64, error: mkfs_ext4::Error) -> Error {
    use mkfs_ext4::Error as E;
    match (error, recipe.size) {
        (E::TooSmall { needed_bytes, .. }, Size::Total { bytes }) => {
            let needed = (needed_bytes + overhead).next_multiple_of(DISK_UNIT);
            let message = format!(
                "the image is {missing} bytes too small: --size gives {bytes} bytes, the tree needs {needed}; \
                 give --size {needed} or more, or leave it out for the smallest",
                missing = needed.saturating_sub(bytes),
            );
            Error::new(ErrorKind::DoesNotFit, message)
        }
        (error @ (E::TooSmall { .. } | E::TooFewInodes { .. }), _) => {
            Error::new(ErrorKind::DoesNotFit, error)
        }
        (E::Content { source, .. }, _) => classify_read_error(source),
        (error @ E::Unrepresentable { .. }, _) => advice::ext4(error),
        (error @ (E::TooManyInodes { .. } | E::TooLarge { .. } | E::TooLargeFor32Bits { .. }), _) => {
            Error::new(ErrorKind::DoesNotFit, error)
        }
        (error, _) => Error::new(ErrorKind::Usage, error),
    }
}

fn write_with_bar(
    recipe: &ImageRecipe,
    disk: &Disk<'_, Blob>,
    destination: Option<&Destination>,
    reservation: Option<Reservation>,
    interrupt: &Interrupt,
) -> Result<Outcome> {
    let bar = Bar::on_stderr("writing", disk.len(), recipe.quiet);
    let (threads, reflink) = (&*recipe.tree.threads, recipe.reflink);
    let options = WriteOptions { threads, reflink, interrupt, progress: &bar };
    write_output(disk, destination, reservation, &options)
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
            && matches!(content.itself(), Blob::Range(_) | Blob::Sparse(_))
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
    options: &mkfs_ext4::Options,
    summary: &mkfs_ext4::Summary,
) -> ImageReport {
    let label = options.label.padded();
    let label = label.split(|byte| *byte == 0).next().unwrap_or_default();
    ImageReport {
        artifact: output::planned(&recipe.tree, &recipe.output, BYTE_LAYOUT, disk.len()),
        layout: recipe.layout.name(),
        sector_size: recipe.sector_size.bytes(),
        ranges: disk.ranges(),
        partition: disk
            .root_partition()
            .map(|root| Partition { number: root.number, partuuid: root.partuuid.clone() }),
        filesystem: Filesystem {
            format: "ext4",
            uuid: options.uuid.to_string(),
            label: String::from_utf8_lossy(label).into_owned(),
            block_size: summary.block_size,
            blocks: summary.blocks,
            free_blocks: summary.free_blocks,
            available_blocks: summary.available_blocks,
            inodes: summary.inodes,
            free_inodes: summary.free_inodes,
            groups: summary.groups,
            journal_blocks: summary.journal_blocks,
            profile: recipe.filesystem.profile.name(),
            shared_files: summary.shared_files,
            shared_blocks: summary.shared_blocks,
            sparse_files: summary.sparse_files,
            hole_bytes: summary.hole_blocks * u64::from(summary.block_size),
        },
        build: BuildInfo::new(Counts::of(&prepared.tree), prepared.hard_links),
    }
}

/// Prints the plan.
fn print_plan(recipe: &ImageRecipe, report: ImageReport, log: &Log) -> Result<()> {
    if recipe.json {
        return print_report(report, log);
    }
    print(format!("{report}nothing was written\n").as_bytes())
}

fn print_report(mut report: ImageReport, log: &Log) -> Result<()> {
    report.build.add_messages(log);
    print_json(&report)
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
    filesystem: &mkfs_ext4::Summary,
    boots: bool,
) -> String {
    let name = output::shown(&recipe.output);
    let available = filesystem.available_blocks * u64::from(filesystem.block_size);
    let mut text = format!(
        "{name}: {} bytes, {} with an ext4 filesystem of {} files, {available} bytes available\n",
        disk.len(),
        recipe.layout,
        filesystem.files,
    );
    if let Some(root) = disk.root_partition() {
        text += &match boots {
            true => format!("boot it with root=PARTUUID={}\n", root.partuuid),
            false => format!("the partition has PARTUUID={}\n", root.partuuid),
        };
    }
    // Fewer than the identical files: files stored in inodes share nothing.
    if filesystem.shared_files > 0 {
        let bytes = filesystem.shared_blocks * u64::from(filesystem.block_size);
        text += &format!(
            "{} files share blocks of {bytes} bytes with others, and the filesystem can be mounted for reading only\n",
            filesystem.shared_files
        );
    }
    text
}
