//! `rootcast tree`: prints a tree as text.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use image_tree::Content;
use image_tree::dump::{self, Body};

use crate::blob::Blob;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::output::stdout;
use crate::recipe::{Output, TreeRecipe};
use crate::run::output;
use crate::run::pipeline::{self, Prepared, Verb};
use crate::run::print;
use crate::run::sbom;

/// Prints the tree in the composefs dump format. Contents in memory are part of the text, files are
/// named by path.
///
/// # Errors
/// If the tree cannot be read or the text cannot be written. A reader that closes the pipe is not
/// an error.
pub fn tree(recipe: &TreeRecipe, interrupt: &Interrupt) -> Result<()> {
    let log = print::log(recipe.level());
    let own = output::own_files(&Output::Stream, None);
    let options = pipeline::Options { own, ..pipeline::Options::new(recipe, interrupt, &log) };
    let Prepared { tree, packages, .. } = pipeline::run(Verb::Tree, &options)?;
    sbom::write(recipe, &packages, interrupt)?;
    let mut out = stdout::open()?;
    let written = dump::write(&tree, &mut out, |path, blob| Ok(body(path, blob))).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Error::io(Path::new("standard output"), error)),
    }
}

fn body<'a>(path: &'a [u8], blob: &'a Blob) -> Body<'a> {
    match blob {
        blob if blob.is_empty() => Body::None,
        Blob::Memory(bytes) => Body::Inline(Cow::Borrowed(bytes)),
        Blob::Host(_) | Blob::Range(_) | Blob::Sparse(_) | Blob::Mapped(_) => {
            Body::Payload(Cow::Borrowed(path.strip_prefix(b"/").unwrap_or(path)))
        }
    }
}
