//! `rootcast initrd`: makes an initramfs from a tree.

mod checksums;
pub(super) mod kernel;
mod microcode;
mod parts;
mod unsupported;

use std::mem::ManuallyDrop;

use image_runs::Image as _;
use image_tree::Tree;
use initramfs::codec::Codec;
use initramfs::{EarlyCpio, Layout, Options, Segment, Storage};

use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::cache::Cache;
use crate::output::compress::{CompressOptions, Compressed, Member};
use crate::output::{Destination, Preallocation, WriteOptions};
use crate::recipe::Output;
use crate::recipe::initrd::{CacheRecipe, INITRAMFS_LAYOUT, InitrdRecipe, Microcode, Preset};
use crate::report::{AppendedFile, Archive, BuildInfo, CacheUse, Counts, InitrdReport, Timings};
use crate::report::{Bar, kata};
use crate::run::output::{self, Outcome, write_output};
use crate::run::pipeline::{self, Prepared, Verb};
use crate::run::print::{Printed, print};
use crate::run::reduction::Lookups;
use crate::run::stopwatch::Stopwatch;
use crate::run::{advice, compressed};
use crate::shown::Count;
use crate::transform::init::{self, Init};
use crate::transform::startable;
use microcode::ByVendor;
use parts::{Appended, Plain};

/// Makes the initramfs and writes it to the output of the recipe.
///
/// # Errors
/// If the tree cannot be read or expressed, the kernel does not unpack the requested compression,
/// or the initramfs cannot be written. Nothing is left behind then.
pub fn initrd(recipe: &InitrdRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = Log::new(recipe.level());
    let mut stopwatch = Stopwatch::start();
    let own = output::own_files(&recipe.output, recipe.cache.as_ref().map(|cache| cache.directory.as_path()));
    let destination = output::open(&recipe.output, recipe.dry_run, &own, &recipe.inputs())?;
    let destination = destination.as_ref();
    let kernel = kernel::config(recipe.kernel.as_ref())?;
    let codec = kernel::codec(recipe, &kernel, &log)?;
    log.detail(format_args!("compressed with {codec}"));
    let appended = parts::appended(recipe, &kernel, &log)?;
    let mut microcode = ByVendor::of_host(&recipe.microcode)?;
    let begun = destination.filter(|_| codec.compression().is_none());
    let preallocation = output::preallocate(begun, &recipe.tree, 0);
    let init_paths = init_paths(recipe.init.as_ref());
    let options = pipeline::Options {
        own,
        lookups: Lookups { paths: &init_paths, microcode: recipe.microcode == Microcode::OfTree },
        output: output::path(&recipe.output),
        spool: output::spool(&recipe.tree, &recipe.output),
        init: recipe.init.as_ref(),
        with_agent: recipe.preset == Some(Preset::Kata),
        startable: recipe.init.is_some().then(|| startable::Options {
            kernel: kernel::executes(&kernel),
            has_others: !recipe.append.is_empty(),
            is_static: recipe.static_init,
        }),
        ..pipeline::Options::new(&recipe.tree, interrupt, &log).with_progress(preallocation.as_ref())
    };
    // The exit of the process frees the tree, which takes less time than freeing each name.
    let prepared = ManuallyDrop::new(pipeline::run(Verb::Initrd, &options)?);
    let tree = &prepared.tree;
    let mut timings = Timings { read: stopwatch.lap(), ..Timings::default() };
    microcode.add_tree(&recipe.microcode, &prepared.microcode)?;
    let early = microcode.early();
    let layout = ManuallyDrop::new(plan(recipe, &codec, tree, &early, interrupt)?);
    unsupported::log(layout.unsupported_metadata(), &log);
    let planned = PlannedInitramfs { recipe, codec, layout: &layout, appended: &appended };
    let mut report = planned.report(&prepared, &early);
    timings.plan = stopwatch.lap();
    if recipe.dry_run {
        report.build.timings = timings;
        return print_report(recipe, report, &log);
    }
    log.detail(report.to_string().trim_end().replace('\n', "\nrootcast: "));
    let write = || planned.write(&mut report, destination, preallocation, interrupt, &log);
    output::warn_if_partial(destination, interrupt, &log, write)?;
    output::warn_if_exposed(destination, tree, &log);
    timings.write = stopwatch.lap();
    report.build.timings = timings;
    print_report(recipe, report, &log)
}

