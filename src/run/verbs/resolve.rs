//! `rootcast resolve` and `rootcast fetch`: print the packages of a request, or fetch them.

use std::path::Path;

use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::recipe::archive::ArchiveRecipe;
use crate::report::SelectionReport;
use crate::run::packages::{self, Means};
use crate::run::{cache, print};
use crate::shown::{self, Count};
use crate::source::package::deb::archive::Context;
use crate::source::package::deb::select::Selected;
use crate::source::package::deb::vendor;
use crate::watch::Watch;

/// Prints the packages that a request selects, as text or as JSON.
///
/// # Errors
/// If the archives cannot be read, are not signed as they have to be, or the packages cannot be
/// installed together.
pub fn resolve(recipe: &ArchiveRecipe, json: bool, interrupt: &Interrupt) -> Result<()> {
    selected(recipe, interrupt, |selected, _| {
        let report = SelectionReport::new(&recipe.spec, &selected);
        if json { print::print_json(&report) } else { print::print(report.to_string().as_bytes()) }
    })
}

/// Fetches the packages that a request selects into a directory.
///
/// # Errors
/// Those of [`resolve`], and if a package cannot be fetched or written.
pub fn fetch(recipe: &ArchiveRecipe, to: &Path, interrupt: &Interrupt) -> Result<()> {
    selected(recipe, interrupt, |selected, context| {
        let written = vendor::write(&selected.selection, &selected.acquired, to, context)?;
        let log = print::log(recipe.level());
        let (packages, to) = (Count(written.packages, "package", "packages"), shown::path(to));
        log.info(format_args!("{to}: {packages} and their metadata, {} bytes", written.bytes));
        Ok(())
    })
}

fn selected(
    recipe: &ArchiveRecipe,
    interrupt: &Interrupt,
    then: impl FnOnce(Selected, &Context<'_>) -> Result<()>,
) -> Result<()> {
    let log = print::log(recipe.level());
    let cache = cache::open(recipe.cache.as_ref(), false, &log)?;
    let watch = Watch { cancel: interrupt.clone(), ..Watch::default() };
    let means = Means { cache: cache.as_ref(), threads: &recipe.threads, watch: &watch, log: &log };
    packages::select(&recipe.spec, &recipe.options, recipe.architecture, &means, then)
}
