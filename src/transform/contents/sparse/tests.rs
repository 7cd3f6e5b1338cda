//! Tests of the blocks that are found to hold data.
#![expect(clippy::single_range_in_vec_init, reason = "a file may have one range of data")]

use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use image_tree::{Inode, InodeId, Metadata, Name};

use super::*;
use crate::blob::archive::{Archive, ArchiveRange, Piece, Sparse};
use crate::error::ErrorKind;
use crate::source::directory;

const BLOCK: u64 = 4096;
const BLOCK_LEN: usize = 4096;

fn threads(count: usize) -> Threads {
    Threads::new(NonZeroUsize::new(count).expect("not 0"))
}

/// Returns a tree of these files in its root.
fn tree(files: Vec<(&str, Blob)>) -> Tree<Blob> {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (name, content) in files {
        let file = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(content) };
        tree.insert(InodeId::ROOT, Name::new(name).expect("a name"), file).expect("new");
    }
    tree
}

fn apply_policy(
    tree: &mut Tree<Blob>,
    policy: Policy,
    block_len: u64,
    threads: &Threads,
    interrupt: &Interrupt,
) -> Result<()> {
    apply(tree, &Options { policy, block_len, threads, interrupt })
}

/// Returns the data ranges of a file after a policy is applied, the same for each number of
/// threads.
fn data(tree: &Tree<Blob>, name: &str, policy: Policy, block_len: u64) -> Option<Vec<Range<u64>>> {
    let of = |count| {
        let mut tree = tree.clone();
        apply_policy(&mut tree, policy, block_len, &threads(count), &Interrupt::never())
            .expect("it can be read");
        match &tree.get(tree.resolve_no_symlinks(name.as_bytes()).expect("it is there")).kind {
            Kind::Regular(Blob::Mapped(mapped)) => Some(mapped.data().to_vec()),
            _ => None,
        }
    };
    let alone = of(1);
    assert_eq!(of(2), alone);
    assert_eq!(of(7), alone);
    alone
}

/// Returns a member of an archive with these extents.
fn member(len: u64, pieces: &[(u64, &[u8])]) -> Blob {
    let bytes: Vec<u8> = pieces.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let stored_len = bytes.len() as u64;
    let mut stored = 0;
    let piece = |(offset, bytes): &(u64, &[u8])| {
        let len = bytes.len() as u64;
        stored += len;
        Piece { offset: *offset, len, stored: stored - len }
    };
    let pieces: Vec<Piece> = pieces.iter().map(piece).collect();
    let range = ArchiveRange::new(Arc::new(Archive::memory(bytes.into())), 0, stored_len);
    Blob::Sparse(Arc::new(Sparse::new(len, &pieces, range)))
}

#[test]
fn holes_depend_on_bytes_not_on_storage() {
    let directory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
    let file = |name: &str| File::create(directory.path().join(name)).expect("a new file");
    // Stored zeros between data and a hole.
    let sparse = file("sparse");
    sparse.set_len(40 * BLOCK + 5).expect("a hole");
    sparse.write_all_at(&[0; 8 * BLOCK_LEN], 8 * BLOCK).expect("room");
    sparse.write_all_at(&[7], 11 * BLOCK + 1023).expect("room");
    sparse.write_all_at(&[7], 40 * BLOCK).expect("room");
    let hole = file("hole");
    hole.set_len(1 << 44).expect("a hole");
    fs::write(directory.path().join("dense"), [[0; 8192], [1; 8192]].concat()).expect("room");
    fs::write(directory.path().join("zeros"), [0; 8192]).expect("room");
    let scanned =
        directory::read(directory.path(), &threads(1), &Interrupt::never()).expect("it can be scanned").tree;

    let few = [11 * BLOCK..12 * BLOCK, 40 * BLOCK..40 * BLOCK + 5];
    assert_eq!(data(&scanned, "sparse", Policy::Auto, BLOCK).as_deref(), Some(&few[..]));
    assert_eq!(data(&scanned, "sparse", Policy::Always, BLOCK).as_deref(), Some(&few[..]));
    let fewer = [11 * BLOCK..11 * BLOCK + 1024, 40 * BLOCK..40 * BLOCK + 5];
    assert_eq!(data(&scanned, "sparse", Policy::Auto, 1024).as_deref(), Some(&fewer[..]));
    assert_eq!(data(&scanned, "hole", Policy::Auto, BLOCK), Some(Vec::new()));
    for (name, always) in [("dense", vec![8192..16_384]), ("zeros", vec![])] {
        assert_eq!(data(&scanned, name, Policy::Auto, BLOCK), None, "{name} is stored whole");
        assert_eq!(data(&scanned, name, Policy::Always, BLOCK), Some(always));
    }
    for name in ["sparse", "hole", "dense", "zeros"] {
        assert_eq!(data(&scanned, name, Policy::Never, BLOCK), None);
    }
}

