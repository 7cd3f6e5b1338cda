//! `rootcast oci-export`: makes an image of containers from a tree.

mod documents;
mod target;

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use image_runs::Image as _;
use image_tree::{Kind, Tree};
use serde_json::{Map, Value};
use tar_archive::{BYTE_LAYOUT, Layout, Options, plan};

use self::documents::{Described, WrittenLayer};
use self::target::Target;
use crate::architecture;
use crate::blob::{Blob, classify_read_error};
use crate::bounded;
use crate::cache::Cache;
use crate::calendar;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::output::{DestinationOptions, Reflink, WriteOptions};
use crate::recipe::export::ExportRecipe;
use crate::recipe::{Output, TreeRecipe};
use crate::report::version::{REPORT_VERSION, VERSION};
use crate::report::{Bar, ExportReport, ExportedLayer, Timings};
use crate::run::advice;
use crate::run::output;
use crate::run::pipeline::{self, Holes, Prepared, Verb};
use crate::run::print::{self, Printed};
use crate::run::sbom;
use crate::run::stopwatch::Stopwatch;
use crate::shown;
use crate::source::container::Platform;
use crate::stack;

/// The longest file of settings, in bytes: 1 MiB.
const MAX_CONFIG: u64 = 1 << 20;

/// Makes the image and writes it to the output of the recipe.
///
/// # Errors
/// If the tree cannot be read or expressed, its architecture is unknown, or the image cannot be
/// written. An existing layout is unchanged then.
pub fn export(recipe: &ExportRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = print::log(recipe.level());
    let mut stopwatch = Stopwatch::start();
    let (archive, directory) = match &recipe.target {
        Some(target) if target.is_archive => {
            (Output::File { path: target.path.clone(), options: DestinationOptions::default() }, None)
        }
        target => (Output::Nowhere, target.as_ref().map(|target| &*target.path)),
    };
    let own = output::own_files(&archive, directory);
    let destination = output::open(&archive, recipe.dry_run, &own, &recipe.inputs())?;
    let settings = recipe.config.as_deref().map(settings).transpose()?;
    let spool = spool(&recipe.tree, &archive, directory);
    let options = pipeline::Options {
        own,
        output: directory.unwrap_or(output::path(&archive)),
        spool: spool.clone(),
        dry_run: recipe.dry_run,
        holes: Holes::Zeros("a layer stores holes as zeros"),
        states: recipe.split && recipe.tree.sources.len() > 1,
        ..pipeline::Options::new(&recipe.tree, interrupt, &log)
    };
    // The exit of the process frees the tree, which takes less time than freeing each name.
    let prepared = ManuallyDrop::new(pipeline::run(Verb::Tar, &options)?);
    let tree = &prepared.tree;
    let settings = settings.or_else(|| settings_of_image(&prepared));
    let platform = platform(recipe, &prepared)?;
    let mut timings = Timings { read: stopwatch.lap(), ..Timings::default() };
    let split = split(&prepared)?;
    let layouts = plan_layers(if split.is_empty() { std::slice::from_ref(tree) } else { &split })?;
    let mut report = describe(recipe, &prepared, &platform, &layouts);
    timings.plan = stopwatch.lap();
    if let Some(to) = recipe.target.as_ref().filter(|_| !recipe.dry_run) {
        let target = match destination {
            Some(destination) => Target::archive(destination, spool),
            None => Target::directory(&to.path)?,
        };
        let layers = (&*layouts, prepared.cache.as_ref());
        write(recipe, layers, target, (&platform, settings), &mut report, interrupt)?;
        sbom::write(&recipe.tree, &prepared.packages, interrupt)?;
        timings.write = stopwatch.lap();
    }
    report.build.timings = timings;
    report.build.add_messages(&log);
    let ExportRecipe { json, dry_run, quiet, .. } = *recipe;
    Printed { report: &report, digest: None, json, dry_run, quiet }.print(|| summary(recipe, &report))
}

/// Returns the directory for unnamed files: that of the archive, or of a layout that may not exist yet.
fn spool(tree: &TreeRecipe, archive: &Output, directory: Option<&Path>) -> Option<PathBuf> {
    output::spool(tree, archive).or_else(|| directory.and_then(target::existing))
}

/// Returns the trees of layers, one for each source; nothing for one layer.
fn split(prepared: &Prepared) -> Result<ManuallyDrop<Vec<Tree<Blob>>>> {
    let trees = stack::layers(&prepared.states, &prepared.tree);
    trees.map(ManuallyDrop::new).map_err(|error| Error::new(ErrorKind::BadInput, error))
}

