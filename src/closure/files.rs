//! The files of a tree as the search uses them: each is parsed once, each directory resolved once.

use std::collections::BTreeMap;
use std::io;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use image_tree::path::join;
use image_tree::{Content, Directories, InodeId, Kind};

use crate::closure::elf::{Elf, Malformed, ReadError};
use image_tree::resolve::trace_in_root;
use image_tree::resolve::{ResolveError, Resolved};

/// The maximum number of components, names and objects that are examined. The 1044 programs and
/// libraries of a Debian guest take a quarter of a million; a tree that takes more than this limit
/// is assumed to be malicious.
const MAX_STEPS: u64 = 50_000_000;

/// The maximum number of bytes held of the content of files.
const MAX_HELD: u64 = 512 << 20;

/// The parsed ELF headers of a file.
type Parsed = Result<Arc<Elf>, Malformed>;

pub(super) struct Files<'t, T> {
    pub(super) tree: &'t T,
    parsed: BTreeMap<InodeId, Parsed>,
    directories: BTreeMap<Vec<u8>, Option<Rc<Resolved>>>,
    pub(super) steps: u64,
    /// The number of bytes held for parsed ELF files.
    held_of_files: u64,
    /// The number of bytes held for names and reasons.
    pub(super) held: u64,
}

impl<'t, T: Directories<Content: Content>> Files<'t, T> {
    pub(super) fn new(tree: &'t T) -> Self {
        let (parsed, directories) = (BTreeMap::new(), BTreeMap::new());
        Self { tree, parsed, directories, steps: 0, held_of_files: 0, held: 0 }
    }

    /// Starts another search, which reuses the parsed files.
    pub(super) fn begin(&mut self) {
        (self.steps, self.held) = (0, 0);
    }

    /// Returns true if the search has taken more steps, or holds more bytes, than the limits.
    pub(super) fn exhausted(&self) -> bool {
        self.steps > MAX_STEPS || self.held.saturating_add(self.held_of_files) > MAX_HELD
    }

    /// Parses files on several threads, so that [`Files::elf`] finds them already parsed.
    ///
    /// # Errors
    /// Returns the first error, in the order of `ids`.
    pub(super) fn parse(&mut self, ids: &[InodeId], threads: usize) -> io::Result<()> {
        let wanted: Vec<InodeId> = ids.iter().copied().filter(|id| !self.parsed.contains_key(id)).collect();
        // A tree that lists directories on demand cannot be used by several threads.
        let kinds: Vec<_> = wanted.iter().map(|id| (*id, &self.tree.get(*id).kind)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut results = Vec::new();
            while let Some((id, kind)) = kinds.get(next.fetch_add(1, Ordering::Relaxed)) {
                results.push((*id, parse(kind)));
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

    /// Returns the parsed ELF headers of a file. A file that is not a regular file is not an ELF
    /// file.
    pub(super) fn elf(&mut self, id: InodeId) -> io::Result<Parsed> {
        if let Some(parsed) = self.parsed.get(&id) {
            return Ok(parsed.clone());
        }
        let parsed = parse(&self.tree.get(id).kind)?;
        self.held_of_files += held(&parsed);
        self.parsed.insert(id, parsed.clone());
        Ok(parsed)
    }

    /// Resolves a path to a file.
    pub(super) fn trace(&mut self, path: &[u8]) -> Result<Resolved, ResolveError> {
        trace_in_root(self.tree, path, &mut self.steps)
    }

    /// Resolves a path to a directory, if there is one.
    pub(super) fn directory(&mut self, path: &[u8]) -> Option<Rc<Resolved>> {
        self.steps += 1;
        if let Some(known) = self.directories.get(path) {
            return known.clone();
        }
        let found = self.trace(path).ok().filter(|found| self.tree.is_directory(found.id));
        let found = found.map(Rc::new);
        self.directories.insert(path.to_vec(), found.clone());
        found
    }

    /// Resolves a name in a directory, following a link.
    pub(super) fn in_directory(
        &mut self,
        directory: &Resolved,
        name: &[u8],
    ) -> Result<Resolved, ResolveError> {
        self.steps += 1;
        if self.tree.lookup(directory.id, name).is_none() {
            return Err(ResolveError::Missing);
        }
        let mut found = self.trace(&join(&directory.path, name))?;
        found.traversed.splice(0..0, directory.traversed.iter().cloned());
        Ok(found)
    }

    /// Returns at most the first `limit` bytes of a regular file; empty for other files.
    pub(super) fn head(&self, id: InodeId, limit: usize) -> io::Result<Vec<u8>> {
        let Kind::Regular(content) = &self.tree.get(id).kind else { return Ok(Vec::new()) };
        let len = usize::try_from(content.len()).unwrap_or(limit).min(limit);
        let mut bytes = vec![0; len];
        content.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

fn parse<C: Content>(kind: &Kind<C>) -> io::Result<Parsed> {
    let Kind::Regular(content) = kind else { return Ok(Err(Malformed::NotElf)) };
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
