//! The search for the files that requests need.

mod collect;
pub(super) mod find;
mod implied;
mod ledger;
mod linker;
mod optional;
pub(super) mod options;
mod plain;
mod process;
mod units;
pub(super) mod unreadable;

use std::collections::BTreeMap;

use image_tree::{Content, Directories, InodeId};

use self::options::Options;
use super::elf::Parsed;
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

    /// Creates a search in a tree whose ELF files are parsed already. The search reads none of them
    /// again, except for the first bytes of some.
    #[must_use]
    pub fn with_parsed(tree: &'t T, parsed: BTreeMap<InodeId, Parsed>) -> Self {
        Self { files: files::Files::with_parsed(tree, parsed) }
    }

    /// Returns the files of the tree, parsed or not.
    pub(super) fn files(&mut self) -> &mut files::Files<'t, T> {
        &mut self.files
    }

    /// Same as [`close`], independent of earlier closures.
    ///
    /// # Errors
    /// Same as [`close`].
    pub fn close(&mut self, requests: &[Request], options: &Options<'_>) -> Result<Closure> {
        let mut collector = collect::Collector::new(&mut self.files, options);
        collector.add(requests)?;
        let (closure, unreadable) = collector.finish();
        match unreadable.into_iter().next() {
            Some(first) => Err(first.error.into()),
            None => Ok(closure),
        }
    }
}

#[cfg(test)]
mod tests;
