//! The peer `limit`: the cost of reading and writing only the content.
//!
//! Two threads list the directories, open and read every regular file, gather the content in
//! buffers of 1 MiB, and write each full buffer to the next free offset of one sparse file. Every
//! file starts at a multiple of 4096 bytes and its last block is padded with zeros, since an image
//! with blocks of 4096 bytes has the same size.
//!
//! Listing, opening and one fstat for each file are included, since every tool needs them. Not
//! included is everything else in a filesystem: order, owners, modes, times, extended attributes,
//! link targets, checksums, placement. The output cannot be read back. A file with several names is
//! copied once. Zeros are copied like other bytes, so a tool that leaves them out can be faster
//! than the limit, and so can one with more than two threads on a larger machine, or one that
//! clones ranges.
//!
//! The time that rootcast takes beyond it is in `docs/performance.md`, section "The limit of
//! `compare`".

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// Copies the content of all files below `tree` to `out`.
pub(crate) fn copy(tree: &Path, out: &Path) -> Result<()> {
    let output = File::create(out).with_context(|| out.display().to_string())?;
    let shared = Shared {
        queue: Mutex::new(Queue { work: vec![Work::Directory(tree.to_owned())], busy: 0 }),
        changed: Condvar::new(),
        linked: Mutex::new(HashSet::new()),
        output: &output,
        next_free: AtomicU64::new(0),
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| shared.work())).collect();
        // OK to unwrap: a thread that panicked has already printed its message.
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())
    })
}

/// Fixed by the definition of the limit, on every machine.
const THREADS: usize = 2;
/// The size of a buffer in bytes.
const BUFFER: usize = 1 << 20;
const BLOCK: usize = 4096;
/// The length in bytes of the pieces into which longer files are split, so that both threads work
/// on them.
const PIECE: u64 = 16 << 20;
/// The number of files handed over at once: few enough that two threads share one large directory.
const BATCH: usize = 64;

enum Work {
    Directory(PathBuf),
    Files { directory: Arc<OwnedFd>, path: Arc<Path>, names: Vec<CString> },
    Piece { path: PathBuf, offset: u64, len: u64 },
}

struct Queue {
    /// Last in, first out: the files of one directory are processed before the next directory,
    /// which bounds the number of open descriptors.
    work: Vec<Work>,
    /// The number of threads that may still add work.
    busy: usize,
}

struct Shared<'a> {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Files with several names that were already copied, by device and inode number.
    linked: Mutex<HashSet<(u64, u64)>>,
    output: &'a File,
    next_free: AtomicU64,
}

impl Shared<'_> {
    fn work(&self) -> Result<()> {
        let mut gather = Gather { shared: self, buffer: vec![0; BUFFER], filled: 0 };
        while let Some(work) = self.next() {
            let outcome = gather.carry_out(work);
            let mut queue = lock(&self.queue);
            queue.busy -= 1;
            if outcome.is_err() {
                queue.work.clear();
            }
            self.changed.notify_all();
            outcome?;
        }
        gather.flush()
    }

    /// Returns the next work, or `None` if there is none and no thread can add any.
    fn next(&self) -> Option<Work> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(work) = queue.work.pop() {
                queue.busy += 1;
                return Some(work);
            }
            if queue.busy == 0 {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add(&self, work: impl IntoIterator<Item = Work>) {
        lock(&self.queue).work.extend(work);
        self.changed.notify_all();
    }

    fn list(&self, path: &Path) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = Arc::new(rustix::fs::open(path, flags, Mode::empty())?);
        let shared_path: Arc<Path> = path.into();
        let hand_over = |names: &mut Vec<CString>| {
            let (directory, path) = (Arc::clone(&directory), Arc::clone(&shared_path));
            self.add([Work::Files { directory, path, names: std::mem::take(names) }]);
        };
        let mut names = Vec::new();
        let mut directories = Vec::new();
        for entry in Dir::read_from(&*directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let file_type = match entry.file_type() {
                FileType::Unknown => {
                    let stat = rustix::fs::statat(&*directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                known => known,
            };
            match file_type {
                FileType::Directory if name != c"." && name != c".." => {
                    directories.push(Work::Directory(join(path, name)));
                }
                FileType::RegularFile => names.push(name.to_owned()),
                _ => {}
            }
            if names.len() == BATCH {
                hand_over(&mut names);
            }
        }
        self.add(directories);
        hand_over(&mut names);
        Ok(())
    }
}

struct Gather<'a> {
    shared: &'a Shared<'a>,
    buffer: Vec<u8>,
    filled: usize,
}

