//! The pipeline from the sources to the finished tree.
//!
//! [`STEPS`] lists every step in order, with the verbs that take it, and [`reader::SOURCE_STEPS`] those
//! that each source takes before. The tree is changed by these steps and nowhere else; the verbs
//! differ in their steps and options.

mod holes;
mod modules;
mod options;
mod prepared;
mod reader;
mod verb;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

pub(super) use self::holes::Holes;
pub(super) use self::options::Options;
pub(super) use self::prepared::Prepared;
use self::prepared::done;
use self::reader::reader;
pub(super) use self::verb::Verb;
use super::cache;
use super::firmware;
use super::reduction::{self, MissingFiles, PartialScan};
use super::sources::Stacked;
use super::stopwatch::Stopwatch;
use crate::error::Result;
use crate::filesystem;
use crate::log::Report;
use crate::recipe::TreeRecipe;
use crate::transform::hardlinks;
use crate::transform::init;
use crate::transform::kernel_modules::changed;
use crate::transform::own_files;
use crate::transform::ownership;
use crate::transform::{
    accounts, configure, duplicates, edit, guest_files, image_config, kata, keep, ld_cache, normalize,
    overlay, own_directories, selinux, sparse, startable, systemd, unreadable, unusable_xattrs,
};

use Verb::{Closure, Image, Initrd, Tar};

const ALL: &[Verb] = &[Image, Initrd, Tar, Verb::Tree, Closure];