/// Plans layers, the lowest first.
fn plan_layers(trees: &[Tree<Blob>]) -> Result<Vec<Layout<'_, Blob>>> {
    let options = std::iter::once(Options::layer()).chain(std::iter::repeat(Options::upper_layer()));
    trees.iter().zip(options).map(|(tree, options)| plan(tree, &options).map_err(advice::tar)).collect()
}

/// Returns the report on an image that is planned and not yet written.
fn describe(
    recipe: &ExportRecipe,
    prepared: &Prepared,
    platform: &Platform,
    layouts: &[Layout<'_, Blob>],
) -> ExportReport {
    let planned = |layout: &Layout<'_, Blob>| {
        let archive_bytes = layout.len();
        let size = recipe.codec.compression().is_none().then_some(archive_bytes);
        ExportedLayer { digest: None, diff_id: None, size, archive_bytes }
    };
    ExportReport {
        rootcast: VERSION,
        report_version: REPORT_VERSION,
        byte_layout: BYTE_LAYOUT,
        sources: recipe.tree.sources.iter().map(|source| source.name().into()).collect(),
        output: recipe.target.as_ref().map(|target| target.path.as_path().into()),
        written: false,
        platform: platform.to_string(),
        manifest: None,
        config_digest: None,
        compression: recipe.codec.to_string(),
        layers: layouts.iter().map(planned).collect(),
        build: prepared.build_info(),
    }
}

/// Writes the image, and adds the digests to the report.
fn write(
    recipe: &ExportRecipe,
    (layouts, cache): (&[Layout<'_, Blob>], Option<&Cache>),
    mut target: Target,
    (platform, settings): (&Platform, Option<Map<String, Value>>),
    report: &mut ExportReport,
    interrupt: &Interrupt,
) -> Result<()> {
    let threads = &*recipe.tree.threads;
    let doing = if layouts.len() > 1 { "writing the layers" } else { "writing the layer" };
    let len = layouts.iter().map(Layout::len).sum();
    let bar = Bar::on_stderr(doing, len, recipe.quiet);
    let write = WriteOptions { threads, reflink: Reflink::Never, interrupt, progress: &bar };
    let layers = layouts.iter().map(|layout| target.layer(layout, &recipe.codec, cache, &write));
    let layers: Vec<WrittenLayer> = layers.collect::<Result<_>>()?;
    let created = recipe.tree.source_date_epoch.map(|time| calendar::rfc3339(time.seconds()));
    let config = documents::config(platform, settings, created, &layers);
    let config = Described::of(documents::CONFIG, &config)?;
    let manifest = Described::of(documents::MANIFEST, &documents::manifest(&config, &layers))?;
    let name = recipe.target.as_ref().and_then(|target| target.tag.as_deref());
    target.finish(&config, &manifest, &documents::entry(&manifest, platform, name), &write)?;
    report.written = true;
    report.manifest = Some(manifest.digest);
    report.config_digest = Some(config.digest);
    report.layers = layers.into_iter().map(WrittenLayer::into_report).collect();
    Ok(())
}

fn summary(recipe: &ExportRecipe, report: &ExportReport) -> String {
    let name = recipe.target.as_ref().map(|target| shown::path(&target.path).to_string());
    let (name, manifest) = (name.unwrap_or_default(), report.manifest.as_deref().unwrap_or_default());
    format!("{name}: an image for {} with the manifest {manifest}\n", report.platform)
}

/// Reads the settings of containers.
fn settings(path: &Path) -> Result<Map<String, Value>> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let bytes = bounded::read_file(file, path, MAX_CONFIG)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let what = format!("is not a JSON object with Entrypoint, Cmd, Env and so on: {error}");
        Error::at(ErrorKind::BadInput, path, what)
    })
}

/// Returns the settings of the last image among the sources, if it has any.
fn settings_of_image(prepared: &Prepared) -> Option<Map<String, Value>> {
    prepared.containers.last().and_then(|image| image.config.as_object()).cloned()
}

/// Returns the platform that was requested, or else that of the last image among the sources, or else
/// that of the programs in the tree.
fn platform(recipe: &ExportRecipe, prepared: &Prepared) -> Result<Platform> {
    if let Some(platform) = &recipe.tree.platform {
        return Ok(platform.normal());
    }
    let stated = prepared.containers.last().and_then(|image| image.platform.parse::<Platform>().ok());
    if let Some(stated) = stated.filter(Platform::is_known) {
        return Ok(stated.normal());
    }
    let tree = &prepared.tree;
    let has_files = tree.walk().any(|step| matches!(tree.get(step.id).kind, Kind::Regular(_)));
    let found = if has_files { architecture::detect(tree).map_err(classify_read_error)? } else { None };
    found.map(|architecture| Platform::linux(architecture).normal()).ok_or_else(|| {
        let what = "no program in the tree has a known architecture, which an image states: give --arch or --platform";
        Error::new(ErrorKind::Usage, what)
    })
}
