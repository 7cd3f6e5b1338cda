//! The plan of an initramfs.

mod checksums;
pub(in crate::run) mod kernel;
mod microcode;
mod parts;
mod unsupported;

use image_runs::Image;
use image_tree::Tree;
use initramfs::codec::Codec;
use initramfs::{KernelConfig, Layout, Options, Segment, Storage};

use super::artifact::planned;
use super::setting::Context;
use super::sink::{self, Sink};
use crate::blob::Blob;
use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::compress::{CompressOptions, Compressed, Member};
use crate::output::{Preallocation, WriteOptions};
use crate::recipe::TreeRecipe;
use crate::recipe::initrd::{INITRAMFS_LAYOUT, InitrdRecipe, Microcode, Preset};
use crate::report::{AppendedFile, Archive, CacheUse, InitrdReport};
use crate::run::advice;
use crate::run::pipeline::{self, Prepared, Verb};
use crate::run::reduction::Lookups;
use crate::shown::Count;
use crate::transform::init::{self, Init};
use crate::transform::startable;
use microcode::ByVendor;
use parts::{Appended, Plain};

/// The parts of an initramfs beside the tree.
pub(super) struct Parts {
    kernel: KernelConfig,
    codec: Codec,
    appended: Vec<Appended>,
    microcode: ByVendor,
}

impl Parts {
    /// Reads the files of the host that the recipe names.
    pub(super) fn read(recipe: &InitrdRecipe, log: &Log) -> Result<Self> {
        let kernel = kernel::config(recipe.kernel.as_ref())?;
        let codec = kernel::codec(recipe, &kernel, log)?;
        log.detail(format_args!("compressed with {codec}"));
        let appended = parts::appended(recipe, &kernel, log)?;
        let microcode = ByVendor::of_host(&recipe.microcode)?;
        Ok(Self { kernel, codec, appended, microcode })
    }
}

/// Reads the tree of an initramfs, and adds its microcode to the parts.
pub(super) fn read(
    recipe: &InitrdRecipe,
    parts: &mut Parts,
    context: &Context<'_>,
) -> Result<(Prepared, Option<Preallocation>)> {
    let preallocation = context.preallocate(parts.codec.compression().is_none().then_some(0));
    let found = context.found(preallocation.as_ref());
    let init_paths = init_paths(recipe.init.as_ref());
    let options = pipeline::Options {
        lookups: Lookups { paths: &init_paths, microcode: recipe.microcode == Microcode::OfTree },
        init: recipe.init.as_ref(),
        with_agent: recipe.preset == Some(Preset::Kata),
        startable: recipe.init.is_some().then(|| startable::Options {
            kernel: kernel::executes(&parts.kernel),
            has_others: !recipe.append.is_empty(),
            is_static: recipe.static_init,
        }),
        ..context.options(&found)
    };
    let prepared = pipeline::run(Verb::Initrd, &options)?;
    parts.microcode.add_tree(&recipe.microcode, &prepared.microcode)?;
    Ok((prepared, preallocation))
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

/// Plans an initramfs of a tree.
pub(super) fn plan<'t>(
    recipe: &InitrdRecipe,
    parts: &'t Parts,
    tree: &'t Tree<Blob>,
    interrupt: &Interrupt,
    log: &Log,
) -> Result<PlannedInitramfs<'t>> {
    let Parts { codec, appended, microcode, .. } = parts;
    let early = microcode.early();
    let checksums = if recipe.checksums { Some(checksums::compute(tree, interrupt)?) } else { None };
    let mut options = codec.segment_len().map_or_else(Options::plain, Options::segmented);
    options.checksums = checksums;
    if codec.compression().is_none() {
        options.align = recipe.align;
    }
    let layout = initramfs::plan(tree, &early, &options).map_err(|error| match error {
        initramfs::Error::Unrepresentable { .. } => advice::initramfs(error),
        initramfs::Error::TooLong => Error::new(ErrorKind::BadInput, error),
        initramfs::Error::Alignment(_) => Error::new(ErrorKind::Usage, error),
        _ => Error::new(ErrorKind::Verification, error),
    })?;
    unsupported::log(layout.unsupported_metadata(), log);
    Ok(PlannedInitramfs { codec, layout, appended, has_microcode: !early.is_empty() })
}