/// The function of a step: it changes the tree, or checks it, and returns what is to be reported.
type Apply = fn(&mut Prepared, &Options<'_>) -> Result<Box<dyn Report>>;

/// A step, with the verbs that take it.
type Step = (&'static [Verb], Apply);

/// Every step from the sources to the finished tree, in order, with the verbs that take it.
const STEPS: [Step; 34] = [
    (ALL, sources),
    (ALL, ownership_manifest),
    (ALL, configure),
    (ALL, kata_setup),
    (ALL, edits),
    (ALL, modules::from_host),
    (ALL, overlay),
    (ALL, modules::of_whole_tree),
    (ALL, unreadable_files),
    (ALL, kept_part),
    (ALL, missing_files),
    (ALL, reduction),
    (ALL, ld_cache),
    (ALL, modules::form),
    (ALL, modules::indices),
    (ALL, systemd_files),
    (ALL, unreadable_kept_files),
    (ALL, set_id_files),
    (ALL, accounts),
    (ALL, guest_files),
    (ALL, image_config),
    (ALL, times),
    (ALL, undefined_ids),
    (&[Image, Initrd, Tar], output_in_tree),
    (&[Image], own_directories),
    (&[Image, Tar], holes),
    (ALL, kata_check),
    (&[Initrd], init),
    (&[Initrd], startable),
    (&[Image, Initrd, Tar, Verb::Tree], selinux_labels),
    (&[Image, Initrd, Tar, Verb::Tree], hard_links),
    (&[Image, Initrd, Tar], holes_as_zeros),
    (&[Image], unusable_xattrs),
    (&[Image], duplicates),
];

/// Takes the steps of a verb, and logs their reports.
///
/// # Errors
/// The error of the first step that fails; [`Interrupted`](crate::error::ErrorKind::Interrupted)
/// after a signal.
pub(super) fn run(verb: Verb, options: &Options<'_>) -> Result<Prepared> {
    take(&STEPS, verb, options, Prepared::new())
}

fn take(steps: &[Step], verb: Verb, options: &Options<'_>, mut prepared: Prepared) -> Result<Prepared> {
    for (verbs, apply) in steps {
        if verbs.contains(&verb) {
            apply(&mut prepared, options)?.log(options.log);
            options.interrupt.check()?;
        }
    }
    Ok(prepared)
}

/// Reads the sources and adds them one over another, each without the files that the run writes,
/// with the owners of the recipe and without metadata of the host. The messages about one source
/// are logged before the next one is read.
fn sources(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { recipe, dry_run, log, .. } = *options;
    prepared.cache = cache::open(recipe.cache.as_ref(), dry_run, log)?;
    prepared.temporary = options.temporary.map(Path::to_owned);
    let reader = reader(recipe, options, prepared.cache.as_ref());
    let partial = reduction::partial_scan(recipe, &reader.options(), &reader.own, options.lookups)?;
    let (scanned, found) = partial.map(|PartialScan { scanned, found }| (scanned, found)).unzip();
    let Stacked { tree, unreadable, set_id, containers, packages, states } = reader.stacked(scanned)?;
    (prepared.containers, prepared.packages, prepared.states) = (containers, packages, states);
    (prepared.tree, prepared.unreadable, prepared.set_id) = (tree, unreadable, set_id);
    prepared.found = found;
    done(())
}

fn ownership_manifest(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    if let Some(ownership) = &options.recipe.ownership {
        ownership::manifest::apply(&mut prepared.tree, ownership)?;
    }
    done(())
}

/// Sets the tree up as a guest of Kata, before the edits, which may change what it did.
fn kata_setup(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Some(setup) = &options.recipe.kata.setup else { return done(()) };
    let options = kata::Options { setup, time: options.recipe.time_of_changes() };
    done(kata::apply(&mut prepared.tree, &options)?)
}

/// Makes what installation scripts would make, before the edits, which may change it.
fn configure(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let recipe = options.recipe;
    if recipe.configure.is_empty() {
        return done(());
    }
    let options = configure::Options { generators: &recipe.configure, time: recipe.time_of_changes() };
    prepared.configured = configure::apply(&mut prepared.tree, &options)?;
    done(prepared.configured.clone())
}

fn edits(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { recipe, own, interrupt, .. } = *options;
    if !recipe.edits.is_empty() || !recipe.overlays.is_empty() {
        prepared.modules.before = Some(changed::Modules::of(&prepared.tree));
    }
    let options = edit::Options {
        edits: &recipe.edits,
        time: recipe.time_of_changes(),
        threads: &recipe.threads,
        filter: &recipe.xattr_filter,
        interrupt,
        own,
    };
    let mut report = edit::apply(&mut prepared.tree, &options)?;
    prepared.unreadable.append(&mut report.unreadable);
    done(report)
}

/// Lays the overlays over the tree.
fn overlay(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let recipe = options.recipe;
    if recipe.overlays.is_empty() {
        return done(());
    }
    let overlays = TreeRecipe { sources: recipe.overlays.clone(), basedir: None, ..recipe.clone() };
    let reader = reader(&overlays, options, prepared.cache.as_ref());
    let Stacked { tree, unreadable, set_id, containers, packages, .. } = reader.stacked(None)?;
    prepared.packages.extend(packages);
    prepared.unreadable.extend(unreadable);
    prepared.set_id.extend(set_id);
    prepared.containers.extend(containers);
    prepared.overlay = overlay::apply(&mut prepared.tree, &overlay::Options { overlay: &tree })?;
    done(())
}

/// Applies the policy to unreadable files before the reduction: a file that is left out or empty
/// cannot be needed.
fn unreadable_files(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    if only_kept_files_must_be_readable(options.recipe) {
        done(())
    } else {
        apply_unreadable(prepared, options)
    }
}

/// Finds the kept part, unless it was found while the sources were read.
fn kept_part(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { recipe, lookups, .. } = *options;
    let mut keep = recipe.keep.as_ref().map(|keep| prepared.overlay.requests(&prepared.tree, &keep.keep));
    if let (Some(keep), Some(version)) = (&mut keep, &prepared.modules.added) {
        keep.modules.version = Some(version.clone());
    }
    let found = prepared.found.take();
    let (reduction, messages) =
        reduction::find(&prepared.tree, &prepared.unreadable, recipe, keep.as_ref(), found, lookups)?.unzip();
    let closure = reduction.as_ref().map(|reduction| &reduction.closure);
    let laid = prepared.overlay.check(closure, recipe.overlay_conflict)?;
    prepared.reduction = reduction;
    prepared.microcode = match &mut prepared.reduction {
        Some(reduction) => std::mem::take(&mut reduction.whole_tree.microcode),
        None if options.lookups.microcode => firmware::microcode(&prepared.tree),
        None => Vec::new(),
    };
    done((messages, laid, ()))
}

/// Refuses or reports needed files that are missing.
fn missing_files(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Some(reduction) = &prepared.reduction else { return done(()) };
    done(MissingFiles::of(&reduction.closure, options.recipe)?)
}

fn reduction(prepared: &mut Prepared, _options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Some(reduction) = &mut prepared.reduction else { return done(()) };
    let mut stopwatch = Stopwatch::start();
    let kept = keep::apply(&mut prepared.tree, &keep::Options { closure: &reduction.closure })?;
    reduction.took += stopwatch.lap();
    done(kept)
}

/// Writes the cache of the dynamic linker: of the whole tree if that is requested, of the kept part
/// if it needs one, too.
fn ld_cache(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let recipe = options.recipe;
    let Some(reduction) = &mut prepared.reduction else {
        let required = recipe.ld_cache;
        if !required && !recipe.configure.has(configure::Generator::LdCache) {
            return done(());
        }
        let (threads, time) = (&recipe.threads, recipe.time_of_changes());
        let scope = ld_cache::Scope::Tree { threads, time, required };
        return done(ld_cache::apply(&mut prepared.tree, &ld_cache::Options { scope })?);
    };
    let Some(metadata) = &reduction.ld_cache else { return done(()) };
    let mut stopwatch = Stopwatch::start();
    let directories = &reduction.closure.library_directories;
    let scope = ld_cache::Scope::Kept { directories, metadata, required: recipe.ld_cache };
    let written = ld_cache::apply(&mut prepared.tree, &ld_cache::Options { scope })?;
    if let Some(written) = &written {
        ld_cache::add_to(&mut reduction.closure, &written.path);
    }
    reduction.took += stopwatch.lap();
    done(written)
}

/// Adds the files that systemd expects of an image, if it is kept.
fn systemd_files(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let recipe = options.recipe;
    let (Some(reduction), Some(keep)) = (&mut prepared.reduction, &recipe.keep) else { return done(()) };
    if !reduction.has_systemd {
        return done(());
    }
    let options =
        systemd::Options { default_target: &keep.keep.default_target, time: recipe.time_of_changes() };
    let added = systemd::apply(&mut prepared.tree, &options)?;
    added.add_to(&mut reduction.closure);
    done(added)
}

/// Applies the policy to unreadable files after the reduction.
fn unreadable_kept_files(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    if only_kept_files_must_be_readable(options.recipe) {
        apply_unreadable(prepared, options)
    } else {
        done(())
    }
}

fn only_kept_files_must_be_readable(recipe: &TreeRecipe) -> bool {
    recipe.unreadable == unreadable::Policy::Fail && recipe.keep.is_some()
}

fn apply_unreadable(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let options = unreadable::Options { policy: options.recipe.unreadable, unreadable: &prepared.unreadable };
    done(unreadable::apply(&mut prepared.tree, &options)?)
}

/// Reports the programs that run as another user or group than in their source, unless an edit or
/// the reduction removed them or an edit changed their owner.
fn set_id_files(prepared: &mut Prepared, _options: &Options<'_>) -> Result<Box<dyn Report>> {
    let mut changes = std::mem::take(&mut prepared.set_id);
    changes.iter_mut().for_each(|change| change.retain_in_effect(&prepared.tree));
    changes.retain(|change| !change.paths.is_empty());
    done(changes)
}

/// Reduces the databases of accounts of a reduced tree, unless an overlay has its own.
fn accounts(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let (Some(keep), Some(reduction)) = (&options.recipe.keep, &prepared.reduction) else { return done(()) };
    if prepared.overlay.has_accounts() {
        return done(());
    }
    let (named, time) = (&reduction.accounts, options.recipe.time_of_changes());
    let options = accounts::Options { accounts: &keep.accounts, named, time };
    done(accounts::apply(&mut prepared.tree, &options)?)
}

/// Adds what a guest needs and an image of containers lacks, if that is requested, to the kept part
/// as well.
fn guest_files(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    if !options.recipe.guest_files {
        return done(());
    }
    let time = options.recipe.time_of_changes();
    done(guest_files::apply(&mut prepared.tree, &guest_files::Options { time })?)
}

/// Writes the settings of images of containers, to the kept part as well.
fn image_config(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let settings: Vec<&Value> = prepared.containers.iter().map(|image| &image.config).collect();
    let (place, time) = (&options.recipe.image_config, options.recipe.time_of_changes());
    let options = image_config::Options { settings: &settings, place, time };
    done(image_config::apply(&mut prepared.tree, &options)?)
}

/// Clamps times again, for the files that edits added.
fn times(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    done(normalize::times::apply(&mut prepared.tree, &options.recipe.times())?)
}

fn undefined_ids(prepared: &mut Prepared, _options: &Options<'_>) -> Result<Box<dyn Report>> {
    done(ownership::undefined::check(&prepared.tree)?)
}

/// Refuses to replace a file whose contents are those of a file in the tree.
fn output_in_tree(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { own, output, .. } = *options;
    done(own_files::check(&prepared.tree, &own_files::CheckOptions { own, output })?)
}

/// Adds the directories that the filesystem has in addition, as `/lost+found`, before the labels,
/// if there are any, so that they get labels too.
fn own_directories(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Some(filesystem) = options.filesystem else { return done(()) };
    if options.recipe.file_contexts.is_some() {
        let options = own_directories::Options { directories: filesystem.own_directories };
        own_directories::apply(&mut prepared.tree, &options)?;
    }
    done(())
}

fn holes(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { recipe, interrupt, .. } = *options;
    let Holes::Blocks { policy, len: block_len } = options.holes else { return done(()) };
    let options = sparse::Options { policy, block_len, threads: &recipe.threads, interrupt };
    done(sparse::apply(&mut prepared.tree, &options)?)
}

/// Limits the length of files whose holes are stored as zeros. It depends on the hard links: each
/// inode is stored once.
fn holes_as_zeros(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let reason = match options.holes {
        Holes::Zeros(reason) => reason,
        Holes::Blocks { policy: sparse::Policy::Never, .. } => "--sparse never stores them as zeros",
        Holes::Blocks { policy: sparse::Policy::Auto | sparse::Policy::Always, .. } => return done(()),
    };
    let options = sparse::zeros::Options { max: options.recipe.limits.max_size, reason };
    done(sparse::zeros::check(&prepared.tree, &options)?)
}

/// Checks that the tree is one of a guest of Kata, if it has to be.
fn kata_check(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let recipe = &options.recipe.kata;
    if let Some(init) = &recipe.check {
        let init = init.as_ref().or(recipe.setup.as_ref().map(|setup| &setup.init));
        let is_overlay = recipe.setup.as_ref().is_some_and(|setup| setup.overlay);
        kata::check::check(&prepared.tree, &kata::check::Options { init, is_overlay })?;
    }
    done(())
}

fn init(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { recipe, init: Some(init), with_agent, .. } = *options else { return done(()) };
    let none = BTreeSet::new();
    let before = prepared.reduction.as_ref().map_or(&none, |reduction| &reduction.whole_tree.paths);
    let options = init::Options { init, time: recipe.time_of_changes(), with_agent, before };
    let report = init::apply(&mut prepared.tree, &options)?;
    prepared.init_created = report.created;
    done(report)
}

/// Checks that `/init` starts, once its tree is complete.
fn startable(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    match &options.startable {
        Some(options) => done(startable::check(&prepared.tree, options)?),
        None => done(()),
    }
}

/// Sets SELinux labels, which depend on the final names of files.
fn selinux_labels(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Some(contexts) = &options.recipe.file_contexts else { return done(()) };
    let options = selinux::Options { contexts, interrupt: options.interrupt };
    done(selinux::apply(&mut prepared.tree, &options)?)
}

/// Makes or breaks hard links, which depends on the labels.
fn hard_links(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Options { recipe, interrupt, .. } = *options;
    if recipe.hardlinks == hardlinks::Policy::Keep {
        return done(());
    }
    let max_names = options.filesystem.map_or(filesystem::MAX_LINKS, |filesystem| filesystem.max_links);
    let options =
        hardlinks::Options { policy: recipe.hardlinks, max_names, threads: &recipe.threads, interrupt };
    prepared.hard_links = hardlinks::apply(&mut prepared.tree, &options)?;
    done(prepared.hard_links)
}

fn unusable_xattrs(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    let Some(filesystem) = options.filesystem else { return done(()) };
    let options = unusable_xattrs::Options { support: filesystem.xattrs };
    done(unusable_xattrs::apply(&mut prepared.tree, &options)?)
}

fn duplicates(prepared: &mut Prepared, options: &Options<'_>) -> Result<Box<dyn Report>> {
    if options.filesystem.is_some_and(|filesystem| filesystem.shares_duplicates) {
        let Options { recipe, interrupt, .. } = *options;
        let options = duplicates::Options { threads: &recipe.threads, interrupt };
        prepared.duplicates = duplicates::originals(&prepared.tree, &options)?;
    }
    done(())
}

#[cfg(test)]
mod tests;
