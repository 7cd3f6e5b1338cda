//! The bytes that are unpacked from an archive: in memory while there is room, else in an unnamed
//! file.
//!
//! ```text
//! addresses    0 ────── memory, 1 MiB at a time ──────── 64 MiB ────── the file, from its start ───▶
//! contents     a │ b │ c                                 │ d … │ (multiple of 4096) e … │ f
//! ```
//!
//! Each content is as a whole in one of them, so that a clone has all of its blocks. All archives of
//! a run take their memory from one [`SpoolMemory`].

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::archive::Archive;
use super::spooled::{MAX_MEMORY, SpoolMemory, Spooled, Taken};
use crate::zeros::is_zero;

/// The length from which on contents begin at a multiple of [`ALIGN`] in the file, in bytes: a
/// filesystem can share their blocks then.
const ALIGNED_FROM: u64 = 32 << 10;

/// The block size of most filesystems, in bytes.
const ALIGN: u64 = 4096;

/// The unit in which the file has holes, in bytes.
const BLOCK: usize = 4096;

/// The most bytes that are written to the file at once.
const WRITE: usize = 1 << 18;

/// The bytes that are being unpacked from an archive.
#[derive(Debug)]
pub(crate) struct Spool {
    archive: Arc<Archive>,
    taken: Taken,
    /// The bytes in memory.
    in_memory: u64,
    /// The bytes in the file, and those to be written to it.
    in_file: u64,
    /// The bytes at the end of the file that were not written yet.
    pending: Vec<u8>,
}

impl Spool {
    /// Returns an empty spool in memory and in a file, for what is unpacked from `source`.
    pub(crate) fn new(file: File, source: &Path, memory: &SpoolMemory) -> io::Result<Self> {
        let archive = Arc::new(Archive::spooled(Spooled::new(file, source)?));
        Ok(Self { archive, taken: Taken::none(memory), in_memory: 0, in_file: 0, pending: Vec::new() })
    }

    /// Returns an empty spool in memory and in a new unnamed file in a directory, or in the one for
    /// temporary files.
    pub(crate) fn create(source: &Path, directory: Option<&Path>, memory: &SpoolMemory) -> io::Result<Self> {
        let file = match directory {
            Some(directory) => tempfile::tempfile_in(directory)?,
            None => tempfile::tempfile()?,
        };
        Self::new(file, source, memory)
    }

    /// The archive of what is unpacked, which can be read once it is [finished](Self::finish).
    pub(crate) fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// Begins a content of `len` bytes, and returns its address.
    pub(crate) fn begin(&mut self, len: u64) -> u64 {
        let end = self.in_memory.saturating_add(len);
        if self.taken.reach(end) {
            return std::mem::replace(&mut self.in_memory, end);
        }
        let aligned = self.in_file.checked_next_multiple_of(ALIGN).filter(|_| len >= ALIGNED_FROM);
        MAX_MEMORY.saturating_add(aligned.unwrap_or(self.in_file))
    }

    /// The address of the next byte of the file.
    pub(crate) fn end_of_file(&self) -> u64 {
        MAX_MEMORY.saturating_add(self.in_file)
    }

    /// Returns a buffer of zeros for the bytes at an address: `len` of them or fewer, and at least
    /// one. Addresses increase, and are within contents that were begun.
    pub(crate) fn buffer(&mut self, address: u64, len: u64) -> io::Result<&mut [u8]> {
        let wanted = |most: usize| usize::try_from(len).unwrap_or(most).min(most);
        let Some(offset) = Spooled::file_offset(address) else {
            let chunk = self.taken.chunk_at(address)?;
            let count = wanted(chunk.len());
            return Ok(&mut chunk[..count]);
        };
        let gap = usize::try_from(offset.saturating_sub(self.in_file)).map_err(io::Error::other)?;
        if self.pending.len().saturating_add(gap) >= WRITE {
            self.flush()?;
        }
        let start = self.pending.len() + gap;
        let count = wanted(WRITE.saturating_sub(start).max(1));
        self.pending.resize(start + count, 0);
        self.in_file = offset.saturating_add(count as u64);
        Ok(&mut self.pending[start..])
    }

