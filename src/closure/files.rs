//! The files of a tree as the search uses them: each is parsed once, each directory resolved once.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use image_tree::path::join;
use image_tree::resolve::{ResolveError, Resolved, trace_in_root};
use image_tree::{Content, Directories, InodeId, Kind};
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::closure::elf::{Elf, Malformed, Parsed, ReadError};
use crate::closure::unresolved::{Unresolved, dead_link};

/// The maximum number of components, names and objects that are examined. The 1044 programs and
/// libraries of a Debian guest take a quarter of a million; a tree that takes more than this limit
/// is assumed to be malicious.
const MAX_STEPS: u64 = 50_000_000;

/// The maximum number of bytes held of the content of files.
const MAX_HELD: u64 = 512 << 20;

/// The maximum number of files that the caller parses alone, since other threads would take longer
/// to wake up.
const FEW: usize = 8;

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
        Self::with_parsed(tree, BTreeMap::new())
    }

    pub(super) fn with_parsed(tree: &'t T, parsed: BTreeMap<InodeId, Parsed>) -> Self {
        let held_of_files = parsed.values().map(held).sum();
        Self { tree, parsed, directories: BTreeMap::new(), steps: 0, held_of_files, held: 0 }
    }

    /// Starts another search, which reuses the parsed files.
    pub(super) fn begin(&mut self) {
        (self.steps, self.held) = (0, 0);
    }

    /// Returns true if the search has taken more steps, or holds more bytes, than the limits.
    pub(super) fn exhausted(&self) -> bool {
        self.steps > MAX_STEPS || self.held.saturating_add(self.held_of_files) > MAX_HELD
    }

    /// Parses files on the threads of a pool, or on the caller alone, so that [`Files::elf`] finds
    /// them already parsed. Those that may not be read are left to it.
    ///
    /// # Errors
    /// Returns the first other error, in the order of `ids`.
    pub(super) fn parse(&mut self, ids: &[InodeId], pool: Option<&ThreadPool>) -> io::Result<()> {
        let wanted: Vec<InodeId> = ids.iter().copied().filter(|id| !self.parsed.contains_key(id)).collect();
        // A tree that lists directories on demand cannot be used by several threads.
        let kinds: Vec<_> = wanted.iter().map(|id| &self.tree.get(*id).kind).collect();
        let results: Vec<io::Result<Parsed>> = match pool {
            Some(pool) if kinds.len() > FEW => {
                pool.install(|| kinds.par_iter().map(|kind| parse(kind)).collect())
            }
            _ => kinds.into_iter().map(parse).collect(),
        };
        for (id, result) in wanted.into_iter().zip(results) {
            let result = match result {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                result => result?,
            };
            self.held_of_files += held(&result);
            self.parsed.insert(id, result);
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

    /// Returns the error about a path that does not resolve, with the link that leads nowhere.
    pub(super) fn unresolved(&mut self, path: &[u8], error: ResolveError) -> Unresolved {
        Unresolved { error, link: dead_link(self.tree, path, &mut self.steps) }
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
    parsed.as_ref().map_or(0, |elf| elf.held())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use image_tree::{Inode, Metadata, Tree};
    use rayon::ThreadPoolBuilder;

    use super::*;
    use crate::closure::testing::build::Build;

    /// A file whose reads are counted, and fail with a number if it has one.
    struct Numbered {
        bytes: Vec<u8>,
        fails: Option<usize>,
        reads: &'static AtomicUsize,
    }

    impl Content for Numbered {
        fn len(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            match self.fails {
                Some(number) => Err(io::Error::other(format!("file {number}"))),
                None => self.bytes.read_at(buffer, offset),
            }
        }
    }

    fn tree(fails: &[usize], reads: &'static AtomicUsize) -> (Tree<Numbered>, Vec<InodeId>) {
        let metadata = Metadata::new(0o755);
        let mut tree = Tree::new(metadata.clone());
        let add = |number: usize| {
            let fails = Some(number).filter(|number| fails.contains(number));
            let kind = Kind::Regular(Numbered { bytes: Build::new().bytes(), fails, reads });
            let inode = Inode { metadata: metadata.clone(), kind };
            tree.insert_path(format!("/{number}").as_bytes(), inode, &metadata).expect("it is new")
        };
        let ids = (0..100).map(add).collect();
        (tree, ids)
    }

    #[test]
    fn the_earliest_error_is_returned_for_any_number_of_threads() {
        static READS: AtomicUsize = AtomicUsize::new(0);
        let (tree, ids) = tree(&[97, 31, 64], &READS);
        let pools = [1, 2, 7].map(|count| ThreadPoolBuilder::new().num_threads(count).build());
        let pools: Vec<ThreadPool> = pools.into_iter().map(|pool| pool.expect("threads can start")).collect();
        for pool in [None].into_iter().chain(pools.iter().map(Some)) {
            let error = Files::new(&tree).parse(&ids, pool).expect_err("three files cannot be read");
            assert_eq!(error.to_string(), "file 31");
        }
    }

    #[test]
    fn parsed_files_are_not_read_again() {
        static READS: AtomicUsize = AtomicUsize::new(0);
        let (tree, ids) = tree(&[], &READS);
        let pool = ThreadPoolBuilder::new().num_threads(3).build().expect("threads can start");
        let mut files = Files::new(&tree);
        files.parse(&ids, Some(&pool)).expect("all files can be read");
        let reads = READS.load(Ordering::Relaxed);
        assert!(reads >= ids.len(), "{reads} reads");
        files.parse(&ids, None).expect("all files can be read");
        assert!(ids.iter().all(|id| files.elf(*id).expect("it can be read").is_ok()));
        assert_eq!(READS.load(Ordering::Relaxed), reads);
    }
}
