//! The steps of kernel modules.

use std::sync::Arc;

use super::options::Options;
use super::prepared::{Prepared, done};
use super::reader::reader;
use crate::error::Result;
use crate::log::Report;
use crate::recipe::TreeRecipe;
use crate::run::sources::Stacked;
use crate::run::stopwatch::Stopwatch;
use crate::source::module_directory;
use crate::transform::kernel_modules::{added, changed, form, reduced, signatures};
use crate::transform::ownership::Ownership;

/// Adds the modules in a directory of the host.
pub(super) fn from_host(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let recipe = options.recipe;
    let Some(directory) = &recipe.modules.directory else { return done(()) };
    let version = module_directory::version(directory, recipe.modules.version.as_deref())?;
    let modules = TreeRecipe {
        sources: vec![version.path.into()],
        basedir: None,
        ownership: Some(Ownership::Root),
        ..recipe.clone()
    };
    let reader = reader(&modules, options, prepared.cache.as_ref());
    let Stacked { tree: modules, unreadable, .. } = reader.stacked(None)?;
    let time = recipe.time_of_changes();
    let added = added::apply(
        &mut prepared.tree,
        modules,
        &added::Options { version: &version.name, directory, time },
    )?;
    if added.is_new {
        let above: Arc<[u8]> = added.path.as_slice().into();
        prepared.unreadable.extend(unreadable.into_iter().map(|found| found.beneath(&above)));
    }
    if added.lacks_indices {
        prepared.modules.changed.insert(added.path.clone());
    }
    prepared.modules.added = Some(version.name);
    done(added)
}

/// Finds the modules that edits and overlays changed, and the kernels that need signatures, before
/// the tree is reduced.
pub(super) fn of_whole_tree(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    if let Some(before) = prepared.modules.before.take() {
        let added = prepared.modules.added.as_deref();
        prepared.modules.changed.extend(before.changed_to(&changed::Modules::of(&prepared.tree), added));
    }
    if options.recipe.modules.strip {
        prepared.modules.enforced = signatures::enforced(&prepared.tree)?;
    }
    done(())
}

/// Decompresses and strips the modules that are kept, if that is requested.
pub(super) fn form(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { recipe, interrupt, ref spool, ref memory, temporary, .. } = *options;
    let options = form::Options {
        compression: recipe.modules.compression,
        strip: recipe.modules.strip,
        enforced: &prepared.modules.enforced,
        spool: spool.as_deref().or(temporary),
        memory,
        threads: &recipe.threads,
        interrupt,
    };
    let mut stopwatch = Stopwatch::start();
    let changed = form::apply(&mut prepared.tree, &options)?;
    prepared.modules.changed.extend(changed.renamed_versions.iter().cloned());
    if let Some(reduction) = &mut prepared.reduction {
        reduction.rename(&changed.renamed);
        reduction.took += stopwatch.lap();
    }
    done(changed)
}

/// Writes the indices of the modules that were requested, and of versions whose modules changed.
pub(super) fn indices(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { recipe, interrupt, .. } = *options;
    let requested = prepared.reduction.as_ref().and_then(|reduction| reduction.modules.clone());
    prepared.modules.changed.extend(requested);
    let mut stopwatch = Stopwatch::start();
    let (threads, time) = (&recipe.threads, recipe.time_of_changes());
    let mut all = Vec::new();
    for version in &prepared.modules.changed {
        let options = reduced::Options { version, threads, interrupt, time };
        all.extend(reduced::apply(&mut prepared.tree, &options)?);
    }
    if let Some(reduction) = &mut prepared.reduction {
        all.iter().for_each(|written| written.add_to(&mut reduction.closure));
        reduction.took += stopwatch.lap();
    }
    done(all)
}