impl Gather<'_> {
    fn carry_out(&mut self, work: Work) -> Result<()> {
        match work {
            Work::Directory(path) => self.shared.list(&path).with_context(|| path.display().to_string()),
            Work::Files { directory, path, names } => names.iter().try_for_each(|name| {
                self.file(&directory, &path, name).with_context(|| join(&path, name).display().to_string())
            }),
            Work::Piece { path, offset, len } => {
                let file = File::open(&path).with_context(|| path.display().to_string())?;
                self.take(&file.into(), offset, len).with_context(|| path.display().to_string())
            }
        }
    }

    fn file(&mut self, directory: &OwnedFd, path: &Path, name: &CStr) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if stat.st_nlink > 1 && !lock(&self.shared.linked).insert((stat.st_dev, stat.st_ino)) {
            return Ok(());
        }
        let len = u64::try_from(stat.st_size)?;
        if len <= PIECE {
            return self.take(&file, 0, len);
        }
        let piece = |index| {
            let offset = index * PIECE;
            Work::Piece { path: join(path, name), offset, len: PIECE.min(len - offset) }
        };
        self.shared.add((0..len.div_ceil(PIECE)).map(piece));
        Ok(())
    }

    /// Gathers a range of `file`, and zeros up to the end of its last block.
    fn take(&mut self, file: &OwnedFd, offset: u64, len: u64) -> Result<()> {
        let end = offset + len;
        let mut offset = offset;
        while offset < end {
            if self.filled == BUFFER {
                self.flush()?;
            }
            let room = &mut self.buffer[self.filled..];
            let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX).min(room.len());
            let read = rustix::io::pread(file, &mut room[..wanted], offset)?;
            if read == 0 {
                bail!("ends at byte {offset}, but was longer when it was opened");
            }
            self.filled += read;
            offset += u64::try_from(read)?;
        }
        let padded = self.filled.next_multiple_of(BLOCK);
        self.buffer[self.filled..padded].fill(0);
        self.filled = padded;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let full = &self.buffer[..std::mem::take(&mut self.filled)];
        let place = self.shared.next_free.fetch_add(u64::try_from(full.len())?, Ordering::Relaxed);
        Ok(self.shared.output.write_all_at(full, place)?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn join(path: &Path, name: &CStr) -> PathBuf {
    path.join(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(bytes: &[u8]) -> Vec<Vec<u8>> {
        let pad = |block: &[u8]| [block, &[0; BLOCK][block.len()..]].concat();
        bytes.chunks(BLOCK).map(pad).collect()
    }

    /// Returns bytes that differ from block to block, so that a lost or duplicated block is
    /// detected.
    fn content(seed: usize, len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from((seed * 31 + at / BLOCK * 7 + at) % 251).unwrap() + 1).collect()
    }

    #[test]
    fn every_block_is_copied_once() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("tree");
        let piece = usize::try_from(PIECE).unwrap();
        let mut expected = Vec::new();
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        // Around the sizes at which a file ends a block, a buffer and a piece.
        let sizes =
            [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, BUFFER, BUFFER + 1, piece, piece + 1, 2 * piece + 5000];
        for (index, size) in sizes.into_iter().chain([100; 3 * BATCH]).enumerate() {
            let path = tree.join(["a", "a/b", "."][index % 3]).join(format!("file-{index}"));
            let bytes = content(index, size);
            expected.extend(blocks(&bytes));
            std::fs::write(path, bytes).unwrap();
        }
        std::fs::hard_link(tree.join("a/b/file-1"), tree.join("another-name")).unwrap();
        std::os::unix::fs::symlink("a", tree.join("symlink")).unwrap();
        let out = scratch.path().join("out");
        copy(&tree, &out).unwrap();

        let mut copied = blocks(&std::fs::read(&out).unwrap());
        copied.sort();
        expected.sort();
        assert!(copied == expected, "{} blocks copied, {} expected", copied.len(), expected.len());
    }

    #[test]
    fn a_missing_tree_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let error = copy(&scratch.path().join("none"), &scratch.path().join("out")).unwrap_err();
        assert!(error.to_string().contains("none"), "{error:#}");
    }
}