    /// Stores bytes at the end of the file.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let buffer = self.buffer(self.end_of_file(), rest.len() as u64)?;
            let (here, behind) = rest.split_at(buffer.len().min(rest.len()));
            buffer[..here.len()].copy_from_slice(here);
            rest = behind;
        }
        Ok(())
    }

    /// Ends the spool, so that its bytes can be read.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        let Some(spooled) = self.archive.as_spooled() else { return Ok(()) };
        spooled.file().set_len(self.in_file)?;
        spooled.set_memory(self.taken.replace());
        Ok(())
    }

    /// Writes the pending bytes. Blocks of zeros are not written, since a hole reads as zeros: an
    /// archive that unpacks to terabytes of them takes no room.
    fn flush(&mut self) -> io::Result<()> {
        let Some(spooled) = self.archive.as_spooled() else { return Ok(()) };
        let start = self.in_file.saturating_sub(self.pending.len() as u64);
        let into_block = usize::try_from(start % ALIGN).map_err(io::Error::other)?;
        let (mut at, mut data) = (0, 0..0);
        let write = |data: std::ops::Range<usize>| {
            spooled.file().write_all_at(&self.pending[data.clone()], start + data.start as u64)
        };
        while at < self.pending.len() {
            let end = self.pending.len().min(at + BLOCK - (at + into_block) % BLOCK);
            if is_zero(&self.pending[at..end]) {
                write(std::mem::replace(&mut data, end..end))?;
            } else {
                data.end = end;
            }
            at = end;
        }
        write(data)?;
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use image_tree::Content as _;

    use super::super::archive::ArchiveRange;
    use super::super::spooled::CHUNK;
    use super::super::{Blob, CloneSource as _};
    use super::*;

    /// Stores contents, and returns their ranges.
    fn stored(spool: &mut Spool, contents: &[Vec<u8>]) -> Vec<ArchiveRange> {
        let mut ranges = Vec::new();
        for content in contents {
            let address = spool.begin(content.len() as u64);
            let mut done = 0;
            while done < content.len() {
                let buffer =
                    spool.buffer(address + done as u64, (content.len() - done) as u64).expect("room");
                buffer.copy_from_slice(&content[done..][..buffer.len()]);
                done += buffer.len();
            }
            ranges.push(ArchiveRange::new(Arc::clone(spool.archive()), address, content.len() as u64));
        }
        spool.finish().expect("room");
        ranges
    }

    fn check(ranges: &[ArchiveRange], contents: &[Vec<u8>]) {
        for (range, content) in ranges.iter().zip(contents) {
            let mut found = vec![9; content.len()];
            range.read_at(&mut found, 0).expect("it was stored");
            assert!(found == *content, "{} bytes", content.len());
        }
    }

    fn spool(memory: &SpoolMemory) -> Spool {
        Spool::create(Path::new("x"), None, memory).expect("a temporary file")
    }

    /// Returns true for a content in memory.
    fn is_in_memory(range: &ArchiveRange) -> bool {
        Blob::Range(range.clone()).file(0).is_none()
    }

    fn contents() -> Vec<Vec<u8>> {
        let zeros = |len| vec![0; len];
        vec![
            vec![1; 100],
            [vec![2; 100], zeros(20_000), vec![3; 100], zeros(9000)].concat(),
            vec![4; CHUNK + 7],
            zeros(70_000),
            vec![5; 1],
            [zeros(1), vec![6; 600_000]].concat(),
        ]
    }

    #[test]
    fn what_is_stored_is_read_from_memory_and_from_the_file() {
        for memory in [0, 1 << 20, 2 << 20, 3 << 20, MAX_MEMORY] {
            let contents = contents();
            let ranges = stored(&mut spool(&SpoolMemory::of(memory)), &contents);
            check(&ranges, &contents);
            let in_memory = ranges.iter().filter(|range| is_in_memory(range)).count();
            let expected = match memory >> 20 {
                0 => 0,
                // Without the one that is longer, and what no longer fits behind the others.
                1 => 5,
                _ => 6,
            };
            assert_eq!(in_memory, expected, "{memory}");
        }
    }

    #[test]
    fn archives_share_the_memory_and_return_it() {
        let memory = SpoolMemory::of(3 << 20);
        let contents = vec![vec![1; 2 * CHUNK]];
        let (first, second) =
            (stored(&mut spool(&memory), &contents), stored(&mut spool(&memory), &contents));
        assert!(is_in_memory(&first[0]) && !is_in_memory(&second[0]));
        check(&first, &contents);
        check(&second, &contents);
        drop(first);
        assert!(is_in_memory(&stored(&mut spool(&memory), &contents)[0]));
        // One that was not finished returns it as well.
        let mut broken_off = spool(&memory);
        assert!(Spooled::file_offset(broken_off.begin(3 << 20)).is_none());
        assert!(Spooled::file_offset(spool(&memory).begin(1)).is_some());
        drop(broken_off);
        assert!(Spooled::file_offset(spool(&memory).begin(3 << 20)).is_none());
        assert!(Spooled::file_offset(spool(&SpoolMemory::of(u64::MAX)).begin(MAX_MEMORY + 1)).is_some());
    }

    #[test]
    fn long_contents_of_the_file_begin_at_blocks() {
        let contents = vec![vec![1; 7], vec![2; 32 << 10], vec![3; 5], vec![4; (32 << 10) - 1]];
        let ranges = stored(&mut spool(&SpoolMemory::of(0)), &contents);
        let offsets: Vec<u64> = ranges
            .iter()
            .map(|range| Blob::Range(range.clone()).file(0).map(|(_, offset)| offset).expect("in the file"))
            .collect();
        assert_eq!(offsets, [0, 4096, 36_864, 36_869]);
        assert_eq!(Blob::Range(ranges[1].clone()).file(4096).map(|(_, offset)| offset), Some(8192));
    }

    #[test]
    fn blocks_of_zeros_are_holes() {
        let contents = vec![vec![1; 4096], vec![0; 40 << 20], vec![2; 4096]];
        let mut spool = spool(&SpoolMemory::of(0));
        let ranges = stored(&mut spool, &contents);
        check(&ranges[..1], &contents);
        check(&ranges[2..], &contents[2..]);
        let spooled = spool.archive().as_spooled().expect("it is one");
        let stat = rustix::fs::fstat(spooled.file()).expect("it is open");
        assert_eq!(stat.st_size, (40 << 20) + 8192);
        assert!(stat.st_blocks * 512 < 1 << 20, "{} blocks", stat.st_blocks);
    }

    #[test]
    fn bytes_in_memory_are_not_read_before_the_end() {
        let mut spool = spool(&SpoolMemory::default());
        let address = spool.begin(1);
        spool.buffer(address, 1).expect("room")[0] = 7;
        let range = ArchiveRange::new(Arc::clone(spool.archive()), address, 1);
        assert!(range.read_at(&mut [0], 0).is_err());
        spool.finish().expect("room");
        check(&[range], &[vec![7]]);
    }
}
