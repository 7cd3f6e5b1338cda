//! Recipes are carried out: source → transform → plan → place → write.

mod image;
mod tree;

use std::ffi::OsStr;
use std::fmt::Display;

use image_tree::Tree;
use rustix::process::geteuid;

use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::recipe::TreeRecipe;
use crate::source::{self, Layer, Source};
use crate::transform::ownership::{self, Ownership};
use crate::transform::{normalize, overlay};

pub use image::image;
pub use tree::tree;

/// Reads the trees that a recipe names, lays each over those before it and makes the result what the recipe says,
/// telling on standard error what that changed beyond what was asked.
fn read_tree(recipe: &TreeRecipe, interrupt: &Interrupt) -> Result<Tree<Blob>> {
    let (first, others) = recipe
        .sources
        .split_first()
        .ok_or_else(|| Error::new(ErrorKind::Usage, "there is no source to read a tree from"))?;
    let mut basedir_used = false;
    let mut tree = read_layer(recipe, first, &mut basedir_used, interrupt)?.tree;
    for path in others {
        let layer = read_layer(recipe, path, &mut basedir_used, interrupt)?;
        let replaced;
        (tree, replaced) = overlay::apply(tree, &layer.tree, &layer.implied)
            .map_err(|error| Error::at(ErrorKind::BadInput, path, error))?;
        for one in &replaced {
            let text = format!("{}: {one}", path.display());
            if one.is_link_by_directory() {
                warn(Some(text));
            } else if recipe.verbose {
                eprintln!("rootcast: {text}");
            }
        }
    }
    if recipe.basedir.is_some() && !basedir_used {
        return Err(Error::new(ErrorKind::Usage, "--basedir is for dumps, and no source is one"));
    }
    Ok(tree)
}

/// One source, with the owners it gives and without what means nothing outside of it.
fn read_layer(
    recipe: &TreeRecipe,
    path: &OsStr,
    basedir_used: &mut bool,
    interrupt: &Interrupt,
) -> Result<Layer> {
    interrupt.check()?;
    let source = Source::at(path, recipe.basedir.as_deref())?;
    *basedir_used |= matches!(source, Source::Dump { .. });
    let ownership = recipe.ownership.unwrap_or_else(|| default_ownership(&source));
    let is_directory = matches!(source, Source::Directory(_));
    let mut layer = source::read(source, recipe.threads, recipe.limits, interrupt)?;
    warn(ownership::apply(&mut layer.tree, ownership));
    // Labels in a dump or an archive were written there for the guest.
    let options =
        normalize::Options { source_date_epoch: recipe.source_date_epoch, keep_selinux: !is_directory };
    let report = normalize::apply(&mut layer.tree, options);
    warn((!report.dropped.is_empty()).then_some(report));
    Ok(layer)
}

fn warn(warning: Option<impl Display>) {
    if let Some(warning) = warning {
        eprintln!("rootcast: warning: {warning}");
    }
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