/// The file is longer than the unit of work of a thread.
#[test]
fn long_files_are_searched_in_units() {
    let len = 3 * UNIT + 5000;
    let mut bytes = vec![1; usize::try_from(len).expect("small")];
    let zeros = [UNIT - BLOCK..UNIT + BLOCK, CHUNK + 5..CHUNK + BLOCK + 5, 2 * UNIT..2 * UNIT + BLOCK];
    let index = |at: u64| usize::try_from(at).expect("small");
    for zeros in zeros {
        bytes[index(zeros.start)..index(zeros.end)].fill(0);
    }
    let tree = tree(vec![("f", Blob::from(bytes))]);
    let expected = [0..UNIT - BLOCK, UNIT + BLOCK..2 * UNIT, 2 * UNIT + BLOCK..len];
    assert_eq!(data(&tree, "f", Policy::Always, BLOCK).as_deref(), Some(&expected[..]));
}

#[test]
fn archive_members_have_holes_by_their_bytes() {
    let pieces: [(u64, &[u8]); 5] =
        [(10, b"a"), (4095, b"b"), (4096, b"\0\0"), (8191, b"\0c\0"), (1 << 50, b"d")];
    let files = tree(vec![("f", member((1 << 50) + 1, &pieces)), ("dense", member(3, &[(1, b"x")]))]);
    let expected = [0..4096, 8192..12_288, 1 << 50..(1 << 50) + 1];
    assert_eq!(data(&files, "f", Policy::Auto, BLOCK).as_deref(), Some(&expected[..]));
    assert_eq!(data(&files, "dense", Policy::Auto, BLOCK), None, "there is no block of zeros");
}

#[test]
fn searches_a_million_one_byte_extents() {
    let pieces: Vec<(u64, &[u8])> = (0..1_000_000).map(|at| (at * 3 * BLOCK, &b"x"[..])).collect();
    let tree = tree(vec![("f", member(1 << 40, &pieces))]);
    let found = data(&tree, "f", Policy::Auto, BLOCK).expect("it has holes");
    assert!(found.into_iter().eq(pieces.iter().map(|(at, _)| *at..at + BLOCK)));
}

#[test]
fn holes_written_as_zeros_are_limited() {
    let files = tree(vec![("a", member(1000, &[])), ("b", member(24, &[(5, b"x")]))]);
    zeros::check(&files, &zeros::Options { max: 1024, reason: "" }).expect("as many as are allowed");
    let options = zeros::Options { max: 1023, reason: "an initramfs stores them" };
    let error = zeros::check(&files, &options).expect_err("one too many").to_string();
    assert_eq!(
        error,
        "the sparse files of its archives have 1024 bytes, holes included, and an initramfs stores them; \
         --max-size allows 1023"
    );
    let files = tree(vec![("a", member(u64::MAX, &[])), ("b", member(u64::MAX, &[]))]);
    let options = zeros::Options { max: u64::MAX - 1, reason: "" };
    zeros::check(&files, &options).expect_err("the sum does not overflow");
}

#[test]
fn a_signal_ends_the_search_and_changed_files_are_named() {
    let directory = tempfile::tempdir_in("/dev/shm").expect("a temporary directory");
    let path = directory.path().join("f");
    let file = File::create(&path).expect("a new file");
    file.set_len(1 << 30).expect("a hole");
    file.write_all_at(&[1; 5000], 5000).expect("room");
    let mut scanned =
        directory::read(directory.path(), &threads(1), &Interrupt::never()).expect("it can be scanned").tree;
    let interrupt = Interrupt::never();
    interrupt.set(15);
    let stopped =
        apply_policy(&mut scanned, Policy::Auto, BLOCK, &threads(2), &interrupt).expect_err("a signal came");
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
    file.set_len(5).expect("shorter");
    let changed = apply_policy(&mut scanned, Policy::Auto, BLOCK, &threads(2), &Interrupt::never());
    let changed = changed.expect_err("it changed");
    assert_eq!(changed.kind(), ErrorKind::BadInput);
    assert!(changed.to_string().contains("f: changed while it was read: size 1073741824"), "{changed}");
}
