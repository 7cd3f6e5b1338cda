//! The file for the root hash of a measured disk.

use std::path::PathBuf;

use dm_verity::Parameters;

use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Cleanups;
use crate::output::text::{TextFile, WrittenText};
use crate::output::{Destination, DestinationOptions};
use crate::recipe::{ImageRecipe, Output};
use crate::run::output;
use crate::transform::own_files::{self, OwnFiles};

/// The name of the file beside the output.
const NAME: &str = "root_hash.txt";

/// The file for the root hash, which appears together with the disk.
pub(super) struct RootHashFile<'d>(TextFile<'d>);

/// The destinations of a disk and of its root hash.
pub(super) struct Opened {
    /// The disk; `None` if it is not written.
    pub(super) image: Option<Destination>,
    /// The root hash; `None` if it is not written.
    pub(super) root_hash: Option<Destination>,
}

/// Opens the destinations, and returns them with the files that the run writes.
pub(super) fn open_outputs(recipe: &ImageRecipe) -> Result<(Opened, OwnFiles)> {
    let mut own = output::own_files(&recipe.output, None);
    let inputs = recipe.tree.inputs();
    let image = output::open(&recipe.output, recipe.dry_run, &own, &inputs)?;
    let Some(path) = path(recipe, image.as_ref()) else {
        return Ok((Opened { image, root_hash: None }, own));
    };
    if path.as_os_str() == "-" {
        let message =
            "is not standard output here: name a file with --root-hash-file, such as ./- or /dev/stdout";
        return Err(Error::at(ErrorKind::Usage, &path, message));
    }
    own.root_hash = own_files::host_inode(&path);
    inputs.iter().try_for_each(|input| own.check_input(input, output::path(&recipe.output)))?;
    let root_hash = Some(Destination::open(&path, DestinationOptions::default())?);
    Ok((Opened { image, root_hash }, own))
}

/// Returns the path of the file for the root hash, if there is one.
fn path(recipe: &ImageRecipe, image: Option<&Destination>) -> Option<PathBuf> {
    if recipe.verity.is_none() || recipe.dry_run {
        return None;
    }
    let beside = || match &recipe.output {
        Output::File { path, .. } if image.is_some_and(Destination::is_file) => {
            Some(path.with_file_name(NAME))
        }
        _ => None,
    };
    recipe.root_hash_file.clone().or_else(beside)
}

impl<'d> RootHashFile<'d> {
    /// Creates the file without its name, so that a directory that cannot be written to is reported
    /// early.
    pub(super) fn create(
        destination: &'d Destination,
        output: Option<&Destination>,
        cleanups: &Cleanups,
    ) -> Result<Self> {
        if output.is_some_and(|output| output.is_same_file(destination)) {
            let message = "is the output: name another file for the root hash with --root-hash-file";
            return Err(Error::at(ErrorKind::Usage, destination.path(), message));
        }
        TextFile::create(destination, cleanups).map(Self)
    }

    /// Writes the line of parameters.
    pub(super) fn write(self, parameters: &Parameters) -> Result<WrittenText<'d>> {
        self.0.write(&format!("{parameters}\n"))
    }
}
