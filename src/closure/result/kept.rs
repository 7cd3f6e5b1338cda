//! The kept part of a tree.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{InodeId, Name, Tree};

use super::missing::Missing;
use super::reason::Reason;
use crate::closure::error::{Error, Result};

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
    /// directories needs a new cache ([`cache`](crate::closure::ld_so::cache)).
    pub library_directories: Vec<Vec<u8>>,
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
