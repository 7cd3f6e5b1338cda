//! The plan of a tar archive.

use image_runs::Image as _;
use tar_archive::{BYTE_LAYOUT, Layout, Options, Segment};

use super::artifact::planned;
use super::setting::Context;
use super::sink::{self, Sink};
use crate::blob::Blob;
use crate::cache::Cache;
use crate::error::Result;
use crate::output::compress::{CompressOptions, Member};
use crate::output::{Preallocation, Reflink, WriteOptions};
use crate::recipe::TreeRecipe;
use crate::recipe::tar::TarRecipe;
use crate::report::{TarArchive, TarReport};
use crate::run::advice;
use crate::run::pipeline::{self, Holes, Prepared, Verb};
use crate::shown::Count;

/// Reads the tree of an archive.
pub(super) fn read(recipe: &TarRecipe, context: &Context<'_>) -> Result<(Prepared, Option<Preallocation>)> {
    let preallocation = context.preallocate(recipe.codec.compression().is_none().then_some(0));
    let found = context.found(preallocation.as_ref());
    let holes = Holes::Blocks { policy: recipe.holes, len: TarRecipe::HOLE_UNIT };
    let options = pipeline::Options { holes, ..context.options(&found) };
    let prepared = pipeline::run(Verb::Tar, &options)?;
    Ok((prepared, preallocation))
}

/// Plans an archive of a tree.
pub(super) fn plan(prepared: &Prepared) -> Result<Layout<'_, Blob>> {
    tar_archive::plan(&prepared.tree, &Options::archive()).map_err(advice::tar)
}

/// Returns the segments that the archive is compressed in.
fn segments<'l, 't>(recipe: &TarRecipe, layout: &'l Layout<'t, Blob>) -> Vec<Segment<'l, 't, Blob>> {
    layout.segments(recipe.codec.segment_len().unwrap_or(u64::MAX)).collect()
}

/// Returns the report on a planned archive.
pub(super) fn describe(
    (tree, recipe): (&TreeRecipe, &TarRecipe),
    prepared: &Prepared,
    layout: &Layout<'_, Blob>,
) -> TarReport {
    let size = recipe.codec.compression().is_none().then(|| layout.len());
    let summary = layout.summary();
    TarReport {
        artifact: planned(tree, BYTE_LAYOUT, size),
        compression: recipe.codec.to_string(),
        archive: TarArchive {
            bytes: layout.len(),
            entries: summary.entries,
            data_bytes: summary.data_bytes,
            segments: segments(recipe, layout).len() as u64,
        },
        build: prepared.build_info(),
    }
}

/// Writes or digests the archive, and adds the results to the report.
pub(super) fn write(
    recipe: &TarRecipe,
    (layout, cache): (&Layout<'_, Blob>, Option<&Cache>),
    (sink, preallocation): (Sink<'_>, Option<Preallocation>),
    write: WriteOptions<'_>,
    report: &mut TarReport,
) -> Result<()> {
    if recipe.codec.compression().is_some() {
        let segments = segments(recipe, layout);
        let members: Vec<Member<'_, Blob>> =
            segments.iter().map(|segment| Member { image: segment, compress: true }).collect();
        let options = CompressOptions { write, cache, observer: None };
        sink::compress(&members, &recipe.codec, sink, &options, &mut report.artifact)?;
        return Ok(());
    }
    // Data begins at multiples of 512 bytes, at which no filesystem shares blocks.
    let write = WriteOptions { reflink: Reflink::Never, ..write };
    sink::write(layout, sink, preallocation, &write)?.record(&mut report.artifact);
    Ok(())
}

/// Returns the summary of a written or digested archive.
pub(super) fn summary(name: &str, report: &TarReport) -> String {
    let TarArchive { bytes, entries, .. } = report.archive;
    let size = report.artifact.size.unwrap_or(bytes);
    let compressed = match report.compression.as_str() {
        "none" => "not compressed".to_owned(),
        codec => format!("{codec} of {bytes} bytes"),
    };
    let entries = Count(entries, "entry", "entries");
    format!("{name}: {size} bytes, {compressed}, {entries}\n")
}
