//! Which regular files have the same bytes.
//!
//! ```text
//! length, and what else is to be alike ──▶ SHA-256, by several threads ──▶ groups of equal digests
//!          alone: never read                      each file read once
//! ```
//!
//! What it takes is a digest for each file that is read, and a buffer for each thread.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use image_tree::{Content, Inode, InodeId, Kind, Tree};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::output::classify_read_error;

/// How much of a file is read at once, in bytes.
const CHUNK: u64 = 1 << 20;

/// Finds the files that have the bytes of an earlier one, whatever their metadata: each of them, and the first file in the
/// order of the tree's walk that has its bytes. Empty files are not among them.
///
/// # Errors
/// As of [`find`].
pub fn duplicates<C: Content>(
    tree: &Tree<C>,
    threads: NonZeroUsize,
    interrupt: &Interrupt,
) -> Result<BTreeMap<InodeId, InodeId>> {
    let mut duplicates = BTreeMap::new();
    for group in find(tree, threads, interrupt, |_| ())? {
        let Some((first, later)) = group.split_first() else { continue };
        duplicates.extend(later.iter().map(|id| (*id, *first)));
    }
    Ok(duplicates)
}

/// Finds the regular files that have the same bytes, not none, and the same `alike`.
///
/// Gives groups of two and more, each in the order of the tree's walk and the groups in the order of their first files.
/// The number of threads, the caller's among them, does not show in it.
///
/// # Errors
/// When a file cannot be read or is not what it was when it was scanned: the first such file in the order of the walk.
/// [`Interrupted`](ErrorKind::Interrupted) when a signal came.
pub fn find<'t, C: Content, K: Ord>(
    tree: &'t Tree<C>,
    threads: NonZeroUsize,
    interrupt: &Interrupt,
    alike: impl Fn(&'t Inode<C>) -> K,
) -> Result<Vec<Vec<InodeId>>> {
    let candidates = candidates(tree, alike);
    let contents: Vec<&C> = candidates.iter().map(|candidate| candidate.content).collect();
    let digests = digest_all(&contents, threads, interrupt)?;
    let mut groups: Vec<Vec<InodeId>> = Vec::new();
    let mut index = BTreeMap::new();
    for (candidate, digest) in candidates.iter().zip(digests) {
        let group = *index.entry((candidate.class, digest)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(candidate.id);
    }
    groups.retain(|group| group.len() > 1);
    Ok(groups)
}

/// A file that may have the bytes of another.
struct Candidate<'t, C> {
    id: InodeId,
    content: &'t C,
    /// Files of different classes differ.
    class: usize,
}

/// The files of which not even the length is unique, in the order of the walk.
fn candidates<'t, C: Content, K: Ord>(
    tree: &'t Tree<C>,
    alike: impl Fn(&'t Inode<C>) -> K,
) -> Vec<Candidate<'t, C>> {
    let mut candidates = Vec::new();
    let mut classes = BTreeMap::new();
    let mut members: Vec<usize> = Vec::new();
    for step in tree.walk().filter(|step| step.first) {
        let inode = tree.get(step.id);
        let Kind::Regular(content) = &inode.kind else { continue };
        if content.is_empty() {
            continue;
        }
        let class = *classes.entry((content.len(), alike(inode))).or_insert_with(|| {
            members.push(0);
            members.len() - 1
        });
        members[class] += 1;
        candidates.push(Candidate { id: step.id, content, class });
    }
    candidates.retain(|candidate| members[candidate.class] > 1);
    candidates
}

/// The length of a regular file, in bytes.
pub(super) fn length<C: Content>(tree: &Tree<C>, id: InodeId) -> u64 {
    match &tree.get(id).kind {
        Kind::Regular(content) => content.len(),
        _ => 0,
    }
}

type Sha256Digest = [u8; 32];

/// An error, and which file gave it.
type Failure = (usize, Error);

/// The digest of each content, in their order.
fn digest_all<C: Content>(
    contents: &[&C],
    threads: NonZeroUsize,
    interrupt: &Interrupt,
) -> Result<Vec<Sha256Digest>> {
    let work = Work { contents, next: AtomicUsize::new(0), stop: AtomicBool::new(false), interrupt };
    let others = threads.get().min(contents.len()).saturating_sub(1);
    let results = thread::scope(|scope| {
        // A thread that cannot be started is not missed: this one does what others do not.
        let others: Vec<_> = (0..others)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, || work.digest_some()).ok())
            .collect();
        let mut results = vec![work.digest_some()];
        results.extend(
            others
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
        );
        results
    });
    let mut digests = vec![[0; 32]; contents.len()];
    let mut first: Option<Failure> = None;
    for result in results {
        match result {
            Ok(some) => some.into_iter().for_each(|(position, digest)| digests[position] = digest),
            // Files are taken in order and finished once taken, so the earliest failure is the one that every number of
            // threads meets.
            Err(failure) if first.as_ref().is_none_or(|(position, _)| failure.0 < *position) => {
                first = Some(failure);
            }
            Err(_) => {}
        }
    }
    first.map_or(Ok(digests), |(_, error)| Err(error))
}

/// What the threads share.
struct Work<'w, C> {
    contents: &'w [&'w C],
    /// The first file that no thread has taken.
    next: AtomicUsize,
    /// Set when one thread failed: the others finish their file and take no other.
    stop: AtomicBool,
    interrupt: &'w Interrupt,
}

impl<C: Content> Work<'_, C> {
    /// Digests files until there are none left.
    fn digest_some(&self) -> Result<Vec<(usize, Sha256Digest)>, Failure> {
        let mut digests = Vec::new();
        let mut buffer = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let position = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(content) = self.contents.get(position) else { break };
            match digest(*content, &mut buffer, self.interrupt) {
                Ok(digest) => digests.push((position, digest)),
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    // A signal is no property of a file: whatever else failed is told first.
                    let interrupted = error.kind() == ErrorKind::Interrupted;
                    return Err((if interrupted { usize::MAX } else { position }, error));
                }
            }
        }
        Ok(digests)
    }
}

