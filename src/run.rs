//! Recipes are carried out: source → transform → plan → place → write.

mod check;
mod clock;
mod closure;
mod documents;
mod image;
mod initrd;
mod put;
mod tree;

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;

use image_tree::Tree;
use rustix::process::geteuid;
use serde::Serialize;

use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::output::stream;
use crate::recipe::TreeRecipe;
use crate::report::Log;
use crate::source::directory::{Scanned, Unreadable};
use crate::source::{self, Layer, Source};
use crate::transform::hardlinks::{self, Linked};
use crate::transform::ownership::{self, GivenAway, Ownership};
use crate::transform::{edit, normalize, overlay, selinux, unreadable};

pub use check::check;
use closure::Reached;
pub use closure::closure;
pub use documents::{completions, man, version};
pub use image::image;
pub use initrd::initrd;
pub use tree::tree;

/// Reads the trees that a recipe names, lays each over those before it and makes the result what the recipe says,
/// telling what that changed beyond what was asked.
fn read_tree(recipe: &TreeRecipe, interrupt: &Interrupt, log: &Log) -> Result<Tree<Blob>> {
    Ok(read_part(recipe, interrupt, log)?.0)
}

/// As [`read_tree`], with what was kept, if only a part of the tree was.
fn read_part(
    recipe: &TreeRecipe,
    interrupt: &Interrupt,
    log: &Log,
) -> Result<(Tree<Blob>, Option<closure::Part>)> {
    let reached = closure::reach(recipe, interrupt)?;
    let (layer, found) = reached.map(|Reached { layer, found }| (layer, found)).unzip();
    let Overlaid { mut tree, mut closed, given } = overlaid(recipe, layer, interrupt, log)?;
    if let Some(ownership) = &recipe.ownership {
        ownership::apply_manifest(&mut tree, ownership)?;
    }
    let options = edit::Options { time: recipe.time_of_changes(), threads: recipe.threads.get() };
    let (mut tree, report) = edit::apply(tree, &recipe.edits, options)?;
    report.warnings.into_iter().for_each(|warning| log.warn(warning));
    closed.extend(report.unreadable);
    // What is left out or empty cannot be needed; but where it is an error, only what is kept has to be readable.
    let fails = recipe.unreadable == unreadable::Policy::Fail;
    if !fails || recipe.keep.is_none() {
        settle(&mut tree, &closed, recipe, log)?;
    }
    interrupt.check()?;
    let (mut tree, part) = closure::reduce(tree, recipe, found, log)?;
    if fails && part.is_some() {
        settle(&mut tree, &closed, recipe, log)?;
    }
    for mut given in given {
        given.retain_given(&tree);
        if !given.paths.is_empty() {
            log.warn(given);
        }
    }
    // What edits brought is to be no younger either.
    normalize::clamp_times(&mut tree, recipe.source_date_epoch);
    Ok((if closed.is_empty() { tree } else { tree.compact().0 }, part))
}

/// Does with what may not be read as the recipe says. What was taken away need not be readable.
fn settle(tree: &mut Tree<Blob>, closed: &[Unreadable], recipe: &TreeRecipe, log: &Log) -> Result<()> {
    if let Some(left) = unreadable::settle(tree, closed, recipe.unreadable)? {
        log.exclude("unreadable files", left.count());
        log.warn(left);
    }
    Ok(())
}

/// All sources as one tree.
struct Overlaid {
    tree: Tree<Blob>,
    /// What of it may not be read.
    closed: Vec<Unreadable>,
    /// For each source, what runs as somebody else now.
    given: Vec<GivenAway>,
}

