//! The search for the files that requests need.

mod collect;
pub(super) mod find;
mod implied;
mod ledger;
mod optional;
pub(super) mod options;
mod process;

use image_tree::{Content, Directories};

use self::options::Options;
use super::error::Result;
use super::files;
use super::requests::Request;
use super::result::Closure;

/// Finds the files that the requests need.
///
/// Missing files are recorded in the closure; [`Closure::refuse_missing`] turns them into an error.
///
/// # Errors
/// Returns an error if a file cannot be read, or if the search exceeds its limits.
pub fn close<T: Directories<Content: Content>>(
    tree: &T,
    requests: &[Request],
    options: &Options<'_>,
) -> Result<Closure> {
    Search::new(tree).close(requests, options)
}

/// Computes several closures of one tree and reads each of its files only once.
pub struct Search<'t, T> {
    files: files::Files<'t, T>,
}

impl<'t, T: Directories<Content: Content>> Search<'t, T> {
    /// Creates a search without any parsed files.
    #[must_use]
    pub fn new(tree: &'t T) -> Self {
        Self { files: files::Files::new(tree) }
    }

    /// Same as [`close`], independent of earlier closures.
    ///
    /// # Errors
    /// Same as [`close`].
    pub fn close(&mut self, requests: &[Request], options: &Options<'_>) -> Result<Closure> {
        collect::Collector::new(&mut self.files, options).run(requests)
    }
}

#[cfg(test)]
mod tests;
