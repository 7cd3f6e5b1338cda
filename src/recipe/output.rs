//! The destination of a product, and what is printed about it.

use std::path::PathBuf;

use super::TreeRecipe;
use crate::log::Level;
use crate::output::DestinationOptions;

/// The destination of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A file, which appears once it is complete, or the special file at the path.
    File {
        /// Its path.
        path: PathBuf,
        /// The further requirements on it.
        options: DestinationOptions,
    },
    /// Standard output, front to back.
    Stream,
    /// Not written: only its SHA-256 is printed.
    Digest,
    /// Not written and without a named destination: it is only planned.
    Nowhere,
}

/// The part of a command line that concerns the destination and the messages, and no byte of the
/// product.
#[derive(Clone, Debug)]
pub struct OutputRecipe {
    /// The destination of the product.
    pub output: Output,
    /// The file for the root hash of a measured disk; `None` for `root_hash.txt` beside a file as
    /// output.
    pub root_hash_file: Option<PathBuf>,
    /// True if the configuration of Kata's runtimes is printed.
    pub print_kata_config: bool,
    /// True if only errors and warnings are printed.
    pub quiet: bool,
    /// True to stop after planning.
    pub dry_run: bool,
    /// True if the report on standard output is JSON.
    pub json: bool,
}

impl OutputRecipe {
    /// The verbosity of messages on standard error.
    #[must_use]
    pub fn level(&self, tree: &TreeRecipe) -> Level {
        if self.quiet { Level::Quiet } else { tree.level() }
    }
}