/// Returns the paths at which `/init` is looked for.
fn init_paths(init: Option<&Init>) -> Vec<Vec<u8>> {
    let program = match init {
        None => return Vec::new(),
        Some(Init::Program(target)) => Some(target.as_bytes().to_vec()),
        Some(_) => None,
    };
    init::CANDIDATES.iter().map(|path| path.to_vec()).chain(program).collect()
}

fn plan<'t>(
    recipe: &InitrdRecipe,
    codec: &Codec,
    tree: &'t Tree<Blob>,
    early: &EarlyCpio<'t, Blob>,
    interrupt: &Interrupt,
) -> Result<Layout<'t, Blob>> {
    let checksums = if recipe.checksums { Some(checksums::compute(tree, interrupt)?) } else { None };
    let mut options = codec.segment_len().map_or_else(Options::plain, Options::segmented);
    options.checksums = checksums;
    if codec.compression().is_none() {
        options.align = recipe.align;
    }
    initramfs::plan(tree, early, &options).map_err(|error| match error {
        initramfs::Error::Unrepresentable { .. } => advice::initramfs(error),
        initramfs::Error::TooLong => Error::new(ErrorKind::BadInput, error),
        initramfs::Error::Alignment(_) => Error::new(ErrorKind::Usage, error),
        _ => Error::new(ErrorKind::Verification, error),
    })
}

/// A planned initramfs, with everything needed to write it.
struct PlannedInitramfs<'m, 't> {
    recipe: &'m InitrdRecipe,
    codec: Codec,
    layout: &'m Layout<'t, Blob>,
    appended: &'m [Appended],
}

impl PlannedInitramfs<'_, '_> {
    /// Returns the report on the plan, before it is written.
    fn report(&self, prepared: &Prepared, early: &EarlyCpio<'_, Blob>) -> InitrdReport {
        let Self { recipe, codec, layout, appended } = self;
        let size = codec.compression().is_none().then(|| self.plain().len());
        InitrdReport {
            artifact: output::planned(&recipe.tree, &recipe.output, INITRAMFS_LAYOUT, size),
            compression: codec.to_string(),
            init_made: prepared.init_created,
            archive: archive(layout, early),
            appended: appended
                .iter()
                .map(|one| AppendedFile { path: one.path.as_path().into(), bytes: one.file_len() })
                .collect(),
            cache: None,
            build: BuildInfo::new(
                Counts::of(&prepared.tree),
                prepared.hard_links,
                prepared.containers.clone(),
            ),
        }
    }

    fn plain(&self) -> Plain<'_, '_> {
        Plain { layout: self.layout, appended: self.appended }
    }

    /// Writes or digests it, and adds the results to the report.
    fn write(
        &self,
        report: &mut InitrdReport,
        destination: Option<&Destination>,
        preallocation: Option<Preallocation>,
        interrupt: &Interrupt,
        log: &Log,
    ) -> Result<()> {
        let recipe = self.recipe;
        let doing = match self.codec.compression() {
            Some(_) => format!("compressing with {}", self.codec),
            None => "writing".to_owned(),
        };
        let bar = Bar::on_stderr(&doing, self.plain().len(), recipe.quiet);
        let (threads, reflink) = (&*recipe.tree.threads, recipe.reflink);
        let write = WriteOptions { threads, reflink, interrupt, progress: &bar };
        if self.codec.compression().is_some() {
            return self.compress(report, destination, write, log);
        }
        match write_output(&self.plain(), destination, preallocation, &write)? {
            Outcome::Written(transfer) => report.artifact.record_transfer(transfer),
            Outcome::Digest(digest) => report.artifact.sha256 = Some(digest),
        }
        Ok(())
    }

