//! The tree as the search sees it: each file is parsed once, each directory is looked up once.

use std::collections::BTreeMap;
use std::io;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use image_tree::{Content, InodeId, Kind, Tree};

use super::elf::{Elf, Malformed, ReadError};
use crate::resolve::{Resolved, Unresolved, follow};

/// How many components, names and objects may be looked at. The 1044 programs and libraries of a Debian guest take a
/// quarter of a million; a tree that takes more than this is made to take long.
const MAX_STEPS: u64 = 50_000_000;

/// How many bytes of what files say may be held.
const MAX_HELD: u64 = 512 << 20;

/// What is known of a file's ELF headers.
pub(super) type Parsed = Result<Arc<Elf>, Malformed>;

pub(super) struct Files<'t, C> {
    pub(super) tree: &'t Tree<C>,
    parsed: BTreeMap<InodeId, Parsed>,
    directories: BTreeMap<Vec<u8>, Option<Rc<Resolved>>>,
    pub(super) steps: u64,
    /// How many bytes of what ELF files say are held.
    held_of_files: u64,
    /// How many bytes of names and reasons are held.
    pub(super) held: u64,
}

impl<'t, C: Content> Files<'t, C> {
    pub(super) fn new(tree: &'t Tree<C>) -> Self {
        Self::knowing(tree, BTreeMap::new())
    }

    /// The tree, and the files of it that are parsed already.
    pub(super) fn knowing(tree: &'t Tree<C>, parsed: BTreeMap<InodeId, Parsed>) -> Self {
        let held_of_files = parsed.values().map(held).sum();
        Self { tree, parsed, directories: BTreeMap::new(), steps: 0, held_of_files, held: 0 }
    }

    /// All files that were parsed.
    pub(super) fn parsed(self) -> BTreeMap<InodeId, Parsed> {
        self.parsed
    }

    /// Lets another search begin, with what is known of the tree.
    pub(super) fn begin(&mut self) {
        (self.steps, self.held) = (0, 0);
    }

    /// Whether the search has gone on for longer, or holds more, than any honest tree needs.
    pub(super) fn exhausted(&self) -> bool {
        self.steps > MAX_STEPS || self.held.saturating_add(self.held_of_files) > MAX_HELD
    }

    /// Parses files by several threads, so that [`Files::elf`] has them at hand.
    ///
    /// # Errors
    /// The first, in the order of `ids`, that cannot be read.
    pub(super) fn parse(&mut self, ids: &[InodeId], threads: usize) -> io::Result<()> {
        let wanted: Vec<InodeId> = ids.iter().copied().filter(|id| !self.parsed.contains_key(id)).collect();
        let (tree, next) = (self.tree, AtomicUsize::new(0));
        let work = || {
            let mut results = Vec::new();
            while let Some(id) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                results.push((*id, parse(tree, *id)));
            }
            results
        };
        let workers = threads.clamp(1, wanted.len().div_ceil(8).max(1));
        let results: Vec<_> = thread::scope(|scope| {
            let spawned: Vec<_> =
                (1..workers).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
            let mut all = work();
            for worker in spawned {
                all.extend(worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            all
        });
        let mut results: BTreeMap<InodeId, io::Result<Parsed>> = results.into_iter().collect();
        for id in wanted {
            if let Some(result) = results.remove(&id) {
                let result = result?;
                self.held_of_files += held(&result);
                self.parsed.insert(id, result);
            }
        }
        Ok(())
    }

    /// What is known of a file's ELF headers. What is no regular file is no ELF file.
    pub(super) fn elf(&mut self, id: InodeId) -> io::Result<Parsed> {
        if let Some(parsed) = self.parsed.get(&id) {
            return Ok(parsed.clone());
        }
        let parsed = parse(self.tree, id)?;
        self.held_of_files += held(&parsed);
        self.parsed.insert(id, parsed.clone());
        Ok(parsed)
    }

    /// The file at a path.
    pub(super) fn follow(&mut self, path: &[u8]) -> Result<Resolved, Unresolved> {
        follow(self.tree, path, &mut self.steps)
    }

    /// The directory at a path, if there is one.
    pub(super) fn directory(&mut self, path: &[u8]) -> Option<Rc<Resolved>> {
        self.steps += 1;
        if let Some(known) = self.directories.get(path) {
            return known.clone();
        }
        let found = self.follow(path).ok().filter(|found| self.tree.entries(found.id).is_some());
        let found = found.map(Rc::new);
        self.directories.insert(path.to_vec(), found.clone());
        found
    }

    /// The file of a name in a directory, through a link if it is one.
    pub(super) fn in_directory(&mut self, directory: &Resolved, name: &[u8]) -> Result<Resolved, Unresolved> {
        self.steps += 1;
        if self.tree.lookup(directory.id, name).is_none() {
            return Err(Unresolved::Missing);
        }
        let mut found = self.follow(&join(&directory.path, name))?;
        found.passed.splice(0..0, directory.passed.iter().cloned());
        Ok(found)
    }

    /// The first bytes of a regular file, at most `limit`; none of what is no regular file.
    pub(super) fn head(&self, id: InodeId, limit: usize) -> io::Result<Vec<u8>> {
        let Kind::Regular(content) = &self.tree.get(id).kind else { return Ok(Vec::new()) };
        let len = usize::try_from(content.len()).unwrap_or(limit).min(limit);
        let mut bytes = vec![0; len];
        content.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

fn parse<C: Content>(tree: &Tree<C>, id: InodeId) -> io::Result<Parsed> {
    let Kind::Regular(content) = &tree.get(id).kind else { return Ok(Err(Malformed::NotElf)) };
    match Elf::read(content) {
        Ok(elf) => Ok(Ok(Arc::new(elf))),
        Err(ReadError::Malformed(malformed)) => Ok(Err(malformed)),
        Err(ReadError::Io(error)) => Err(error),
    }
}

fn held(parsed: &Parsed) -> u64 {
    let Ok(elf) = parsed else { return 0 };
    let notes: usize = elf.notes.iter().map(|notes| notes.bytes.len()).sum();
    let names: usize =
        elf.dynamic.iter().flat_map(|dynamic| &dynamic.needs).map(|need| need.name.len() + 32).sum();
    let paths = elf.dynamic.iter().flat_map(|dynamic| [&dynamic.rpath, &dynamic.runpath]).flatten();
    let paths: usize = paths.map(Vec::len).sum();
    (notes + names + paths) as u64
}

/// A name in a directory, as the loader writes it.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if directory.ends_with(b"/") { b"" } else { b"/" };
    [directory, slash, name].concat()
}

/// The directory of an absolute path: what is before its last `/`.
pub(crate) fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|byte| *byte == b'/') {
        None | Some(0) => b"/",
        Some(slash) => &path[..slash],
    }
}

/// What is after the last `/` of a path.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// As a loader writes a directory: without slashes at its end, but for the root.
pub(super) fn without_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1);
    path.get(..end).unwrap_or(path)
}
