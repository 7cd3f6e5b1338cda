//! The destinations of a product and of its root hash.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::output::{Destination, DestinationOptions};
use crate::recipe::{Build, Make, Output, OutputRecipe};
use crate::run::output;
use crate::transform::own_files::{self, OwnFiles};

/// The name of the file for the root hash beside the output.
const NAME: &str = "root_hash.txt";

/// The destinations of a product and of its root hash.
pub(super) struct Opened {
    /// The product; `None` if it is not written.
    pub(super) product: Option<Destination>,
    /// The root hash; `None` if it is not written.
    pub(super) root_hash: Option<Destination>,
}

/// Opens the destinations, and returns them with the files that the run writes.
pub(super) fn open(build: &Build, recipe: &OutputRecipe) -> Result<(Opened, OwnFiles)> {
    let mut own = output::own_files(&recipe.output, None);
    let inputs = build.inputs();
    let product = output::open(&recipe.output, recipe.dry_run, &own, &inputs)?;
    let Some(path) = path(build, recipe, product.as_ref()) else {
        return Ok((Opened { product, root_hash: None }, own));
    };
    if path.as_os_str() == "-" {
        let message =
            "is not standard output here: name a file with --root-hash-file, such as ./- or /dev/stdout";
        return Err(Error::at(ErrorKind::Usage, &path, message));
    }
    own.root_hash = own_files::host_inode(&path);
    inputs.iter().try_for_each(|input| own.check_input(input, output::path(&recipe.output)))?;
    let root_hash = Some(Destination::open(&path, DestinationOptions::default())?);
    Ok((Opened { product, root_hash }, own))
}

/// Returns the path of the file for the root hash, if there is one.
fn path(build: &Build, recipe: &OutputRecipe, product: Option<&Destination>) -> Option<PathBuf> {
    let is_measured = matches!(&build.make, Make::Image(image) if image.verity.is_some());
    if !is_measured || recipe.dry_run {
        return None;
    }
    let beside = || match &recipe.output {
        Output::File { path, .. } if product.is_some_and(Destination::is_file) => {
            Some(path.with_file_name(NAME))
        }
        _ => None,
    };
    recipe.root_hash_file.clone().or_else(beside)
}
