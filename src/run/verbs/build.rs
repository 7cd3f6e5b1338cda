//! `rootcast image`, `initrd` and `tar`: make a product of a tree.

mod outputs;

use std::mem::ManuallyDrop;
use std::sync::Arc;

use self::outputs::Opened;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::recipe::preset::DiskPreset;
use crate::recipe::{Build, Make, Output, OutputRecipe};
use crate::report::{Bars, ImageReport, Report, kata};
use crate::run::output;
use crate::run::plan::{Plan, RootHashFile, Setting};
use crate::run::print::{self, Printed, print};
use crate::run::sbom;
use crate::watch::Watch;

/// Makes the product and writes it to the output of the recipe.
///
/// # Errors
/// If the tree cannot be read or expressed, does not fit, or the product cannot be written. Nothing
/// is left behind then.
pub fn build(build: &Build, recipe: &OutputRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = print::log(recipe.level(&build.tree));
    let (opened, own) = outputs::open(build, recipe)?;
    let Opened { product, root_hash } = &opened;
    let product = product.as_ref();
    let create = |file| RootHashFile::create(file, product, interrupt.cleanups());
    let root_hash = root_hash.as_ref().map(create).transpose()?;
    let bars = Arc::new(Bars::new(recipe.quiet));
    let watch = Watch::new(bars.clone(), interrupt.clone());
    let spool = output::spool(&build.tree, &recipe.output);
    let path = output::file(&recipe.output);
    let (spool, dry_run) = (spool.as_deref(), recipe.dry_run);
    let setting = Setting { own, path, dry_run, destination: product, spool, temporary: None };
    // Never dropped: freeing each name and inode at the end takes time, and the exit of the process
    // frees all at once.
    let plan = ManuallyDrop::new(Plan::make(build, &watch, log, &setting)?);
    bars.set_label(doing(plan.report()));
    let report = match recipe.dry_run {
        true => plan.report().clone(),
        false => plan.write_to(product, root_hash)?,
    };
    if !recipe.dry_run {
        sbom::write(&build.tree, &report.build().packages, interrupt)?;
    }
    if recipe.print_kata_config {
        print_kata_config(build, recipe, &report)?;
    }
    let OutputRecipe { json, dry_run, quiet, .. } = *recipe;
    let name = output::shown(&recipe.output);
    Printed { report: &report, digest: report.sha256(), json, dry_run, quiet }
        .print(|| plan.summary(&name, &report))
}

/// Returns the label of the progress bar.
fn doing(report: &Report) -> String {
    let compression = match report {
        Report::Initrd(report) => Some(&report.compression),
        Report::Tar(report) => Some(&report.compression),
        Report::Image(_) => None,
    };
    match compression.filter(|codec| *codec != "none") {
        Some(codec) => format!("compressing with {codec}"),
        None => "writing".to_owned(),
    }
}

/// Prints the configuration of Kata's runtimes.
fn print_kata_config(build: &Build, recipe: &OutputRecipe, report: &Report) -> Result<()> {
    let Output::File { path, .. } = &recipe.output else { return Ok(()) };
    let text = match (&build.make, report) {
        (Make::Image(image), Report::Image(report)) => {
            let parameters = kata_parameters(report);
            match (image.preset, &image.extension) {
                (Some(DiskPreset::KataExtension), Some(name)) => kata::extension(name, path, parameters),
                _ => kata::image(path, report.filesystem.format(), parameters),
            }
        }
        _ => kata::initrd(path),
    };
    print(text.map_err(|error| Error::io(path, error))?.as_bytes())
}

fn kata_parameters(report: &ImageReport) -> Option<&str> {
    report.verity.as_ref().and_then(|verity| verity.parameters.as_deref())
}