    fn compress(
        &self,
        report: &mut InitrdReport,
        destination: Option<&Destination>,
        write: WriteOptions<'_>,
        log: &Log,
    ) -> Result<()> {
        let cache = self.recipe.cache.as_ref();
        let cache = cache.map(|cache| open_cache(cache, log)).transpose()?.flatten();
        let segments: Vec<Segment<'_, '_, Blob>> = self.layout.segments().collect();
        let stored = self.appended.iter().map(|one| Member { image: one, compress: false });
        let members: Vec<Member<'_, Blob>> = segments.iter().map(Member::of).chain(stored).collect();
        let options = CompressOptions { write, cache: cache.as_ref(), observer: None };
        let compressed =
            compressed::write(&members, &self.codec, destination, &options, &mut report.artifact)?;
        let Compressed { cache_hits, cache_misses, .. } = compressed;
        report.cache = cache.map(|_| CacheUse { hits: cache_hits, misses: cache_misses });
        Ok(())
    }
}

/// Opens the cache, and warns if nothing can be stored in it; none if it cannot be created either.
fn open_cache(recipe: &CacheRecipe, log: &Log) -> Result<Option<Cache>> {
    let opened = Cache::open(&recipe.directory, recipe.size);
    let why = match &opened {
        Ok(cache) => cache.read_only_error().map(|why| Error::io(&recipe.directory, why).to_string()),
        Err(error) => (error.kind() == ErrorKind::Io).then(|| error.to_string()),
    };
    let Some(why) = why else { return opened.map(Some) };
    log.warn(format_args!("--cache: {why}; nothing is kept for the next run"));
    Ok(opened.ok())
}

fn archive(layout: &Layout<'_, Blob>, early: &EarlyCpio<'_, Blob>) -> Archive {
    let length = |segment: Segment<'_, '_, Blob>| segment.range().end - segment.range().start;
    // Plain segments are first: the early archive if there is one, then the stored data.
    let mut plain = layout.segments().filter(|segment| segment.storage() == Storage::Plain);
    let microcode_bytes = if early.is_empty() { 0 } else { plain.next().map_or(0, length) };
    let stored_bytes = plain.map(length).sum();
    let summary = layout.summary();
    Archive {
        bytes: layout.len(),
        microcode_bytes,
        stored_bytes,
        segments: layout.segments().filter(|segment| segment.storage() == Storage::Compressed).count() as u64,
        entries: summary.entries,
        data_bytes: summary.data_bytes,
        unaligned_files: summary.unaligned,
    }
}

/// Prints the results, or the plan.
fn print_report(recipe: &InitrdRecipe, mut report: InitrdReport, log: &Log) -> Result<()> {
    report.build.add_messages(log);
    if let (true, Output::File { path, .. }) = (recipe.print_kata_config, &recipe.output) {
        let text = kata::initrd(path).map_err(|error| Error::io(path, error))?;
        print(text.as_bytes())?;
    }
    let InitrdRecipe { json, dry_run, quiet, .. } = *recipe;
    let digest = report.artifact.sha256.as_deref();
    Printed { report: &report, digest, json, dry_run, quiet }.print(|| summary(recipe, &report))
}

fn summary(recipe: &InitrdRecipe, report: &InitrdReport) -> String {
    let Archive { bytes, entries, .. } = report.archive;
    let size = report.artifact.size.unwrap_or(bytes);
    let compressed = match report.compression.as_str() {
        "none" => "not compressed".to_owned(),
        codec => format!("{codec} of {bytes} bytes"),
    };
    let entries = Count(entries, "entry", "entries");
    let mut text = format!("{}: {size} bytes, {compressed}, {entries}\n", output::shown(&recipe.output));
    if let Some(transfer) = report.artifact.transfer.filter(|transfer| transfer.copied_bytes < size) {
        text += &format!("{transfer}\n");
    }
    if let Some(cache) = report.cache {
        text += &format!("{cache}\n");
    }
    text
}