/// A planned initramfs, with everything needed to write it.
pub(super) struct PlannedInitramfs<'t> {
    codec: &'t Codec,
    layout: Layout<'t, Blob>,
    appended: &'t [Appended],
    has_microcode: bool,
}

impl<'t> PlannedInitramfs<'t> {
    /// Returns the report on the plan, before it is written.
    pub(super) fn report(&self, tree: &TreeRecipe, prepared: &Prepared) -> InitrdReport {
        let Self { codec, layout, appended, has_microcode } = self;
        let size = codec.compression().is_none().then(|| self.plain().len());
        InitrdReport {
            artifact: planned(tree, INITRAMFS_LAYOUT, size),
            compression: codec.to_string(),
            init_made: prepared.init_created,
            archive: archive(layout, *has_microcode),
            appended: appended
                .iter()
                .map(|one| AppendedFile { path: one.path.as_path().into(), bytes: one.file_len() })
                .collect(),
            cache: None,
            build: prepared.build_info(),
        }
    }

    /// The length before compression, in bytes.
    pub(super) fn len(&self) -> u64 {
        self.plain().len()
    }

    /// Returns the parts with their offsets, in order, unless they are compressed.
    pub(super) fn parts(&self) -> Option<Vec<(u64, &dyn Image<Blob>)>> {
        if self.codec.compression().is_some() {
            return None;
        }
        let mut parts: Vec<(u64, &dyn Image<Blob>)> = vec![(0, &self.layout)];
        let mut end = self.layout.len();
        for one in self.appended {
            parts.push((end, one));
            end = end.saturating_add(one.len());
        }
        Some(parts)
    }

    fn plain(&self) -> Plain<'_, 't> {
        Plain { layout: &self.layout, appended: self.appended }
    }

    /// Writes or digests it, and adds the results to the report.
    pub(super) fn write(
        &self,
        cache: Option<&Cache>,
        (sink, preallocation): (Sink<'_>, Option<Preallocation>),
        write: WriteOptions<'_>,
        report: &mut InitrdReport,
    ) -> Result<()> {
        if self.codec.compression().is_some() {
            return self.compress(cache, sink, write, report);
        }
        sink::write(&self.plain(), sink, preallocation, &write)?.record(&mut report.artifact);
        Ok(())
    }

    fn compress(
        &self,
        cache: Option<&Cache>,
        sink: Sink<'_>,
        write: WriteOptions<'_>,
        report: &mut InitrdReport,
    ) -> Result<()> {
        let segments: Vec<Segment<'_, '_, Blob>> = self.layout.segments().collect();
        let stored = self.appended.iter().map(|one| Member { image: one, compress: false });
        let members: Vec<Member<'_, Blob>> = segments.iter().map(Member::of).chain(stored).collect();
        let options = CompressOptions { write, cache, observer: None };
        let compressed = sink::compress(&members, self.codec, sink, &options, &mut report.artifact)?;
        let Compressed { cache_hits, cache_misses, .. } = compressed;
        report.cache = cache.map(|_| CacheUse { hits: cache_hits, misses: cache_misses });
        Ok(())
    }
}

fn archive(layout: &Layout<'_, Blob>, has_microcode: bool) -> Archive {
    let length = |segment: Segment<'_, '_, Blob>| segment.range().end - segment.range().start;
    // Plain segments are first: the early archive if there is one, then the stored data.
    let mut plain = layout.segments().filter(|segment| segment.storage() == Storage::Plain);
    let microcode_bytes = if has_microcode { plain.next().map_or(0, length) } else { 0 };
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

/// Returns the summary of a written or digested initramfs.
pub(super) fn summary(name: &str, report: &InitrdReport) -> String {
    let Archive { bytes, entries, .. } = report.archive;
    let size = report.artifact.size.unwrap_or(bytes);
    let compressed = match report.compression.as_str() {
        "none" => "not compressed".to_owned(),
        codec => format!("{codec} of {bytes} bytes"),
    };
    let entries = Count(entries, "entry", "entries");
    let mut text = format!("{name}: {size} bytes, {compressed}, {entries}\n");
    if let Some(transfer) = report.artifact.transfer.filter(|transfer| transfer.copied_bytes < size) {
        text += &format!("{transfer}\n");
    }
    if let Some(cache) = report.cache {
        text += &format!("{cache}\n");
    }
    text
}
