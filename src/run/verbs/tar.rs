//! `rootcast tar`: makes a tar archive of a tree.

use std::mem::ManuallyDrop;

use image_runs::Image as _;
use tar_archive::{BYTE_LAYOUT, Layout, Options, Segment, plan};

use crate::blob::Blob;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::compress::{CompressOptions, Member};
use crate::output::{Destination, Preallocation, Reflink, WriteOptions};
use crate::recipe::tar::TarRecipe;
use crate::report::Bar;
use crate::report::{BuildInfo, Counts, TarArchive, TarReport, Timings};
use crate::run::output::{self, Outcome, write_output};
use crate::run::pipeline::{self, Holes, Prepared, Verb};
use crate::run::print::Printed;
use crate::run::stopwatch::Stopwatch;
use crate::run::{advice, compressed};
use crate::shown::Count;

/// Makes the archive and writes it to the output of the recipe.
///
/// # Errors
/// If the tree cannot be read or expressed, or the archive cannot be written. Nothing is left behind
/// then.
pub fn tar(recipe: &TarRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = Log::new(recipe.level());
    let mut stopwatch = Stopwatch::start();
    let own = output::own_files(&recipe.output, None);
    let destination = output::open(&recipe.output, recipe.dry_run, &own, &recipe.tree.inputs())?;
    let destination = destination.as_ref();
    let begun = destination.filter(|_| recipe.codec.compression().is_none());
    let preallocation = output::preallocate(begun, &recipe.tree, 0);
    let options = pipeline::Options {
        own,
        output: output::path(&recipe.output),
        spool: output::spool(&recipe.tree, &recipe.output),
        holes: Holes::Blocks { policy: recipe.holes, len: TarRecipe::HOLE_UNIT },
        ..pipeline::Options::new(&recipe.tree, interrupt, &log).with_progress(preallocation.as_ref())
    };
    // The exit of the process frees the tree, which takes less time than freeing each name.
    let prepared = ManuallyDrop::new(pipeline::run(Verb::Tar, &options)?);
    let mut timings = Timings { read: stopwatch.lap(), ..Timings::default() };
    let layout = plan(&prepared.tree, &Options::archive()).map_err(advice::tar)?;
    let mut report = describe(recipe, &prepared, &layout);
    timings.plan = stopwatch.lap();
    if !recipe.dry_run {
        log.detail(report.to_string().trim_end().replace('\n', "\nrootcast: "));
        let write = || write(recipe, &layout, &mut report, destination, preallocation, interrupt);
        output::warn_if_partial(destination, interrupt, &log, write)?;
        output::warn_if_exposed(destination, &prepared.tree, &log);
        timings.write = stopwatch.lap();
    }
    report.build.timings = timings;
    report.build.add_messages(&log);
    let TarRecipe { json, dry_run, quiet, .. } = *recipe;
    let digest = report.artifact.sha256.as_deref();
    Printed { report: &report, digest, json, dry_run, quiet }.print(|| summary(recipe, &report))
}

/// Returns the segments that the archive is compressed in.
fn segments<'l, 't>(recipe: &TarRecipe, layout: &'l Layout<'t, Blob>) -> Vec<Segment<'l, 't, Blob>> {
    layout.segments(recipe.codec.segment_len().unwrap_or(u64::MAX)).collect()
}

/// Returns the report on a planned archive.
fn describe(recipe: &TarRecipe, prepared: &Prepared, layout: &Layout<'_, Blob>) -> TarReport {
    let size = recipe.codec.compression().is_none().then(|| layout.len());
    let summary = layout.summary();
    TarReport {
        artifact: output::planned(&recipe.tree, &recipe.output, BYTE_LAYOUT, size),
        compression: recipe.codec.to_string(),
        archive: TarArchive {
            bytes: layout.len(),
            entries: summary.entries,
            data_bytes: summary.data_bytes,
            segments: segments(recipe, layout).len() as u64,
        },
        build: BuildInfo::new(Counts::of(&prepared.tree), prepared.hard_links, prepared.containers.clone()),
    }
}

/// Writes or digests the archive, and adds the results to the report.
fn write(
    recipe: &TarRecipe,
    layout: &Layout<'_, Blob>,
    report: &mut TarReport,
    destination: Option<&Destination>,
    preallocation: Option<Preallocation>,
    interrupt: &Interrupt,
) -> Result<()> {
    let doing = match recipe.codec.compression() {
        Some(_) => format!("compressing with {}", recipe.codec),
        None => "writing".to_owned(),
    };
    let bar = Bar::on_stderr(&doing, layout.len(), recipe.quiet);
    let threads = &*recipe.tree.threads;
    // Data begins at multiples of 512 bytes, at which no filesystem shares blocks.
    let write = WriteOptions { threads, reflink: Reflink::Never, interrupt, progress: &bar };
    if recipe.codec.compression().is_some() {
        let segments = segments(recipe, layout);
        let members: Vec<Member<'_, Blob>> =
            segments.iter().map(|segment| Member { image: segment, compress: true }).collect();
        let options = CompressOptions { write, cache: None, observer: None };
        compressed::write(&members, &recipe.codec, destination, &options, &mut report.artifact)?;
        return Ok(());
    }
    match write_output(layout, destination, preallocation, &write)? {
        Outcome::Written(transfer) => report.artifact.record_transfer(transfer),
        Outcome::Digest(digest) => report.artifact.sha256 = Some(digest),
    }
    Ok(())
}

fn summary(recipe: &TarRecipe, report: &TarReport) -> String {
    let TarArchive { bytes, entries, .. } = report.archive;
    let size = report.artifact.size.unwrap_or(bytes);
    let compressed = match report.compression.as_str() {
        "none" => "not compressed".to_owned(),
        codec => format!("{codec} of {bytes} bytes"),
    };
    let entries = Count(entries, "entry", "entries");
    format!("{}: {size} bytes, {compressed}, {entries}\n", output::shown(&recipe.output))
}
