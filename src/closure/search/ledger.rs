//! The ledger of a search: everything that is kept or missing so far, and the warnings.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use image_tree::path::base_name;
use image_tree::resolve::Resolved;
use image_tree::{Content, Directories, InodeId};

use super::linker::Linker;
use super::options::Options;
use crate::closure::elf::Abi;
use crate::closure::error::{Error, Result};
use crate::closure::files::Files;
use crate::closure::ld_so::{DynamicLinker, Object};
use crate::closure::library_path::ProgramPattern;
use crate::closure::result::Closure;
use crate::closure::result::missing::Missing;
use crate::closure::result::reason::{Kind, Reason};

/// The results of a search so far, which the collector and the processes share.
pub(super) struct Ledger<'f, 't, T> {
    pub(super) files: &'f mut Files<'t, T>,
    pub(super) options: &'f Options<'f>,
    pub(super) closure: Closure,
    /// The warnings issued so far.
    warned: BTreeSet<String>,
    /// The missing names reported so far, each with the file that needs it. True for harmless ones.
    missed: BTreeMap<(Vec<u8>, Option<Vec<u8>>), bool>,
    /// Dynamic linkers by their path without symbolic links and the path that programs name, both
    /// of which affect the search. The order does not depend on the numbers of inodes.
    dynamic_linkers: BTreeMap<LinkerKey, Option<Rc<Linker>>>,
    /// The files that some program or library loads.
    pub(super) loaded: BTreeSet<InodeId>,
    /// The paths of the libraries that some program loads.
    by_programs: BTreeMap<InodeId, Vec<u8>>,
    /// The numbers of paths of objects.
    numbers: HashMap<Vec<u8>, u32>,
    /// The dependencies whose reasons are recorded.
    recorded: HashSet<Recorded>,
    /// True while only parts of kept directories or packages are examined, whose missing files are
    /// harmless.
    pub(super) is_harmless: bool,
    /// The indexes of the library paths in the options that apply to a program so far.
    library_paths: BTreeSet<usize>,
    /// False if a search of the requests of all rounds at once may have another result.
    pub(super) is_as_at_once: bool,
    /// The state at the end of the previous round.
    previous: Round,
    /// True if a need was looked up among the libraries that programs load so far.
    looked_among_loaded: bool,
}

/// The results of a round that a later one can make wrong.
#[derive(Debug, Default)]
struct Round {
    /// The libraries that were examined on their own, as no program had loaded them.
    alone: BTreeSet<InodeId>,
    /// The number of dynamic linkers; `None` before the end of the first round.
    dynamic_linkers: Option<usize>,
}

/// The path of a dynamic linker without symbolic links, and the path that programs name.
type LinkerKey = (Vec<u8>, Vec<u8>);

/// A dependency of a library, which is the same in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Recorded {
    /// The number of the path of the library.
    pub(super) by: u32,
    /// The index of the dependency in the library.
    pub(super) index: usize,
    /// The number of the path of the object that was loaded before; `None` if it was searched
    /// without a search path, with the dynamic linker of this number.
    pub(super) loaded: Option<u32>,
    pub(super) linker: usize,
}

impl<'f, 't, T: Directories<Content: Content>> Ledger<'f, 't, T> {
    pub(super) fn new(files: &'f mut Files<'t, T>, options: &'f Options<'f>) -> Self {
        files.begin();
        Self {
            files,
            options,
            closure: Closure::default(),
            warned: BTreeSet::new(),
            missed: BTreeMap::new(),
            dynamic_linkers: BTreeMap::new(),
            loaded: BTreeSet::new(),
            by_programs: BTreeMap::new(),
            numbers: HashMap::new(),
            recorded: HashSet::new(),
            is_harmless: false,
            library_paths: BTreeSet::new(),
            is_as_at_once: true,
            previous: Round::default(),
            looked_among_loaded: false,
        }
    }

    /// Begins another round of requests.
    pub(super) fn begin_round(&mut self) {
        // More programs may load what was looked up.
        self.is_as_at_once &= !self.looked_among_loaded;
    }

    /// Ends a round, in which some libraries were examined on their own.
    pub(super) fn end_round(&mut self, alone: Vec<InodeId>) {
        self.closure.library_directories = self.library_directories();
        let Round { alone: before, dynamic_linkers } = &mut self.previous;
        before.extend(alone);
        // What programs open was searched by the earlier dynamic linkers alone.
        let count = self.dynamic_linkers.len();
        self.is_as_at_once &= dynamic_linkers.replace(count).is_none_or(|before| before == count);
    }

