//! `rootcast oci-export`: makes an image of containers from a tree.

mod documents;
mod target;

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use image_runs::Image as _;
use image_tree::{Kind, Tree};
use serde_json::{Map, Value};
use tar_archive::{BYTE_LAYOUT, Options, plan};

use self::documents::{Described, WrittenLayer};
use self::target::Target;
use crate::architecture;
use crate::blob::{Blob, classify_read_error};
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::{DestinationOptions, Reflink, WriteOptions};
use crate::recipe::Output;
use crate::recipe::export::ExportRecipe;
use crate::report::version::VERSION;
use crate::report::{Bar, BuildInfo, Counts, ExportReport, ExportedLayer, Timings};
use crate::run::advice;
use crate::run::output;
use crate::run::pipeline::{self, Holes, Prepared, Verb};
use crate::run::print::Printed;
use crate::run::stopwatch::Stopwatch;
use crate::shown;
use crate::source::container::Platform;

/// The longest file of settings, in bytes: 1 MiB.
const MAX_CONFIG: u64 = 1 << 20;

/// Makes the image and writes it to the output of the recipe.
///
/// # Errors
/// If the tree cannot be read or expressed, its architecture is unknown, or the image cannot be
/// written. An existing layout is unchanged then.
pub fn export(recipe: &ExportRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = Log::new(recipe.level());
    let mut stopwatch = Stopwatch::start();
    let file = Output::File { path: recipe.path.clone(), options: DestinationOptions::default() };
    let own = match recipe.is_archive {
        true => output::own_files(&file, None),
        false => output::own_files(&Output::Nowhere, Some(&recipe.path)),
    };
    let destination =
        if recipe.is_archive { output::open(&file, false, &own, &recipe.inputs())? } else { None };
    let settings = recipe.config.as_deref().map(settings).transpose()?;
    let spool = spool(recipe, &file);
    let options = pipeline::Options {
        own,
        output: &recipe.path,
        spool: spool.clone(),
        holes: Holes::Zeros("a layer stores holes as zeros"),
        ..pipeline::Options::new(&recipe.tree, interrupt, &log)
    };
    // The exit of the process frees the tree, which takes less time than freeing each name.
    let prepared = ManuallyDrop::new(pipeline::run(Verb::Tar, &options)?);
    let tree = &prepared.tree;
    let settings = settings.or_else(|| settings_of_image(&prepared));
    let platform = platform(recipe, tree)?;
    let mut timings = Timings { read: stopwatch.lap(), ..Timings::default() };
    let layout = plan(tree, &Options::layer()).map_err(advice::tar)?;
    timings.plan = stopwatch.lap();
    let mut target = match destination {
        Some(destination) => Target::archive(destination, spool),
        None => Target::directory(&recipe.path)?,
    };
    let threads = &*recipe.tree.threads;
    let bar = Bar::on_stderr("writing the layer", layout.len(), recipe.quiet);
    let write = WriteOptions { threads, reflink: Reflink::Never, interrupt, progress: &bar };
    let layer = target.layer(&layout, &recipe.codec, &write)?;
    let created = recipe.tree.source_date_epoch.map(|time| documents::rfc3339(time.seconds()));
    let config = documents::config(&platform, settings, created, std::slice::from_ref(&layer));
    let config = Described::of(documents::CONFIG, &config)?;
    let manifest =
        Described::of(documents::MANIFEST, &documents::manifest(&config, std::slice::from_ref(&layer)))?;
    target.finish(
        &config,
        &manifest,
        &documents::entry(&manifest, &platform, recipe.tag.as_deref()),
        &write,
    )?;
    timings.write = stopwatch.lap();
    let digests = (manifest.digest.as_str(), config.digest.as_str());
    let mut report = describe(recipe, &prepared, &platform, digests, &layer);
    report.build.timings = timings;
    report.build.add_messages(&log);
    let ExportRecipe { json, quiet, .. } = *recipe;
    Printed { report: &report, digest: None, json, dry_run: false, quiet }.print(|| {
        let name = shown::path(&recipe.path);
        format!("{name}: an image for {platform} with the manifest {}\n", report.manifest)
    })
}

/// Returns the directory for unnamed files: that of the archive, or of a layout that may not exist yet.
fn spool(recipe: &ExportRecipe, archive: &Output) -> Option<PathBuf> {
    if recipe.is_archive || recipe.tree.spool.is_some() {
        return output::spool(&recipe.tree, archive);
    }
    let here = |above: &Path| if above.as_os_str().is_empty() { ".".into() } else { above.to_owned() };
    recipe.path.ancestors().map(here).find(|above| above.is_dir())
}

/// Returns the report on an image that was written, with the digests of its manifest and of its
/// configuration.
fn describe(
    recipe: &ExportRecipe,
    prepared: &Prepared,
    platform: &Platform,
    (manifest, config): (&str, &str),
    layer: &WrittenLayer,
) -> ExportReport {
    ExportReport {
        rootcast: VERSION,
        byte_layout: BYTE_LAYOUT,
        sources: recipe.tree.sources.iter().map(|source| Path::new(source).into()).collect(),
        output: recipe.path.as_path().into(),
        platform: platform.to_string(),
        manifest: manifest.to_owned(),
        config_digest: config.to_owned(),
        compression: recipe.codec.to_string(),
        layers: vec![ExportedLayer {
            digest: layer.digest.clone(),
            diff_id: layer.diff_id.clone(),
            size: layer.size,
            archive_bytes: layer.archive_bytes,
        }],
        build: BuildInfo::new(Counts::of(&prepared.tree), prepared.hard_links, prepared.containers.clone()),
    }
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

/// Returns the platform that was requested, or else that of the programs in the tree.
fn platform(recipe: &ExportRecipe, tree: &Tree<Blob>) -> Result<Platform> {
    if let Some(platform) = &recipe.tree.platform {
        return Ok(platform.normal());
    }
    let has_files = tree.walk().any(|step| matches!(tree.get(step.id).kind, Kind::Regular(_)));
    let found = if has_files { architecture::detect(tree).map_err(classify_read_error)? } else { None };
    found.map(|architecture| Platform::linux(architecture).normal()).ok_or_else(|| {
        let what = "no program in the tree has a known architecture, which an image states: give --arch or --platform";
        Error::new(ErrorKind::Usage, what)
    })
}
