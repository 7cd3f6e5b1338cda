//! Recipes are carried out: source → transform → plan → place → write.

mod image;
mod tree;

use std::fmt::Display;

use image_tree::Tree;
use rustix::process::geteuid;

use crate::blob::Blob;
use crate::error::Result;
use crate::recipe::TreeRecipe;
use crate::source::{self, Source};
use crate::transform::normalize;
use crate::transform::ownership::{self, Ownership};

pub use image::image;
pub use tree::tree;

/// Reads the tree that a recipe names and makes it what the recipe says, telling on standard error what that changed
/// beyond what was asked.
fn read_tree(recipe: &TreeRecipe) -> Result<Tree<Blob>> {
    let source = Source::at(&recipe.source, recipe.basedir.as_deref())?;
    let ownership = recipe.ownership.unwrap_or_else(|| default_ownership(&source));
    let is_directory = matches!(source, Source::Directory(_));
    let mut tree = source::read(source, recipe.threads)?;
    warn(ownership::apply(&mut tree, ownership));
    // Labels in a dump were written there for the guest.
    let options =
        normalize::Options { source_date_epoch: recipe.source_date_epoch, keep_selinux: !is_directory };
    let report = normalize::apply(&mut tree, options);
    warn((!report.dropped.is_empty()).then_some(report));
    Ok(tree)
}

fn warn(warning: Option<impl Display>) {
    if let Some(warning) = warning {
        eprintln!("rootcast: warning: {warning}");
    }
}

/// A directory that an ordinary user reads belongs to whoever could write it, which says nothing about the guest. Root
/// can make a directory as it should be, and a dump says itself whose its files are.
fn default_ownership(source: &Source) -> Ownership {
    match source {
        Source::Directory(_) if !geteuid().is_root() => Ownership::Root,
        Source::Directory(_) | Source::Dump { .. } => Ownership::Keep,
    }
}
