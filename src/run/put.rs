//! Planned bytes go where a recipe says.

use std::fmt::Write as _;
use std::path::Path;

use image_runs::Image;

use crate::blob::Blob;
use crate::error::Result;
use crate::output::sparse_file::Written;
use crate::output::{Reservation, WriteOptions, digest, sparse_file, stream};
use crate::recipe::{Output, TreeRecipe};
use crate::report::shown::{self, JsonName};
use crate::report::{Product, Transfer};
use crate::transform::hardlinks;

/// What became of an image.
pub(super) enum Done {
    /// It is in the output; a file says how its bytes came there.
    Written(Option<Transfer>),
    /// This is its SHA-256.
    Digested(String),
}

/// Begins the output before the tree is read, where that helps and all that will be found in it is to be copied, to the
/// byte `start` or after it.
pub(super) fn begin(output: &Output, tree: &TreeRecipe, start: u64) -> Option<Reservation> {
    let is_whole = tree.keep.is_none()
        && tree.edits.is_empty()
        && tree.sources.len() == 1
        && tree.hardlinks != hardlinks::Policy::Content;
    match output {
        // A lone thread would be kept from finding more.
        Output::File(path) if is_whole && tree.threads.get() > 1 => Reservation::begin(path, start),
        _ => None,
    }
}

/// Writes or digests an image.
pub(super) fn put(
    image: &dyn Image<Blob>,
    output: &Output,
    reservation: Option<Reservation>,
    options: &WriteOptions<'_>,
) -> Result<Done> {
    match output {
        Output::File(path) => {
            let written = match reservation {
                Some(reservation) => sparse_file::write_reserved(image, path, reservation, options),
                None => sparse_file::write(image, path, options),
            };
            let Written { cloned_bytes, written_bytes, hole_bytes, .. } = written?;
            Ok(Done::Written(Some(Transfer { cloned_bytes, copied_bytes: written_bytes, hole_bytes })))
        }
        Output::Stream => {
            let mut out = stream::standard_output()?;
            // A reader that goes away has read what it wanted.
            let _ = stream::write(image, &mut out, Path::new("standard output"), options)?;
            Ok(Done::Written(None))
        }
        Output::Digest => Ok(Done::Digested(hex(&digest::sha256(image, options)?))),
        Output::Nowhere => Ok(Done::Written(None)),
    }
}

/// What a report says of what is planned for an output.
pub(super) fn planned<L>(
    tree: &TreeRecipe,
    output: &Output,
    byte_layout: &'static str,
    size: L,
) -> Product<L> {
    let sources = tree.sources.iter().map(|source| Path::new(source).into()).collect();
    Product::planned(byte_layout, sources, file(output).map(JsonName::from), size)
}

/// The file of an output that has one.
fn file(output: &Output) -> Option<&Path> {
    match output {
        Output::File(path) => Some(path),
        Output::Stream | Output::Digest | Output::Nowhere => None,
    }
}

/// The output's name in a summary.
pub(super) fn shown(output: &Output) -> String {
    file(output).map_or_else(|| "standard output".to_owned(), |path| shown::path(path).to_string())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // OK to ignore: a String takes whatever is written to it.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Request};

    /// Whether the output of a command with these flags for its tree is begun before the tree is read.
    fn begins(output: &Output, flags: &str) -> bool {
        let arguments = format!("rootcast tree source {flags}");
        let request = cli::parse(arguments.split_whitespace().map(Into::into));
        let Ok(Request::Tree(recipe)) = request else { panic!("{flags}: {request:?}") };
        begin(output, &recipe, 0).is_some()
    }

    #[test]
    fn what_is_found_is_reserved_only_if_all_of_it_is_copied() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a directory can be made");
        let output = Output::File(directory.path().join("image"));
        for flags in ["", "--hardlinks break", "--one-file-system", "--owner root"] {
            assert!(begins(&output, &format!("-j 2 {flags}")), "{flags}");
        }
        for flags in ["other", "--hardlinks content", "--exclude /usr", "--keep /usr/bin/sh"] {
            assert!(!begins(&output, &format!("-j 2 {flags}")), "{flags}");
        }
        assert!(!begins(&output, "-j 1"), "a lone thread has more to do");
        for output in [Output::Stream, Output::Digest, Output::Nowhere] {
            assert!(!begins(&output, "-j 2"), "{output:?}");
        }
    }
}
