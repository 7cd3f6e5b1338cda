//! The file of one entry.
//!
//! ```text
//! magic (16) │ key (32) │ compressed bytes │ note (8) │ their length (8) │ SHA-256 of all before (32)
//! ```
//!
//! The digest is at the end, so that an entry of any length can be written front to back.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use initramfs::codec::CompressedPiece;
use rustix::fs::{AtFlags, FileType};
use sha2::{Digest, Sha256};

use super::key::Key;
use crate::error::{Error, ErrorKind, Result};

/// The magic number at the start of an entry's file.
const MAGIC: [u8; 16] = *b"rootcast entry 1";

/// The lengths in bytes of the header and trailer around the compressed bytes.
const HEAD: usize = 48;
const TAIL: usize = 48;

/// The prefix of the names of unfinished entries.
pub(super) const HIDDEN: &str = ".new-";

/// The minimum disk space of a file, in bytes.
const BLOCK: u64 = 4096;

/// The disk space of an entry's file of `len` bytes.
pub(super) fn disk_space(len: u64) -> u64 {
    len.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX)
}

/// The number of bytes read at a time.
const SLICE_LEN: usize = 1 << 20;

/// An existing entry, not verified yet.
#[derive(Debug)]
pub(crate) struct Entry {
    file: File,
    key: Key,
    /// The number of compressed bytes.
    len: u64,
}

impl Entry {
    /// Returns the entry in a file; `None` if the file cannot be one.
    pub(super) fn open(file: File, key: &Key) -> Option<Self> {
        let stat = rustix::fs::fstat(&file).ok()?;
        let len = u64::try_from(stat.st_size).ok()?.checked_sub((HEAD + TAIL) as u64)?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        is_file.then_some(Self { file, key: *key, len })
    }

    /// Reads and verifies all the bytes.
    pub(super) fn read_whole(&self) -> io::Result<CompressedPiece> {
        let (mut head, mut tail) = ([0; HEAD], [0; TAIL]);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(usize::try_from(self.len).map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
        let mut file = &self.file;
        file.read_exact(&mut head)?;
        file.take(self.len).read_to_end(&mut bytes)?;
        file.read_exact(&mut tail)?;
        let (tail, found) = tail.split_at(TAIL - 32);
        let digest = Sha256::new().chain_update(head).chain_update(&bytes).chain_update(tail).finalize();
        if head != self.head() || found != digest.as_slice() {
            return Err(wrong());
        }
        Ok(CompressedPiece { bytes, note: self.note(tail)? })
    }

    /// Reads all of it once to verify its digest.
    pub(super) fn check(&self) -> Result<()> {
        self.read_slices(&mut |_| Ok(()))
    }

    /// Calls `sink` with the bytes, slice by slice.
    ///
    /// # Errors
    /// The errors of `sink`, or [`Verification`](ErrorKind::Verification) if the bytes differ from
    /// those that were verified.
    pub(crate) fn for_each_slice(&self, sink: &mut dyn FnMut(Vec<u8>) -> Result<()>) -> Result<()> {
        self.read_slices(sink)
    }

    fn read_slices(&self, sink: &mut dyn FnMut(Vec<u8>) -> Result<()>) -> Result<()> {
        let cannot = |error| Error::new(ErrorKind::Verification, Unusable { source: error });
        let read = |len: usize, offset: u64| {
            let mut bytes = vec![0; len];
            self.file.read_exact_at(&mut bytes, offset).map(|()| bytes)
        };
        let mut digest = Sha256::new();
        let head = read(HEAD, 0).map_err(cannot)?;
        digest.update(&head);
        let mut position = 0;
        while position < self.len {
            let len = usize::try_from(self.len - position).unwrap_or(SLICE_LEN).min(SLICE_LEN);
            let slice = read(len, HEAD as u64 + position).map_err(cannot)?;
            digest.update(&slice);
            position += len as u64;
            sink(slice)?;
        }
        let tail = read(TAIL, HEAD as u64 + position).map_err(cannot)?;
        digest.update(&tail[..16]);
        if head != self.head() || tail[16..] != *digest.finalize().as_slice() {
            return Err(cannot(wrong()));
        }
        self.note(&tail[..16]).map(|_| ()).map_err(cannot)
    }

    fn head(&self) -> [u8; HEAD] {
        head(&self.key)
    }

    /// Returns the note, after verifying the length that follows it.
    fn note(&self, tail: &[u8]) -> io::Result<u64> {
        let (note, len) = tail.split_first_chunk().ok_or_else(wrong)?;
        let len = u64::from_le_bytes(len.try_into().map_err(|_| wrong())?);
        if len == self.len { Ok(u64::from_le_bytes(*note)) } else { Err(wrong()) }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("an entry of the cache changed while it was read; run again without the cache")]
struct Unusable {
    source: io::Error,
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the entry is not what was written")
}

fn head(key: &Key) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..16].copy_from_slice(&MAGIC);
    head[16..].copy_from_slice(key.as_bytes());
    head
}

/// An entry that is being written, under a hidden name which is removed on drop.
#[derive(Debug)]
pub(crate) struct NewEntry<'c> {
    directory: BorrowedFd<'c>,
    file: File,
    hidden: String,
    name: String,
    digest: Sha256,
    len: u64,
    /// The first error, after which the entry is discarded.
    failed: io::Result<()>,
    published: bool,
}

impl<'c> NewEntry<'c> {
    /// Returns an empty entry, whose file has a hidden name, and is to have another one.
    pub(super) fn new(
        directory: &'c impl AsFd,
        file: File,
        (hidden, name): (String, String),
        key: &Key,
    ) -> Self {
        let digest = Sha256::new();
        let directory = directory.as_fd();
        let mut entry =
            Self { directory, file, hidden, name, digest, len: 0, failed: Ok(()), published: false };
        entry.put(&head(key));
        entry
    }

    /// Appends compressed bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.put(bytes);
    }

    /// Completes the entry and renames it, and returns the length of its file.
    pub(super) fn finish(mut self, note: u64) -> io::Result<u64> {
        self.put(&note.to_le_bytes());
        self.put(&self.len.to_le_bytes());
        let digest = self.digest.clone().finalize();
        self.put(digest.as_slice());
        std::mem::replace(&mut self.failed, Ok(()))?;
        rustix::fs::renameat(self.directory, &self.hidden, self.directory, &self.name)?;
        self.published = true;
        Ok(self.len + (HEAD + TAIL) as u64)
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.failed.is_ok() {
            self.digest.update(bytes);
            self.failed = self.file.write_all(bytes);
        }
    }
}

impl Drop for NewEntry<'_> {
    fn drop(&mut self) {
        if !self.published {
            // A leftover is removed once it is old.
            let _ = rustix::fs::unlinkat(self.directory, &self.hidden, AtFlags::empty());
        }
    }
}
