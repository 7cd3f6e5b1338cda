//! What programs need to run, found inside a tree by the rules of the kernel and the loader.
//!
//! ```text
//!  starting paths ──▶ file ─┬─ ELF ─────▶ interpreter, DT_NEEDED … ──▶ loader's search ─┐
//!        ▲                  └─ script ──▶ interpreter                                  │
//!        └───────────────────────────────── next file ◀── resolve ◀────────────────────┘
//!                                                           │
//!                                                           └─▶ kept: the file, every link and directory on the way
//! ```
//!
//! No program is run and no file of the host is looked at, so a tree for any machine is closed over on any other. The
//! same tree and options give the same closure, whatever the number of threads.

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
use crate::transform::edit::glob::Glob;

pub use hwcaps::Hwcaps;
pub use why::Missing;

/// What is kept of a tree, why, and what was not to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closure {
    /// Every name that is kept, by its path without symbolic links, and all that brought it in: links and directories
    /// on the way too, but for the root. Of a directory on the way only the first reason is kept.
    pub kept: BTreeMap<Vec<u8>, BTreeSet<Reason>>,
    /// What is needed and not there, in the order it was come upon.
    pub missing: Vec<Missing>,
    /// What is worth knowing and stops nothing, in the order it was come upon.
    pub warnings: Vec<String>,
    /// The directories of libraries that glibc's loaders know of, configured ones first: what a cache is made of. A
    /// tree that keeps libraries in configured ones needs a new cache ([`ld_cache`]).
    pub library_directories: Vec<Vec<u8>>,
}

/// One thing that brought a name in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// How the name is needed.
    pub kind: Kind,
    /// The path, without symbolic links, of the file that needs it; none when it was asked for.
    pub by: Option<Vec<u8>>,
    /// What the need says: a path, the name of a library, a pattern.
    pub name: Vec<u8>,
}

/// How a name is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was asked for.
    Asked,
    /// `PT_INTERP` of a program.
    Interpreter,
    /// `DT_NEEDED` of a program or library.
    Needed,
    /// `DT_FILTER`: symbols are taken from it.
    Filter,
    /// `DT_AUXILIARY`: symbols are taken from it if it is there.
    Auxiliary,
    /// Another build of a library, for better processors (`glibc-hwcaps`).
    Hwcaps,
    /// The `#!` line of a script, or the program that its `env` looks for.
    Script,
    /// A library opened at run time.
    Dlopen,
    /// A file that a configuration file names, or that configures what is kept.
    Configured,
    /// A symbolic link on the way.
    Symlink,
    /// A directory on the way.
    Parent,
}

/// Where a closure starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A path, which has to lead somewhere: a program or library with what it needs, another file as it is, a directory
    /// with everything in it. Links on the way, and the last one, are kept.
    Path(Vec<u8>),
    /// Every name that matches, each as if its path were given; one has to.
    Glob {
        /// The pattern as it was written.
        text: Vec<u8>,
        /// The pattern.
        glob: Glob,
    },
    /// What some configuration says is needed.
    Need(need::Need),
}

impl Start {
    /// Takes a pattern for one, and everything else for a path. A backslash before `*`, `?`, `[` or another backslash
    /// makes it stand for itself, in patterns only.
    ///
    /// # Errors
    /// When a pattern is none.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        if Glob::is_pattern(text) {
            return Ok(Self::Glob { text: text.to_vec(), glob: Glob::parse(text)? });
        }
        Ok(Self::Path(text.to_vec()))
    }
}

/// What a closure may be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which builds for better processors are kept.
    pub hwcaps: Hwcaps,
    /// Which libraries that programs open when they run are kept; none of them without a policy.
    pub dlopen: Option<dlopen::Policy>,
    /// How many threads read files. The closure is the same for any number.
    pub threads: usize,
}

/// Finds what the starting paths need.
///
/// What is missing is in the closure; [`Closure::refuse_missing`] makes it an error.
///
/// # Errors
/// When a file cannot be read, or the tree is made to take unreasonably long.
pub fn close<C: Content>(tree: &Tree<C>, starts: &[Start], options: &Options) -> Result<Closure> {
    Search::new(tree).close(starts, options)
}

/// What is known of files of one tree without reading them again.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<InodeId, files::Parsed>);

impl Known {
    /// The same for another tree, whose id of a file `same` gives if the file has the same bytes there.
    #[must_use]
    pub fn in_another_tree(self, mut same: impl FnMut(InodeId) -> Option<InodeId>) -> Self {
        Self(self.0.into_iter().filter_map(|(id, parsed)| Some((same(id)?, parsed))).collect())
    }
}

/// Closes over one tree several times, and reads each of its files once.
pub struct Search<'t, C> {
    files: files::Files<'t, C>,
}

impl<'t, C: Content> Search<'t, C> {
    /// A search that knows nothing of the tree yet.
    #[must_use]
    pub fn new(tree: &'t Tree<C>) -> Self {
        Self::knowing(tree, Known::default())
    }

    /// A search that need not read the files again of which something is known.
    #[must_use]
    pub fn knowing(tree: &'t Tree<C>, known: Known) -> Self {
        Self { files: files::Files::knowing(tree, known.0) }
    }

    /// What is known of the tree's files.
    #[must_use]
    pub fn known(self) -> Known {
        Known(self.files.parsed())
    }

    /// As [`close`], whatever was closed over before.
    ///
    /// # Errors
    /// As [`close`].
    pub fn close(&mut self, starts: &[Start], options: &Options) -> Result<Closure> {
        collect::Collector::new(&mut self.files, options).run(starts)
    }
}

/// The bytes of the regular file at a path of the tree; none when there is no such file.
///
/// # Errors
/// When it is longer than a configuration file is, or cannot be read.
pub fn read_configuration<C: Content>(tree: &Tree<C>, path: &[u8]) -> Result<Option<Vec<u8>>> {
    file::read(tree, path)
}

impl Closure {
    /// An error that names everything that is missing, if anything is.
    ///
    /// # Errors
    /// When something is missing.
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

/// The tree with nothing but what a closure keeps: names that are not kept are gone, everything else is as it was.
#[must_use]
pub fn keep<C>(mut tree: Tree<C>, closure: &Closure) -> Tree<C> {
    let mut dropped: Vec<(InodeId, Name)> = Vec::new();
    let mut directories = vec![(Tree::<C>::ROOT, Vec::new())];
    while let Some((directory, path)) = directories.pop() {
        for (name, id) in tree.entries(directory).into_iter().flatten() {
            let path = [&path[..], b"/", name.as_bytes()].concat();
            if !closure.kept.contains_key(&path) {
                // The directories above what is kept are kept too, so there is nothing kept beneath it.
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
