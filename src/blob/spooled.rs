//! Unpacked bytes: in memory, and in an unnamed file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::content::CloneFile;

/// The memory for what all archives of a run unpack to, in bytes: 64 MiB.
pub(super) const MAX_MEMORY: u64 = 64 << 20;

/// The length of the pieces in which an archive takes memory, in bytes.
pub(super) const CHUNK: usize = 1 << 20;

/// The memory that is left for what the archives of a run unpack to. Clones share it.
#[derive(Clone, Debug)]
pub struct SpoolMemory(Arc<AtomicU64>);

impl SpoolMemory {
    /// Returns that many bytes, at most 64 MiB, rounded down to MiB.
    pub(crate) fn of(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes.min(MAX_MEMORY) / CHUNK as u64)))
    }

    /// Takes that many chunks. Returns false if there are fewer, and takes none then.
    fn take(&self, chunks: u64) -> bool {
        let less = |left: u64| left.checked_sub(chunks);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl Default for SpoolMemory {
    fn default() -> Self {
        Self::of(MAX_MEMORY)
    }
}

/// Chunks of memory, which are returned on drop.
#[derive(Debug)]
pub(super) struct Taken {
    memory: SpoolMemory,
    /// The number of chunks.
    count: u64,
    /// The chunks that hold bytes: the others are not allocated yet.
    chunks: Vec<Box<[u8]>>,
}

impl Taken {
    /// Returns no chunks of a memory.
    pub(super) fn none(memory: &SpoolMemory) -> Self {
        Self { memory: memory.clone(), count: 0, chunks: Vec::new() }
    }

    /// Takes chunks for bytes up to an address. Returns false if there is no memory for them.
    pub(super) fn reach(&mut self, end: u64) -> bool {
        let missing = end.div_ceil(CHUNK as u64).saturating_sub(self.count);
        let is_taken = end <= MAX_MEMORY && self.memory.take(missing);
        self.count += if is_taken { missing } else { 0 };
        is_taken
    }

    /// Returns the bytes of a chunk from an address on, which was taken.
    pub(super) fn chunk_at(&mut self, address: u64) -> io::Result<&mut [u8]> {
        let at = usize::try_from(address).map_err(io::Error::other)?;
        while self.chunks.len() <= at / CHUNK {
            self.chunks.push(vec![0; CHUNK].into());
        }
        Ok(&mut self.chunks[at / CHUNK][at % CHUNK..])
    }

    /// Returns the chunks, and leaves none.
    pub(super) fn replace(&mut self) -> Self {
        let none = Self::none(&self.memory);
        std::mem::replace(self, none)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.memory.0.fetch_add(self.count, Ordering::Relaxed);
    }
}

/// Unpacked bytes by their addresses.
#[derive(Debug)]
pub(super) struct Spooled {
    file: File,
    /// The path of the archive that they were unpacked from.
    pub(super) source: PathBuf,
    /// The number of the device that holds the file.
    device: u64,
    /// The bytes in memory, once the archive was unpacked.
    memory: OnceLock<Taken>,
}

impl Spooled {
    /// Returns an empty file for what is unpacked from `source`.
    pub(super) fn new(file: File, source: &Path) -> io::Result<Self> {
        let device = rustix::fs::fstat(&file)?.st_dev;
        Ok(Self { file, source: source.to_owned(), device, memory: OnceLock::new() })
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Sets the bytes in memory, once.
    pub(super) fn set_memory(&self, taken: Taken) {
        // OK to ignore: a spool is finished once.
        let _ = self.memory.set(taken);
    }

    /// Fills a buffer with the bytes at an address.
    pub(super) fn read_at(&self, buffer: &mut [u8], address: u64) -> io::Result<()> {
        if let Some(offset) = address.checked_sub(MAX_MEMORY) {
            return self.file.read_exact_at(buffer, offset);
        }
        let chunks = self.memory.get().map_or(&[][..], |taken| &taken.chunks[..]);
        let (mut at, mut rest) = (usize::try_from(address).map_err(io::Error::other)?, buffer);
        while !rest.is_empty() {
            let chunk = chunks.get(at / CHUNK).ok_or(io::ErrorKind::UnexpectedEof)?;
            let bytes = &chunk[at % CHUNK..];
            let (here, behind) = rest.split_at_mut(bytes.len().min(rest.len()));
            here.copy_from_slice(&bytes[..here.len()]);
            at += here.len();
            rest = behind;
        }
        Ok(())
    }

    /// Returns the offset in the file of an address; none in memory.
    pub(super) fn file_offset(address: u64) -> Option<u64> {
        address.checked_sub(MAX_MEMORY)
    }
}

impl CloneFile for Spooled {
    fn device(&self) -> u64 {
        self.device
    }

    fn host_path(&self) -> PathBuf {
        self.source.clone()
    }

    /// Nobody else can change the file.
    fn with_open_file(&self, borrower: &mut dyn FnMut(&File)) -> io::Result<()> {
        borrower(&self.file);
        Ok(())
    }
}
