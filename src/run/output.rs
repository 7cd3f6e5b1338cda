//! Writes planned bytes to the output of a recipe.

use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use image_runs::Image;
use image_tree::{Content as _, Kind, Shown, Tree};

use crate::blob::Blob;
use crate::error::{ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::log::Log;
use crate::output::file::Written;
use crate::output::{Destination, Preallocation, WriteOptions, digest, file};
use crate::recipe::{Output, TreeRecipe};
use crate::report::{Artifact, Transfer};
use crate::shown::{self, JsonName};
use crate::source::directory::HostInode;
use crate::transform::hardlinks;
use crate::transform::own_files::{self, OwnFiles};

/// The result of writing or digesting an image.
pub(super) enum Outcome {
    /// It was written, with the numbers of bytes by method.
    Written(Transfer),
    /// The SHA-256 of the image.
    Digest(String),
}

/// Returns the files that a run writes, and therefore must not read.
pub(super) fn own_files(output: &Output, cache: Option<&Path>) -> OwnFiles {
    let output = match output {
        Output::File { path, .. } => host_file(std::fs::metadata(path)),
        // The text of a tree or a report may go to a file in a source, too.
        Output::Stream | Output::Digest | Output::Nowhere => {
            let standard_output = std::io::stdout().as_fd().try_clone_to_owned();
            host_file(standard_output.and_then(|output| File::from(output).metadata()))
        }
    };
    OwnFiles { output, root_hash: None, cache: cache.and_then(own_files::host_inode) }
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

/// Allocates blocks of the output while the tree is read, from byte `start` on, if that saves time
/// and all files that are found will be copied behind it.
pub(super) fn preallocate(
    destination: Option<&Destination>,
    tree: &TreeRecipe,
    start: u64,
) -> Option<Preallocation> {
    let is_whole = tree.keep.is_none()
        && tree.edits.is_empty()
        && tree.sources.len() == 1
        && tree.hardlinks != hardlinks::Policy::Content;
    // A single thread is faster without it.
    let helps = is_whole && tree.threads.count() > 1;
    destination.filter(|_| helps).and_then(|destination| Preallocation::begin(destination, start))
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

/// Writes an image to its destination, or digests it if there is none.
pub(super) fn write_output(
    image: &dyn Image<Blob>,
    destination: Option<&Destination>,
    preallocation: Option<Preallocation>,
    options: &WriteOptions<'_>,
) -> Result<Outcome> {
    let Some(destination) = destination else {
        return Ok(Outcome::Digest(hex(&digest::sha256(image, options)?)));
    };
    let written = match preallocation {
        Some(preallocation) => file::write_preallocated(image, destination, preallocation, options),
        None => file::write(image, destination, options),
    };
    Ok(Outcome::Written(transfer(&written?)))
}

/// Returns the numbers of bytes by method, for reports.
pub(super) fn transfer(written: &Written) -> Transfer {
    let Written { cloned_bytes, written_bytes, hole_bytes, .. } = *written;
    Transfer { cloned_bytes, copied_bytes: written_bytes, hole_bytes }
}

/// Runs `write`, and warns of a partly written device if a signal ends the run.
pub(super) fn warn_if_partial<T>(
    destination: Option<&Destination>,
    interrupt: &Interrupt,
    log: &Log,
    write: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(left) = destination.and_then(Destination::incomplete_message) else { return write() };
    // Flushing a device may take longer than the time that a signal leaves.
    let text = format!("rootcast: warning: {left}\n");
    let due = interrupt.cleanups().add(move || {
        // OK to ignore: standard error may be closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    });
    let result = write();
    drop(due);
    if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Interrupted) {
        log.warn(left);
    }
    result
}

/// Warns if the new file is world-readable, and so exposes files that are not world-readable in the
/// tree.
pub(super) fn warn_if_exposed(destination: Option<&Destination>, tree: &Tree<Blob>, log: &Log) {
    let Some(destination) = destination else { return };
    let Some(mode) = destination.mode_by_umask().filter(|mode| mode & 0o004 != 0) else { return };
    let mut walk = tree.walk();
    let (mut count, mut first) = (0_u64, Vec::new());
    while let Some(step) = walk.next() {
        let inode = tree.get(step.id);
        if matches!(&inode.kind, Kind::Regular(blob) if !blob.is_empty()) && inode.metadata.mode & 0o004 == 0
        {
            if count == 0 {
                walk.write_path(&mut first);
            }
            count += 1;
        }
    }
    if count > 0 {
        let files = if count == 1 { "a file" } else { "files" };
        log.warn(format_args!(
            "{}: everybody may read it (mode {mode:o}), and it holds {files} that not everybody may read in the tree: {}{}; \
             --mode 600 leaves it to you alone",
            shown::path(destination.path()),
            Shown(&first),
            if count > 1 { format!(" and {} more", count - 1) } else { String::new() },
        ));
    }
}

/// Returns the part of a report about a planned output.
pub(super) fn planned<L>(
    tree: &TreeRecipe,
    output: &Output,
    byte_layout: &'static str,
    size: L,
) -> Artifact<L> {
    let sources = tree.sources.iter().map(|source| Path::new(source).into()).collect();
    Artifact::planned(byte_layout, sources, file(output).map(JsonName::from), size)
}

/// Returns the file of an output, if it has one.
fn file(output: &Output) -> Option<&Path> {
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

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // OK to ignore: writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::closure::Keep;
    use crate::closure::Request;
    use crate::output::DestinationOptions;
    use crate::recipe::keep::{KeepRecipe, MissingRules};
    use crate::transform::accounts::Accounts;
    use crate::transform::edit::parse::EDIT_FLAGS;
    use crate::transform::ownership::Ownership;

    fn recipe(sources: &[&str], threads: usize) -> TreeRecipe {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        TreeRecipe::new(sources.iter().map(Into::into).collect(), threads)
    }

    fn keep() -> KeepRecipe {
        let keep = Keep::paths(vec![Request::Path(b"/usr/bin/sh".to_vec())]);
        KeepRecipe { keep, missing: MissingRules::default(), accounts: Accounts::All }
    }

    #[test]
    fn output_is_preallocated_only_if_every_file_of_the_source_is_copied() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a directory can be made");
        let output = Destination::open(&directory.path().join("image"), DestinationOptions::default());
        let output = Some(&output.expect("the directory is there"));
        let exclude = EDIT_FLAGS.iter().find(|form| form.name == "exclude").expect("an edit");
        let edits = vec![exclude.parse("/usr".as_ref()).expect("a path")];
        let plain = || recipe(&["source"], 2);
        let whole = [
            plain(),
            TreeRecipe { hardlinks: hardlinks::Policy::Break, ..plain() },
            TreeRecipe { one_file_system: true, ..plain() },
            TreeRecipe { ownership: Some(Ownership::Root), ..plain() },
        ];
        for recipe in whole {
            assert!(preallocate(output, &recipe, 0).is_some(), "{recipe:?}");
            assert!(preallocate(None, &recipe, 0).is_none(), "nothing is written");
        }
        let partial = [
            recipe(&["source", "other"], 2),
            TreeRecipe { hardlinks: hardlinks::Policy::Content, ..plain() },
            TreeRecipe { edits, ..plain() },
            TreeRecipe { keep: Some(keep()), ..plain() },
            recipe(&["source"], 1),
        ];
        for recipe in partial {
            assert!(preallocate(output, &recipe, 0).is_none(), "{recipe:?}");
        }
    }
}
