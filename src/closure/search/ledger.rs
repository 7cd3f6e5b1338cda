//! The ledger of a search: everything that is kept or missing so far, and the warnings.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::resolve::Resolved;
use image_tree::{Content, Directories, InodeId};

use super::options::Options;
use crate::closure::elf::Abi;
use crate::closure::error::{Error, Result};
use crate::closure::files::Files;
use crate::closure::ld_so::DynamicLinker;
use crate::closure::result::Closure;
use crate::closure::result::missing::Missing;
use crate::closure::result::reason::{Kind, Reason};

/// The results of a search so far, which the collector and the processes share.
pub(super) struct Ledger<'f, 't, T> {
    pub(super) files: &'f mut Files<'t, T>,
    pub(super) options: &'f Options<'f>,
    closure: Closure,
    /// The warnings issued so far.
    warned: BTreeSet<String>,
    /// The missing names reported so far, each with the file that needs it.
    missed: BTreeSet<(Vec<u8>, Option<Vec<u8>>)>,
    /// Dynamic linkers by their path without symbolic links and the path that programs name, both
    /// of which affect the search. The order does not depend on the numbers of inodes.
    dynamic_linkers: BTreeMap<(Vec<u8>, Vec<u8>), Option<DynamicLinker>>,
    /// The files that some program loads.
    pub(super) loaded: BTreeSet<InodeId>,
}

impl<'f, 't, T: Directories<Content: Content>> Ledger<'f, 't, T> {
    pub(super) fn new(files: &'f mut Files<'t, T>, options: &'f Options<'f>) -> Self {
        files.begin();
        Self {
            files,
            options,
            closure: Closure::default(),
            warned: BTreeSet::new(),
            missed: BTreeSet::new(),
            dynamic_linkers: BTreeMap::new(),
            loaded: BTreeSet::new(),
        }
    }

    /// Returns the closure at the end of the search.
    pub(super) fn into_closure(mut self) -> Closure {
        self.closure.library_directories = self.library_directories();
        self.closure
    }

    /// Returns the directories that the dynamic linkers' cache is built from, without duplicates.
    fn library_directories(&self) -> Vec<Vec<u8>> {
        let mut directories: Vec<Vec<u8>> = Vec::new();
        for linker in self.dynamic_linkers.values().flatten() {
            if let DynamicLinker::Glibc(glibc) = linker {
                for path in glibc.cached() {
                    if !directories.contains(path) {
                        directories.push(path.clone());
                    }
                }
            }
        }
        directories
    }

    /// Returns the dynamic linkers used so far, with their paths.
    pub(super) fn dynamic_linkers(&self) -> Vec<(Vec<u8>, DynamicLinker)> {
        let dynamic_linkers = self.dynamic_linkers.iter();
        dynamic_linkers.filter_map(|((_, path), linker)| Some((path.clone(), linker.clone()?))).collect()
    }

    /// Returns an error if the search exceeds its limits.
    pub(super) fn check(&self) -> Result<()> {
        if self.files.exhausted() { Err(Error::Exhausted) } else { Ok(()) }
    }

    /// Keeps a file, the links and directories on its path, and the reason.
    pub(super) fn keep(&mut self, file: &Resolved, kind: Kind, by: Option<&[u8]>, name: &[u8]) {
        let reason = |kind| Reason { kind, by: by.map(<[u8]>::to_vec), name: name.to_vec() };
        for step in &file.traversed {
            if step.is_symlink {
                self.keep_name(&step.path, reason(Kind::Symlink));
            } else if !self.closure.kept.contains_key(&step.path) {
                self.keep_name(&step.path, reason(Kind::Parent));
            }
        }
        self.keep_name(&file.path, reason(kind));
    }

    pub(super) fn keep_name(&mut self, path: &[u8], reason: Reason) {
        // The root is always kept.
        if path == b"/" {
            return;
        }
        let held = path.len() + reason.name.len() + reason.by.as_ref().map_or(0, Vec::len);
        if self.closure.kept.entry(path.to_vec()).or_default().insert(reason) {
            self.files.held += held as u64;
        }
    }

    /// Keeps the parent directories of a path without links.
    pub(super) fn keep_parents(&mut self, path: &[u8], name: &[u8]) {
        let ends = path.iter().enumerate().filter(|(at, byte)| **byte == b'/' && *at > 0).map(|(at, _)| at);
        for end in ends {
            let parent = &path[..end];
            if !self.closure.kept.contains_key(parent) {
                self.keep_name(parent, Reason { kind: Kind::Parent, by: None, name: name.to_vec() });
            }
        }
    }

    /// Returns the dynamic linker that a program names. Each dynamic linker is read only once.
    pub(super) fn dynamic_linker(
        &mut self,
        path: &[u8],
        found: &Resolved,
        abi: Abi,
    ) -> Result<Option<DynamicLinker>> {
        let key = (found.path.clone(), path.to_vec());
        if let Some(known) = self.dynamic_linkers.get(&key) {
            return Ok(known.clone());
        }
        let linker = DynamicLinker::of(self.files, path, found, abi, &self.options.hwcaps);
        let linker = linker?;
        if let Some(DynamicLinker::Glibc(glibc)) = &linker {
            for warning in glibc.warnings.iter() {
                self.warn(warning.clone());
            }
        }
        self.dynamic_linkers.insert(key, linker.clone());
        Ok(linker)
    }

    pub(super) fn warn(&mut self, warning: String) {
        if self.warned.insert(warning.clone()) {
            self.files.held += 2 * warning.len() as u64;
            self.closure.warnings.push(warning);
        }
    }

    /// Records a missing file, once for each file that needs it.
    pub(super) fn missing(&mut self, missing: Missing) {
        if self.missed.insert((missing.name.clone(), missing.chain.first().cloned())) {
            let paths: usize = missing.chain.iter().map(|path| path.len() + 24).sum();
            self.files.held += (paths + 2 * missing.name.len() + 1024) as u64;
            self.closure.missing.push(missing);
        }
    }
}
