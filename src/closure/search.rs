//! The search for the files that requests need.

mod collect;
pub(super) mod find;
mod implied;
mod ledger;
pub(super) mod options;
mod process;

use std::collections::BTreeMap;

use image_tree::{Content, Directories, InodeId};

use self::options::Options;
use super::error::Result;
use super::files;
use super::kept::Closure;
use super::requests::Request;

/// Finds the files that the requests need.
///
/// Missing files are recorded in the closure; [`Closure::refuse_missing`] turns them into an error.
///
/// # Errors
/// Returns an error if a file cannot be read, or if the search exceeds its limits.
pub fn close<T: Directories<Content: Content>>(
    tree: &T,
    requests: &[Request],
    options: &Options,
) -> Result<Closure> {
    Search::new(tree).close(requests, options)
}

/// The parsed ELF files of one tree, kept so that they need not be read again.
#[derive(Debug, Default)]
pub struct ElfCache(BTreeMap<InodeId, files::Parsed>);

impl ElfCache {
    /// Transfers the parsed files to another tree. `same` returns the id of a file there if the
    /// file has the same bytes.
    #[must_use]
    pub fn in_another_tree(self, mut same: impl FnMut(InodeId) -> Option<InodeId>) -> Self {
        Self(self.0.into_iter().filter_map(|(id, parsed)| Some((same(id)?, parsed))).collect())
    }
}

/// Computes several closures of one tree and reads each of its files only once.
pub struct Search<'t, T> {
    files: files::Files<'t, T>,
}

impl<'t, T: Directories<Content: Content>> Search<'t, T> {
    /// Creates a search without any parsed files.
    #[must_use]
    pub fn new(tree: &'t T) -> Self {
        Self::with_cache(tree, ElfCache::default())
    }

    /// Creates a search that does not read the files in `cache` again.
    #[must_use]
    pub fn with_cache(tree: &'t T, cache: ElfCache) -> Self {
        Self { files: files::Files::with_parsed(tree, cache.0) }
    }

    /// Returns the parsed files of the tree.
    #[must_use]
    pub fn into_cache(self) -> ElfCache {
        ElfCache(self.files.into_parsed())
    }

    /// As [`close`], independent of earlier closures.
    ///
    /// # Errors
    /// As [`close`].
    pub fn close(&mut self, requests: &[Request], options: &Options) -> Result<Closure> {
        collect::Collector::new(&mut self.files, options).run(requests)
    }
}

#[cfg(test)]
mod tests;
