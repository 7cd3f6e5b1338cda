//! The output that a command line names.

use std::fs::{File, Metadata};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::output::Destination;
use crate::recipe::{Output, TreeRecipe};
use crate::shown;
use crate::source::directory::HostInode;
use crate::transform::own_files::{self, OwnFiles};

pub(super) use super::plan::hex;

/// Returns the files that a run writes, and therefore must not read. `layout` is the directory of an
/// image layout.
pub(super) fn own_files(output: &Output, layout: Option<&Path>) -> OwnFiles {
    let output = match output {
        Output::File { path, .. } => host_file(std::fs::metadata(path)),
        // The text of a tree or a report may go to a file in a source, too.
        Output::Stream | Output::Digest | Output::Nowhere => {
            let standard_output = std::io::stdout().as_fd().try_clone_to_owned();
            host_file(standard_output.and_then(|output| File::from(output).metadata()))
        }
    };
    OwnFiles { output, layout: layout.and_then(own_files::host_inode), ..OwnFiles::default() }
}

/// Returns the inode of a regular file.
fn host_file(found: std::io::Result<Metadata>) -> Option<HostInode> {
    let found = found.ok().filter(Metadata::is_file)?;
    Some(HostInode { device: found.dev(), inode: found.ino() })
}

/// Fails if an input would be replaced, and opens the destination; none if there is nothing to
/// write.
pub(super) fn open(
    output: &Output,
    dry_run: bool,
    own: &OwnFiles,
    inputs: &[&Path],
) -> Result<Option<Destination>> {
    let destination = match output {
        _ if dry_run => return Ok(None),
        Output::File { path, options } => Destination::open(path, *options)?,
        Output::Stream => Destination::standard_output()?,
        Output::Digest | Output::Nowhere => return Ok(None),
    };
    inputs.iter().try_for_each(|input| own.check_input(input, destination.path()))?;
    Ok(Some(destination))
}

/// Returns the directory for the unpacked layers of images: the one that was requested, or else that
/// of the file to write.
pub(super) fn spool(tree: &TreeRecipe, output: &Output) -> Option<PathBuf> {
    if tree.spool.is_some() {
        return tree.spool.clone();
    }
    let path = file(output)?;
    // A device is among other devices, where files are kept in memory.
    let is_file = std::fs::metadata(path).map_or(true, |found| found.is_file());
    let parent =
        path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    parent.filter(|_| is_file).map(Path::to_owned)
}

/// Returns the file of an output, if it has one.
pub(super) fn file(output: &Output) -> Option<&Path> {
    match output {
        Output::File { path, .. } => Some(path),
        Output::Stream | Output::Digest | Output::Nowhere => None,
    }
}

/// Returns the output's name in errors.
pub(super) fn path(output: &Output) -> &Path {
    file(output).unwrap_or(Path::new("standard output"))
}

/// Returns the output's name in a summary.
pub(super) fn shown(output: &Output) -> String {
    file(output).map_or_else(|| "standard output".to_owned(), |path| shown::path(path).to_string())
}