    /// Returns the `LD_LIBRARY_PATH` with which a program is started; empty without one.
    pub(super) fn library_path(&mut self, program: &Resolved) -> Vec<u8> {
        const SET_ID: u16 = 0o6000;
        let mut directories: Vec<&[u8]> = Vec::new();
        for (index, one) in self.options.library_paths.iter().enumerate() {
            let is_meant = match &one.program {
                ProgramPattern::Glob { glob, .. } => glob.matches(&program.path),
                ProgramPattern::Path(path) => {
                    self.files.trace(path).is_ok_and(|found| found.id == program.id)
                }
            };
            if is_meant {
                self.library_paths.insert(index);
                directories.push(&one.directories);
            }
        }
        if !directories.is_empty() && self.files.tree.get(program.id).metadata.mode & SET_ID != 0 {
            let program = program.path.escape_ascii();
            self.warn(format!("{program} is set-user-ID or set-group-ID, so LD_LIBRARY_PATH is ignored"));
            return Vec::new();
        }
        directories.join(&b':')
    }

    /// Warns of library paths that apply to no program.
    fn warn_of_unused_library_paths(&mut self) {
        for (index, one) in self.options.library_paths.iter().enumerate() {
            if one.is_requested && !self.library_paths.contains(&index) {
                let (ProgramPattern::Path(text) | ProgramPattern::Glob { text, .. }) = &one.program;
                let text = text.escape_ascii();
                self.warn(format!(
                    "--library-path {text}: no program that is kept and loaded by a dynamic linker"
                ));
            }
        }
    }

    /// Returns the closure at the end of the search.
    pub(super) fn into_closure(mut self) -> Closure {
        self.warn_of_unused_library_paths();
        self.closure
    }

    /// Returns the directories that the dynamic linkers' cache is built from, without duplicates.
    fn library_directories(&self) -> Vec<Vec<u8>> {
        let mut directories: Vec<Vec<u8>> = Vec::new();
        for linker in self.dynamic_linkers.values().flatten() {
            if let DynamicLinker::Glibc(glibc) = &linker.rules {
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
    pub(super) fn dynamic_linkers(&self) -> Vec<(Vec<u8>, Rc<Linker>)> {
        let dynamic_linkers = self.dynamic_linkers.iter();
        dynamic_linkers.filter_map(|((_, path), linker)| Some((path.clone(), linker.clone()?))).collect()
    }

    /// Records a library that a process loads, and numbers its path.
    pub(super) fn record_loaded(&mut self, object: &mut Object, by_program: bool) {
        self.loaded.insert(object.id);
        self.is_as_at_once &= !self.previous.alone.contains(&object.id);
        let len = object.path.len() as u64 + 64;
        if by_program && let Entry::Vacant(entry) = self.by_programs.entry(object.id) {
            entry.insert(object.path.clone());
            self.files.held += len;
        }
        let number = self.numbers.get(&object.path).copied();
        object.number = number.or_else(|| {
            let next = u32::try_from(self.numbers.len()).ok()?;
            self.numbers.insert(object.path.clone(), next);
            self.files.held += len;
            Some(next)
        });
    }

    /// Returns the library that some program loads for a name: one whose `DT_SONAME` or file name it
    /// is.
    pub(super) fn loaded_by_programs(&mut self, abi: Abi, name: &[u8]) -> Result<Option<Resolved>> {
        self.looked_among_loaded = true;
        let paths: Vec<(InodeId, Vec<u8>)> =
            self.by_programs.iter().map(|(id, path)| (*id, path.clone())).collect();
        for (id, path) in paths {
            self.files.steps += 1;
            if let Ok(elf) = self.files.elf(id)?
                && elf.abi == abi
                && (base_name(&path) == name || elf.soname() == Some(name))
            {
                return Ok(self.files.trace(&path).ok());
            }
        }
        Ok(None)
    }

    /// Returns true for a dependency whose reasons are not recorded yet, and records that they are.
    pub(super) fn is_new(&mut self, dependency: Recorded) -> bool {
        let is_new = self.recorded.insert(dependency);
        self.files.held += if is_new { 2 * size_of::<Recorded>() as u64 } else { 0 };
        is_new
    }

    /// Returns true if a name is kept.
    pub(super) fn is_kept(&self, path: &[u8]) -> bool {
        self.closure.kept.contains_key(path)
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
        let is_new = match self.closure.kept.get_mut(path) {
            Some(reasons) => reasons.insert(reason),
            None => self.closure.kept.insert(path.to_vec(), BTreeSet::from([reason])).is_none(),
        };
        if is_new {
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
    ) -> Result<Option<Rc<Linker>>> {
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
        let linker = linker.map(|rules| Rc::new(Linker::new(rules, self.dynamic_linkers.len())));
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
        let missing = Missing { is_harmless: self.is_harmless, ..missing };
        match self.missed.entry((missing.name.clone(), missing.chain.first().cloned())) {
            Entry::Vacant(entry) => {
                entry.insert(missing.is_harmless);
                let paths: usize = missing.chain.iter().map(|path| path.len() + 24).sum();
                self.files.held += (paths + 2 * missing.name.len() + 1024) as u64;
                self.closure.missing.push(missing);
            }
            // In a single round, parts are examined last.
            Entry::Occupied(entry) if *entry.get() && !missing.is_harmless => self.is_as_at_once = false,
            Entry::Occupied(_) => {}
        }
    }
}
