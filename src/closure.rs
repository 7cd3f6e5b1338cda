//! The files that programs need to run, found inside a tree by the rules of the kernel and the
//! dynamic linker.
//!
//! ```text
//!  requested paths ──▶ file ─┬─ ELF ─────▶ interpreter, DT_NEEDED … ──▶ loader's search ─┐
//!        ▲                  └─ script ──▶ interpreter                                  │
//!        └───────────────────────────────── next file ◀── resolve ◀────────────────────┘
//!                                                           │
//!                                                           └─▶ kept: the file, every link and directory on the way
//! ```
//!
//! No program is run and no file of the host is read, so a tree for any machine can be processed on
//! any other. The same tree and options give the same closure, whatever the number of threads.

mod collect;
pub mod config;
pub mod dependency;
pub mod elf;
pub mod error;
pub mod explain;
mod files;
mod find;
mod implied;
pub mod ld_so;
pub mod name_glob;
mod object;
mod process;
pub mod reason;
pub mod requests;
#[doc(hidden)]
pub mod testing;

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{Content, Directories, InodeId, Name, Tree};

pub use error::{Error, Result};
pub use explain::Missing;
pub use find::{Finding, Found};
pub use ld_so::hwcaps::Hwcaps;
pub use reason::{Kind, Reason};
pub use requests::{Keep, Request};

use config::dlopen;

/// The part of a tree that is kept, the reasons for it, and the needed files that were not found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// Every name that is kept, by its path without symbolic links, with all reasons for it.
    /// Includes links and parent directories on the path, but not the root. For a parent directory
    /// only the first reason is recorded.
    pub kept: BTreeMap<Vec<u8>, BTreeSet<Reason>>,
    /// The needed files that are missing, in the order of discovery.
    pub missing: Vec<Missing>,
    /// Warnings, in the order of discovery. None of them stops the search.
    pub warnings: Vec<String>,
    /// The library directories known to glibc's dynamic linkers, configured ones first: the
    /// directories that a cache is built from. A tree that keeps libraries in configured
    /// directories needs a new cache ([`ld_so::cache`]).
    pub library_directories: Vec<Vec<u8>>,
}

/// The options of a closure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The glibc-hwcaps variants to keep.
    pub hwcaps: Hwcaps,
    /// The policy that selects the libraries opened at run time; without one, none of them is kept.
    pub dlopen: Option<dlopen::Policy>,
    /// The number of threads that read files. The closure is the same for any number.
    pub threads: usize,
}

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

impl Closure {
    /// Fails with an error that lists the missing files, if there are any.
    ///
    /// # Errors
    /// Returns an error if anything is missing.
    pub fn refuse_missing(&self) -> Result<()> {
        if self.missing.is_empty() { Ok(()) } else { Err(Error::Missing(self.missing.clone())) }
    }
}

/// Reduces a tree to the names that a closure keeps; everything that is kept stays unchanged.
#[must_use]
pub fn keep<C>(mut tree: Tree<C>, closure: &Closure) -> Tree<C> {
    let mut dropped: Vec<(InodeId, Name)> = Vec::new();
    let mut directories = vec![(InodeId::ROOT, Vec::new())];
    while let Some((directory, path)) = directories.pop() {
        for (name, id) in tree.entries(directory).into_iter().flatten() {
            let path = [&path[..], b"/", name.as_bytes()].concat();
            if !closure.kept.contains_key(&path) {
                // Parents of kept names are kept too, so nothing beneath this name is kept.
                dropped.push((directory, name.clone()));
            } else if tree.entries(*id).is_some() {
                directories.push((*id, path));
            }
        }
    }
    for (parent, name) in dropped {
        tree.remove(parent, name.as_bytes());
    }
    tree.compact().0
}

#[cfg(test)]
mod tests;
