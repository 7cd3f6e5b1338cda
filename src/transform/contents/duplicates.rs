//! Finds regular files with the same bytes.
//!
//! ```text
//! length, and the caller's key ─────────▶ SHA-256, by several threads ──▶ groups of equal digests
//!          unique: never read            each file read once, except holes
//! ```
//!
//! Memory is needed for a digest of each file that is read, and a buffer for each thread.

use std::collections::BTreeMap;

use image_tree::{Content, Inode, InodeId, Kind, Tree};
use sha2::{Digest, Sha256};

use crate::blob::read_chunks;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::threads::Threads;
use crate::zeros::is_zero;

/// The unit of zeros that a digest leaves out, in bytes: the block size of most filesystems.
const BLOCK: u64 = 4096;
const BLOCK_LEN: usize = 4096;

/// The options of the search.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The threads that read files.
    pub threads: &'a Threads,
    /// Checked regularly; a signal ends the search.
    pub interrupt: &'a Interrupt,
}

/// Finds the files that have the bytes of an earlier one, whatever their metadata. Returns each of
/// them with the first file in the order of the tree's walk that has its bytes. Empty files are not
/// included.
///
/// # Errors
/// As of [`find`].
pub fn originals<C: Content>(tree: &Tree<C>, options: &Options<'_>) -> Result<BTreeMap<InodeId, InodeId>> {
    let mut originals = BTreeMap::new();
    for group in find(tree, options, |_| ())? {
        let Some((first, later)) = group.split_first() else { continue };
        originals.extend(later.iter().map(|id| (*id, *first)));
    }
    Ok(originals)
}

/// Finds the regular files that have the same bytes and the same `key`, except for empty
/// ones.
///
/// Returns groups of two and more, each in the order of the tree's walk and the groups in the order
/// of their first files. The number of threads, which includes the caller's, does not affect the
/// result.
///
/// # Errors
/// If a file cannot be read or changed since the scan: the error for the first such file in the
/// order of the walk. [`Interrupted`](crate::error::ErrorKind::Interrupted) after a signal.
pub fn find<'t, C: Content, K: Ord>(
    tree: &'t Tree<C>,
    options: &Options<'_>,
    key: impl Fn(&'t Inode<C>) -> K,
) -> Result<Vec<Vec<InodeId>>> {
    let Options { threads, interrupt } = *options;
    let candidates = candidates(tree, key);
    let contents: Vec<&C> = candidates.iter().map(|candidate| candidate.content).collect();
    let digests =
        threads.map(contents.len(), |number, buffer| digest(contents[number], buffer, interrupt))?;
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
    /// The number of its class. Files of different classes differ.
    class: usize,
}

/// Returns the files whose length and key are not unique, in the order of the walk.
fn candidates<'t, C: Content, K: Ord>(
    tree: &'t Tree<C>,
    key: impl Fn(&'t Inode<C>) -> K,
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
        let class = *classes.entry((content.len(), key(inode))).or_insert_with(|| {
            members.push(0);
            members.len() - 1
        });
        members[class] += 1;
        candidates.push(Candidate { id: step.id, content, class });
    }
    candidates.retain(|candidate| members[candidate.class] > 1);
    candidates
}

/// Returns the length of a regular file, in bytes; 0 for any other file.
pub(super) fn length<C: Content>(tree: &Tree<C>, id: InodeId) -> u64 {
    match &tree.get(id).kind {
        Kind::Regular(content) => content.len(),
        _ => 0,
    }
}

type Sha256Digest = [u8; 32];

