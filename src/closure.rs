//! The files that programs need to run, found inside a tree by the rules of the kernel and the
//! dynamic linker.
//!
//! ```text
//!  starting paths ──▶ file ─┬─ ELF ─────▶ interpreter, DT_NEEDED … ──▶ loader's search ─┐
//!        ▲                  └─ script ──▶ interpreter                                  │
//!        └───────────────────────────────── next file ◀── resolve ◀────────────────────┘
//!                                                           │
//!                                                           └─▶ kept: the file, every link and directory on the way
//! ```
//!
//! No program is run and no file of the host is read, so a tree for any machine can be processed on
//! any other. The same tree and options give the same closure, whatever the number of threads.

mod collect;
pub mod conf;
pub mod dlopen;
pub mod elf;
mod file;
pub(crate) mod files;
pub mod gconv;
pub mod glob;
pub mod hwcaps;
pub mod ld_cache;
mod loader;
pub mod need;
pub(crate) mod notice;
pub mod nss;
mod object;
pub mod pam;
mod process;
pub mod script;
#[cfg(test)]
mod small_tree;
#[cfg(test)]
pub(crate) mod testing;
pub mod udev;
pub mod unit;
pub mod why;

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{Content, InodeId, Name, Tree};

use crate::error::{Error, ErrorKind, Result};
use image_tree::glob::Glob;

pub use hwcaps::Hwcaps;
pub use why::Missing;

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
    /// directories needs a new cache ([`ld_cache`]).
    pub library_directories: Vec<Vec<u8>>,
}

/// One reason to keep a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The kind of need.
    pub kind: Kind,
    /// The path, without symbolic links, of the file that needs it; `None` if it was requested.
    pub by: Option<Vec<u8>>,
    /// The text of the need: a path, the name of a library, a pattern.
    pub name: Vec<u8>,
}

/// The kind of a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Requested by the caller.
    Asked,
    /// `PT_INTERP` of a program.
    Interpreter,
    /// `DT_NEEDED` of a program or library.
    Needed,
    /// `DT_FILTER`: symbols are taken from it.
    Filter,
    /// `DT_AUXILIARY`: symbols are taken from it if it is there.
    Auxiliary,
    /// Another build of a library, for a later ISA level (`glibc-hwcaps`).
    Hwcaps,
    /// The `#!` line of a script, or the program that its `env` looks for.
    Script,
    /// A library opened at run time.
    Dlopen,
    /// A file named by a configuration file, or one that configures something that is kept.
    Configured,
    /// A symbolic link on the path.
    Symlink,
    /// A directory on the path.
    Parent,
}

/// A starting point of a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A path, which must resolve: a program or library with everything it needs, any other file
    /// unchanged, or a directory with its whole content. Links on the path, including the last, are
    /// kept.
    Path(Vec<u8>),
    /// Every name that matches, each as if its path were given. At least one must match.
    Glob {
        /// The pattern as it was written.
        text: Vec<u8>,
        /// The pattern.
        glob: Glob,
    },
    /// A need stated by some configuration.
    Need(need::Need),
}

impl Start {
    /// Parses a glob pattern, or else a plain path. In a pattern, a backslash before `*`, `?`, `[`
    /// or another backslash makes that character literal.
    ///
    /// # Errors
    /// Returns an error if a pattern is malformed.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        if Glob::is_pattern(text) {
            return Ok(Self::Glob { text: text.to_vec(), glob: Glob::parse(text)? });
        }
        Ok(Self::Path(text.to_vec()))
    }
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

/// Finds the files that the starting points need.
///
/// Missing files are recorded in the closure; [`Closure::refuse_missing`] turns them into an error.
///
/// # Errors
/// Returns an error if a file cannot be read, or if the search exceeds its limits.
pub fn close<C: Content>(tree: &Tree<C>, starts: &[Start], options: &Options) -> Result<Closure> {
    Search::new(tree).close(starts, options)
}

/// The parsed files of one tree, kept so that they need not be read again.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<InodeId, files::Parsed>);

impl Known {
    /// Transfers the parsed files to another tree. `same` returns the id of a file there if the
    /// file has the same bytes.
    #[must_use]
    pub fn in_another_tree(self, mut same: impl FnMut(InodeId) -> Option<InodeId>) -> Self {
        Self(self.0.into_iter().filter_map(|(id, parsed)| Some((same(id)?, parsed))).collect())
    }
}

/// Computes several closures of one tree and reads each of its files only once.
pub struct Search<'t, C> {
    files: files::Files<'t, C>,
}

impl<'t, C: Content> Search<'t, C> {
    /// Creates a search without any parsed files.
    #[must_use]
    pub fn new(tree: &'t Tree<C>) -> Self {
        Self::knowing(tree, Known::default())
    }

    /// Creates a search that does not read the files in `known` again.
    #[must_use]
    pub fn knowing(tree: &'t Tree<C>, known: Known) -> Self {
        Self { files: files::Files::knowing(tree, known.0) }
    }

    /// Returns the parsed files of the tree.
    #[must_use]
    pub fn known(self) -> Known {
        Known(self.files.parsed())
    }

    /// As [`close`], independent of earlier closures.
    ///
    /// # Errors
    /// As [`close`].
    pub fn close(&mut self, starts: &[Start], options: &Options) -> Result<Closure> {
        collect::Collector::new(&mut self.files, options).run(starts)
    }
}

/// Returns the bytes of the regular file at a path of the tree, or `None` if there is no such file.
///
/// # Errors
/// Returns an error if the file exceeds the limit for configuration files, or cannot be read.
pub fn read_configuration<C: Content>(tree: &Tree<C>, path: &[u8]) -> Result<Option<Vec<u8>>> {
    file::read(tree, path)
}

impl Closure {
    /// Fails with an error that lists the missing files, if there are any.
    ///
    /// # Errors
    /// Returns an error if anything is missing.
    pub fn refuse_missing(&self) -> Result<()> {
        const SHOWN: usize = 20;
        if self.missing.is_empty() {
            return Ok(());
        }
        let mut lines: Vec<String> = self.missing.iter().take(SHOWN).map(ToString::to_string).collect();
        if self.missing.len() > SHOWN {
            lines.push(format!("and {} more", self.missing.len() - SHOWN));
        }
        Err(Error::new(ErrorKind::BadInput, format!("missing from the tree: {}", lines.join("\nmissing: "))))
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
