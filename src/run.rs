//! Carries out recipes: source → transform → plan → place → write.

mod check;
mod clock;
mod closure;
mod documents;
mod image;
mod initrd;
mod put;
mod read;
mod tree;
mod way_out;

use std::io::{self, Write as _};

use image_tree::Tree;
use serde::Serialize;

use crate::blob::Blob;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::{Log, Report as _};
use crate::output::stream;
use crate::recipe::TreeRecipe;
use crate::transform::hardlinks::{self, Linked};
use crate::transform::selinux;

pub use check::check;
pub use closure::closure;
pub use documents::{completions, man, version};
pub use image::image;
pub use initrd::initrd;
pub use tree::tree;

/// Applies the last transforms: labels, which depend on the final names of files, and hard links,
/// which depend on the labels.
fn finish(tree: &mut Tree<Blob>, recipe: &TreeRecipe, interrupt: &Interrupt, log: &Log) -> Result<Linked> {
    label(tree, recipe, interrupt, log)?;
    let policy = recipe.hardlinks;
    let linked = hardlinks::apply(tree, &hardlinks::Options { policy, threads: recipe.threads, interrupt })?;
    if policy != hardlinks::Policy::Keep {
        linked.log(log);
    }
    Ok(linked)
}

/// Sets the SELinux labels that the recipe requests.
fn label(tree: &mut Tree<Blob>, recipe: &TreeRecipe, interrupt: &Interrupt, log: &Log) -> Result<()> {
    let Some(contexts) = &recipe.file_contexts else { return Ok(()) };
    selinux::apply(tree, &selinux::Options { contexts, interrupt })?.log(log);
    Ok(())
}

/// Writes to standard output. A reader that closes the pipe has read all it needs.
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