/// Lays the sources one over the other. The first one may have been read before.
fn overlaid(recipe: &TreeRecipe, layer: Option<Layer>, interrupt: &Interrupt, log: &Log) -> Result<Overlaid> {
    let (first, others) = recipe
        .sources
        .split_first()
        .ok_or_else(|| Error::new(ErrorKind::Usage, "there is no source to read a tree from"))?;
    let mut basedir_used = false;
    let (lowest, away) = read_layer(recipe, first, layer, &mut basedir_used, interrupt, log)?;
    let Scanned { mut tree, unreadable: mut closed, .. } = lowest.scanned;
    let mut given = Vec::from_iter(away);
    for path in others {
        let (Layer { scanned: upper, implied }, away) =
            read_layer(recipe, path, None, &mut basedir_used, interrupt, log)?;
        for below in &mut given {
            below.paths.retain(|path| upper.tree.resolve(path).is_none());
        }
        given.extend(away);
        closed.retain(|found| !unreadable::is_covered(found, &upper.tree));
        closed.extend(upper.unreadable);
        let replaced;
        (tree, replaced) = overlay::apply(tree, &upper.tree, &implied)
            .map_err(|error| Error::at(ErrorKind::BadInput, path, error))?;
        for one in &replaced {
            let text = format!("{}: {one}", path.display());
            if one.is_link_by_directory() {
                log.warn(text);
            } else {
                log.detail(text);
            }
        }
    }
    if recipe.basedir.is_some() && !basedir_used {
        return Err(Error::new(ErrorKind::Usage, "--basedir is for dumps, and no source is one"));
    }
    Ok(Overlaid { tree, closed, given })
}

/// One source, with the owners it gives and without what means nothing outside of it.
fn read_layer(
    recipe: &TreeRecipe,
    path: &OsStr,
    layer: Option<Layer>,
    basedir_used: &mut bool,
    interrupt: &Interrupt,
    log: &Log,
) -> Result<(Layer, Option<GivenAway>)> {
    interrupt.check()?;
    let source = Source::at(path, recipe.basedir.as_deref())?;
    *basedir_used |= matches!(source, Source::Dump { .. });
    let usual = default_ownership(&source);
    let ownership = recipe.ownership.as_ref().unwrap_or(&usual);
    let is_directory = matches!(source, Source::Directory(_));
    let Layer { mut scanned, implied } = match layer {
        Some(layer) => layer,
        None => source::read(source, recipe.threads, recipe.limits, interrupt)?,
    };
    log.detail(format_args!("{}: {} inodes read", Path::new(path).display(), scanned.tree.inode_count()));
    let given = ownership::apply(&mut scanned, ownership, &usual)?;
    // Labels in a dump or an archive were written there for the guest. What the host left goes before edits can set any.
    let options =
        normalize::Options { source_date_epoch: recipe.source_date_epoch, keep_selinux: !is_directory };
    let report = normalize::apply(&mut scanned.tree, options);
    for (name, count) in &report.dropped {
        log.exclude(format_args!("xattr {name}"), *count);
    }
    if report.clamped > 0 {
        log.detail(format_args!("{} times were set back", report.clamped));
    }
    if !report.dropped.is_empty() {
        log.warn(report);
    }
    Ok((Layer { scanned, implied }, given))
}

/// What comes last: labels, by the names that files have then, and hard links, by the labels among other things.
fn finish(tree: &mut Tree<Blob>, recipe: &TreeRecipe, interrupt: &Interrupt, log: &Log) -> Result<Linked> {
    label(tree, recipe, log)?;
    hardlinks::apply(tree, recipe.hardlinks, recipe.threads, interrupt, log)
}

/// Gives the files of a tree the SELinux labels that the recipe asks for.
fn label(tree: &mut Tree<Blob>, recipe: &TreeRecipe, log: &Log) -> Result<()> {
    let Some(contexts) = &recipe.file_contexts else { return Ok(()) };
    let report = selinux::apply(tree, contexts)?;
    for warning in report.warnings() {
        log.warn(warning);
    }
    let selinux::Report { labelled, left_alone, .. } = report;
    log.detail(format_args!("{labelled} inodes labelled for SELinux, {left_alone} left alone by the policy"));
    Ok(())
}

/// Writes to standard output. A reader that goes away has read what it wanted.
fn print(bytes: &[u8]) -> Result<()> {
    let mut out = stream::standard_output()?;
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Error::io("standard output", error)),
    }
}

fn print_json(value: &impl Serialize) -> Result<()> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| Error::new(ErrorKind::Verification, error))?;
    text.push(b'\n');
    print(&text)
}

/// A directory that an ordinary user reads belongs to whoever could write it, which says nothing about the guest. Root
/// can make a directory as it should be, and a dump or an archive says itself whose its files are.
fn default_ownership(source: &Source) -> Ownership {
    match source {
        Source::Directory(_) if !geteuid().is_root() => Ownership::Root,
        Source::Directory(_) | Source::Dump { .. } | Source::Tar { .. } | Source::TarStream { .. } => {
            Ownership::Keep
        }
    }
}