/// Returns a digest of the blocks with a byte other than zero, and of their offsets. Blocks of
/// zeros are left out, so that known holes need not be read.
fn digest<C: Content>(content: &C, buffer: &mut Vec<u8>, interrupt: &Interrupt) -> Result<Sha256Digest> {
    let mut hasher = Sha256::new();
    let whole = std::slice::from_ref(&(0..u64::MAX));
    let mut offset = 0;
    for range in content.data_ranges().unwrap_or(whole) {
        offset = offset.max(range.start / BLOCK * BLOCK);
        let end =
            range.end.checked_next_multiple_of(BLOCK).map_or(content.len(), |end| end.min(content.len()));
        read_chunks(content, offset..end, buffer, interrupt, |start, bytes| {
            for (block, offset) in bytes.chunks(BLOCK_LEN).zip((start..).step_by(BLOCK_LEN)) {
                if !is_zero(block) {
                    hasher.update(offset.to_le_bytes());
                    hasher.update(block);
                }
            }
        })?;
        offset = offset.max(end);
    }
    Ok(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::ops::Range;
    use std::sync::atomic::{AtomicU64, Ordering};

    use image_tree::{Metadata, Name};

    use super::*;
    use crate::error::ErrorKind;

    /// Bytes that count how many of them are read, or cannot be read.
    struct Counted {
        bytes: Vec<u8>,
        data: Option<Vec<Range<u64>>>,
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

        fn data_ranges(&self) -> Option<&[Range<u64>]> {
            self.data.as_deref()
        }
    }

    fn threads(count: usize) -> Threads {
        Threads::new(std::num::NonZeroUsize::new(count).expect("not 0"))
    }

    fn tree(files: &[(&str, &[u8], u16)]) -> Tree<Counted> {
        let mut tree = Tree::new(Metadata::new(0o755));
        for (name, bytes, mode) in files {
            let broken = name.starts_with("broken");
            let content = Counted { bytes: bytes.to_vec(), data: None, read: AtomicU64::new(0), broken };
            let file = Inode { metadata: Metadata::new(*mode), kind: Kind::Regular(content) };
            tree.insert(InodeId::ROOT, Name::new(name).expect("a name"), file).expect("new");
        }
        tree
    }

    fn names(tree: &Tree<Counted>, groups: &[Vec<InodeId>]) -> Vec<Vec<String>> {
        let name = |id: &InodeId| String::from_utf8(tree.path_of(*id)[1..].to_vec()).expect("UTF-8");
        groups.iter().map(|group| group.iter().map(name).collect()).collect()
    }

    #[test]
    fn groups_equal_files_in_walk_order() {
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
        for count in [1, 2, 16] {
            let threads = &threads(count);
            let groups = find(&tree, &Options { threads, interrupt: &Interrupt::never() }, |_| ())
                .expect("it can be read");
            assert_eq!(names(&tree, &groups), [vec!["a", "k", "z"], vec!["long1", "long2"]]);
            let groups = find(&tree, &Options { threads, interrupt: &Interrupt::never() }, |inode| {
                inode.metadata.mode
            })
            .expect("it can be read");
            assert_eq!(names(&tree, &groups), [["k", "z"], ["long1", "long2"]]);
        }
        let found = originals(&tree, &Options { threads: &threads(3), interrupt: &Interrupt::never() })
            .expect("it can be read");
        let id = |path: &[u8]| tree.resolve_no_symlinks(path).expect("it is there");
        let expected = [(b"/k", b"/a"), (b"/z", b"/a")].map(|(later, first)| (id(later), id(first)));
        let long = (id(b"/long2"), id(b"/long1"));
        assert_eq!(found, expected.into_iter().chain([long]).collect());
    }

    #[test]
    fn reads_candidates_once_and_unique_files_never() {
        let tree = tree(&[("a", b"12", 0o644), ("b", b"34", 0o644), ("c", b"5", 0o644), ("d", b"67", 0o600)]);
        find(&tree, &Options { threads: &threads(3), interrupt: &Interrupt::never() }, |inode| {
            inode.metadata.mode
        })
        .expect("it can be read");
        let read = |name: &[u8]| match &tree.get(tree.resolve_no_symlinks(name).expect("it is there")).kind {
            Kind::Regular(content) => content.read.load(Ordering::Relaxed),
            _ => unreachable!("only files"),
        };
        assert_eq!([read(b"a"), read(b"b"), read(b"c"), read(b"d")], [2, 2, 0, 0]);
    }

    #[test]
    fn holes_are_not_read_and_do_not_change_the_digest() {
        let mut bytes = vec![0; 3 << 20];
        let places = [5, 4095, 4096, (1 << 20) - 1, 1 << 20, (2 << 20) + 5000];
        places.into_iter().for_each(|at| bytes[at] = 7);
        let content = |data| Counted { bytes: bytes.clone(), data, read: AtomicU64::new(0), broken: false };
        let digest = |content: &Counted| {
            digest(content, &mut Vec::new(), &Interrupt::never()).expect("it can be read")
        };
        let single = places.map(|at| at as u64..at as u64 + 1).to_vec();
        let (dense, sparse) = (content(None), content(Some(single)));
        assert_eq!(digest(&dense), digest(&sparse));
        assert_eq!(dense.read.into_inner(), 3 << 20);
        assert_eq!(sparse.read.into_inner(), 5 * 4096);
        for at in [0, 6, 8192, (3 << 20) - 1] {
            let mut other = content(None);
            other.bytes[at] = 7;
            assert_ne!(digest(&other), digest(&content(None)), "{at}");
        }
        let moved = Counted {
            bytes: [vec![0; 4096], bytes[..bytes.len() - 4096].to_vec()].concat(),
            ..content(None)
        };
        assert_ne!(digest(&moved), digest(&content(None)));
    }

    #[test]
    fn the_first_read_error_is_reported_for_any_number_of_threads() {
        let files: Vec<(String, String)> = (0..200)
            .map(|number| (format!("{}{number}", if number % 90 == 50 { "broken" } else { "f" }), number))
            .map(|(name, number)| (name, format!("{number:03}")))
            .collect();
        let files: Vec<(&str, &[u8], u16)> =
            files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_bytes(), 0o644)).collect();
        let tree = tree(&files);
        for count in [1, 2, 16] {
            let threads = &threads(count);
            let error = find(&tree, &Options { threads, interrupt: &Interrupt::never() }, |_| ())
                .expect_err("two are broken");
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (ErrorKind::BadInput, "140 is not what it was")
            );
        }
    }

    #[test]
    fn a_signal_ends_the_search() {
        let tree = tree(&[("a", b"12", 0o644), ("b", b"34", 0o644)]);
        let interrupt = Interrupt::never();
        interrupt.set(15);
        let options = Options { threads: &threads(3), interrupt: &interrupt };
        let error = find(&tree, &options, |_| ()).expect_err("a signal came");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}