fn digest<C: Content>(content: &C, buffer: &mut Vec<u8>, interrupt: &Interrupt) -> Result<Sha256Digest> {
    let mut hasher = Sha256::new();
    let mut offset = 0;
    while offset < content.len() {
        interrupt.check()?;
        let len = usize::try_from((content.len() - offset).min(CHUNK)).expect("at most CHUNK");
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        content.read_at(&mut buffer[..len], offset).map_err(classify_read_error)?;
        hasher.update(&buffer[..len]);
        offset += len as u64;
    }
    Ok(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::AtomicU64;

    use image_tree::{Metadata, Name};

    use super::*;

    /// Bytes that count how often they are read, or cannot be read.
    struct Counted {
        bytes: Vec<u8>,
        read: AtomicU64,
        broken: bool,
    }

    impl Content for Counted {
        fn len(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            self.read.fetch_add(buffer.len() as u64, Ordering::Relaxed);
            if self.broken {
                let message = format!("{} is not what it was", self.bytes.escape_ascii());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            self.bytes.read_at(buffer, offset)
        }
    }

    const SOME: NonZeroUsize = NonZeroUsize::new(3).unwrap();

    fn tree(files: &[(&str, &[u8], u16)]) -> Tree<Counted> {
        let mut tree = Tree::new(Metadata::new(0o755));
        for (name, bytes, mode) in files {
            let broken = name.starts_with("broken");
            let content = Counted { bytes: bytes.to_vec(), read: AtomicU64::new(0), broken };
            let file = Inode { metadata: Metadata::new(*mode), kind: Kind::Regular(content) };
            tree.insert(Tree::<Counted>::ROOT, Name::new(name).expect("a name"), file).expect("new");
        }
        tree
    }

    fn names(tree: &Tree<Counted>, groups: &[Vec<InodeId>]) -> Vec<Vec<String>> {
        let name = |id: &InodeId| String::from_utf8(tree.path_of(*id)[1..].to_vec()).expect("UTF-8");
        groups.iter().map(|group| group.iter().map(name).collect()).collect()
    }

    #[test]
    fn equal_bytes_are_found_in_the_order_of_the_walk() {
        let long = vec![7; 3 << 20];
        let mut other = long.clone();
        other[(2 << 20) + 5] = 8;
        let tree = tree(&[
            ("z", b"same", 0o644),
            ("long2", &long, 0o644),
            ("a", b"same", 0o600),
            ("b", b"some", 0o644),
            ("empty1", b"", 0o644),
            ("empty2", b"", 0o644),
            ("k", b"same", 0o644),
            ("long1", &long, 0o644),
            ("long3", &other, 0o644),
            ("unique", b"a length of its own", 0o644),
        ]);
        for threads in [1, 2, 16] {
            let threads = NonZeroUsize::new(threads).expect("not 0");
            let groups = find(&tree, threads, &Interrupt::never(), |_| ()).expect("it can be read");
            assert_eq!(names(&tree, &groups), [vec!["a", "k", "z"], vec!["long1", "long2"]]);
            let groups = find(&tree, threads, &Interrupt::never(), |inode| inode.metadata.mode)
                .expect("it can be read");
            assert_eq!(names(&tree, &groups), [["k", "z"], ["long1", "long2"]]);
        }
        let found = duplicates(&tree, SOME, &Interrupt::never()).expect("it can be read");
        let id = |path: &[u8]| tree.resolve(path).expect("it is there");
        let expected = [(b"/k", b"/a"), (b"/z", b"/a")].map(|(later, first)| (id(later), id(first)));
        let long = (id(b"/long2"), id(b"/long1"));
        assert_eq!(found, expected.into_iter().chain([long]).collect());
    }

    #[test]
    fn files_are_read_once_and_unique_ones_never() {
        let tree = tree(&[("a", b"12", 0o644), ("b", b"34", 0o644), ("c", b"5", 0o644), ("d", b"67", 0o600)]);
        find(&tree, SOME, &Interrupt::never(), |inode| inode.metadata.mode).expect("it can be read");
        let read = |name: &[u8]| match &tree.get(tree.resolve(name).expect("it is there")).kind {
            Kind::Regular(content) => content.read.load(Ordering::Relaxed),
            _ => unreachable!("only files"),
        };
        assert_eq!([read(b"a"), read(b"b"), read(b"c"), read(b"d")], [2, 2, 0, 0]);
    }

    #[test]
    fn the_first_file_that_cannot_be_read_is_named_whatever_the_threads() {
        let files: Vec<(String, String)> = (0..200)
            .map(|number| (format!("{}{number}", if number % 90 == 50 { "broken" } else { "f" }), number))
            .map(|(name, number)| (name, format!("{number:03}")))
            .collect();
        let files: Vec<(&str, &[u8], u16)> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_bytes(), 0o644)).collect();
        let tree = tree(&files);
        for threads in [1, 2, 16] {
            let threads = NonZeroUsize::new(threads).expect("not 0");
            let error = find(&tree, threads, &Interrupt::never(), |_| ()).expect_err("two are broken");
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (ErrorKind::BadInput, "140 is not what it was")
            );
        }
    }

    #[test]
    fn a_signal_stops_it() {
        let tree = tree(&[("a", b"12", 0o644), ("b", b"34", 0o644)]);
        let interrupt = Interrupt::never();
        interrupt.set(15);
        let error = find(&tree, SOME, &interrupt, |_| ()).expect_err("a signal came");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}
