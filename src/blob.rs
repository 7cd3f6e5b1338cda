//! The location of a regular file's bytes: a file of the host, an archive, or memory.

pub(crate) mod archive;
mod chunk;
mod content;
mod data_ranges;
mod directory;
mod host_file;
mod identity;
mod read_ahead;
mod root;
mod spool;
mod spooled;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use image_tree::Content;

pub use crate::error::{Change, ChangedWhileRead, classify_read_error};
pub use archive::{Archive, ArchiveRange, Sparse};
pub(crate) use chunk::{CHUNK, chunks, read_chunks};
pub use content::{Certainty, CloneFile, CloneSource, Identified, ReadAhead};
pub(crate) use directory::HostDirectory;
pub use host_file::HostFile;
pub(crate) use identity::{Identity, file_blocks, file_size};
pub(crate) use root::Root;
pub(crate) use spool::Spool;
pub use spooled::SpoolMemory;

/// The bytes of one regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// A file of the host.
    Host(HostFile),
    /// A range of an archive.
    Range(ArchiveRange),
    /// Ranges of an archive with holes between them.
    Sparse(Arc<Sparse<ArchiveRange>>),
    /// Bytes in memory.
    Memory(Arc<[u8]>),
    /// Any of the others, with a map of its data ranges.
    Mapped(Arc<Mapped>),
}

/// A file with a map of its data ranges.
#[derive(Debug, PartialEq, Eq)]
pub struct Mapped {
    content: Blob,
    /// The data ranges, in order. All other bytes are zeros.
    data: Box<[Range<u64>]>,
}

impl Mapped {
    /// Returns a file with a map; all bytes outside of `data` are zeros.
    pub(super) fn new(content: Blob, data: Vec<Range<u64>>) -> Self {
        Self { content, data: data.into() }
    }

    /// The file itself.
    #[must_use]
    pub fn content(&self) -> &Blob {
        &self.content
    }

    /// Same as [`image_tree::Content::data_ranges`].
    #[must_use]
    pub fn data(&self) -> &[Range<u64>] {
        &self.data
    }
}

impl Blob {
    /// Returns a file by its name in a directory. `blocks` is its number of allocated 512-byte
    /// blocks.
    pub(crate) fn host(
        directory: Arc<HostDirectory>,
        name: Box<[u8]>,
        size: u64,
        blocks: u64,
        identity: Identity,
    ) -> Self {
        // The heuristic of cp(1). Compression also gives a file few blocks; lseek(2) decides later.
        let sparse = blocks < size / 512;
        Self::Host(HostFile { directory, name, size, identity, sparse })
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}

impl Content for Blob {
    fn len(&self) -> u64 {
        match self {
            Blob::Host(file) => file.size,
            Blob::Range(range) => range.len(),
            Blob::Sparse(sparse) => sparse.len(),
            Blob::Memory(bytes) => bytes.len() as u64,
            Blob::Mapped(mapped) => mapped.content().len(),
        }
    }

    /// Reads memory, or opens the host's file, reads it, compares it with its state at the scan,
    /// and closes it again: four system calls, so that small files cost little and no number of
    /// files needs more descriptors than threads. An archive stays open, and is compared in the
    /// same way.
    ///
    /// # Errors
    /// [`ChangedWhileRead`], or the system error with the path of the file on the host.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Blob::Host(file) => file.read_at(buffer, offset),
            Blob::Range(range) => range.read_at(buffer, offset),
            Blob::Sparse(sparse) => sparse.read_at(buffer, offset),
            Blob::Memory(bytes) => bytes.read_at(buffer, offset),
            Blob::Mapped(mapped) => mapped.content().read_at(buffer, offset),
        }
    }

    /// The ranges of the map, or else those of the map in an archive.
    fn data_ranges(&self) -> Option<&[Range<u64>]> {
        match self {
            Blob::Mapped(mapped) => Some(mapped.data()),
            Blob::Sparse(sparse) => Some(sparse.data()),
            Blob::Host(_) | Blob::Range(_) | Blob::Memory(_) => None,
        }
    }
}

impl CloneSource for Blob {
    /// The host's file, or the unnamed file with what was unpacked. Other archives are excluded, see
    /// `output::clone_range`.
    fn file(&self, offset: u64) -> Option<(&dyn CloneFile, u64)> {
        match self.unmapped() {
            Blob::Host(file) => Some((file, offset)),
            Blob::Range(range) => range.in_file(offset).map(|(file, offset)| (file as _, offset)),
            _ => None,
        }
    }
}

impl Identified for Blob {
    /// Identifies bytes of a verified layer by its digest and the place in it, and bytes in memory by
    /// themselves. Files of the host have no identity, see `cache`.
    fn identify(&self, sink: &mut dyn FnMut(&[u8])) -> Certainty {
        match self {
            Blob::Host(_) => Certainty::Unknown,
            Blob::Range(range) => {
                sink(b"range");
                range.identify(sink)
            }
            Blob::Sparse(sparse) => {
                sink(b"holes");
                let (stored, numbers) = sparse.parts();
                sink(&(sparse.data().len() as u64).to_le_bytes());
                numbers.for_each(|number| sink(&number.to_le_bytes()));
                stored.identify(sink)
            }
            Blob::Memory(bytes) => {
                sink(b"bytes");
                sink(&(bytes.len() as u64).to_le_bytes());
                sink(bytes);
                Certainty::Certain
            }
            Blob::Mapped(mapped) => mapped.content().identify(sink),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use rustix::fs::OFlags;

    use super::*;
    use crate::error::{Error, ErrorKind};

    /// Returns a file with its state at a scan.
    pub(super) fn scanned(directory: &Path, name: &str) -> Blob {
        let root = Arc::new(Root::open_at(directory).expect("the test's directory"));
        let stat = rustix::fs::lstat(directory.join(name)).expect("the test's file");
        let (place, name) = HostDirectory::of_file(root, name.as_bytes());
        Blob::host(place, name.into(), file_size(&stat), file_blocks(&stat), Identity::of(&stat))
    }

    pub(super) fn read(blob: &Blob) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(blob.len()).expect("small")];
        blob.read_at(&mut bytes, 0).map(|()| bytes)
    }

    pub(super) fn change(blob: &Blob) -> Change {
        let error = read(blob).expect_err("the file changed");
        ChangedWhileRead::within(&error).unwrap_or_else(|| panic!("{error} is not a change")).change
    }

    fn directory_with_file() -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("f"), "0123456789").expect("a new file");
        directory
    }

    #[test]
    fn ranges_of_files_and_memory_are_read() {
        let directory = directory_with_file();
        for blob in [scanned(directory.path(), "f"), Blob::from(b"0123456789".to_vec())] {
            let mut buffer = [0; 4];
            blob.read_at(&mut buffer, 3).expect("it lies within");
            assert_eq!((&buffer, blob.len()), (b"3456", 10));
            assert_eq!(read(&blob).expect("all of it"), b"0123456789");
            blob.read_at(&mut buffer, 8).expect_err("it is partly beyond the end");
        }
        assert!(size_of::<Blob>() <= 120);
    }

    #[test]
    fn a_file_that_grew_or_shrank_is_reported() {
        let directory = directory_with_file();
        let blob = scanned(directory.path(), "f");
        fs::write(directory.path().join("f"), "0123456789ab").expect("longer");
        assert_eq!(change(&blob), Change::Size { scanned: 10, now: 12 });
        let message = read(&blob).expect_err("still").to_string();
        let path = directory.path().display();
        assert_eq!(message, format!("{path}/f: changed while it was read: size 10 when scanned, 12 now"));
        fs::write(directory.path().join("f"), "01").expect("shorter");
        assert_eq!(change(&blob), Change::Size { scanned: 10, now: 2 });
    }

    #[test]
    fn a_file_with_other_bytes_of_the_same_length_is_reported() {
        let directory = directory_with_file();
        let path = directory.path().join("f");
        let before = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
        let blob = scanned(directory.path(), "f");
        // File times may have a granularity of 10 ms.
        std::thread::sleep(std::time::Duration::from_millis(30));
        fs::write(&path, "9876543210").expect("as long");
        assert_eq!(change(&blob), Change::Modified);
        let file = fs::File::options().write(true).open(&path).expect("it is there");
        file.set_modified(before).expect("times can be set back");
        assert_eq!(change(&blob), Change::Inode);
    }

    #[test]
    fn a_file_of_another_type_is_reported() {
        let directory = directory_with_file();
        let path = directory.path().join("f");
        let blob = scanned(directory.path(), "f");
        fs::rename(&path, directory.path().join("g")).expect("moved away");
        assert_eq!(change(&blob), Change::Gone);
        std::os::unix::fs::symlink("g", &path).expect("the name is free");
        assert_eq!(change(&blob), Change::Replaced);
        fs::remove_file(&path).expect("the link");
        fs::create_dir(&path).expect("the name is free");
        assert_eq!(change(&blob), Change::Replaced);
        fs::remove_dir(&path).expect("it is empty");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).expect("the name is free");
        assert_eq!(change(&blob), Change::Replaced);
    }

    #[test]
    fn a_parent_directory_that_became_a_link_is_reported() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (d, moved) = (directory.path().join("d"), directory.path().join("moved"));
        fs::create_dir(&d).expect("new");
        fs::write(d.join("f"), "x").expect("new");
        let blob = scanned(directory.path(), "d/f");
        assert_eq!(read(&blob).expect("it is as it was"), b"x");
        fs::rename(&d, &moved).expect("moved away");
        std::os::unix::fs::symlink(&moved, &d).expect("the name is free");
        // This thread still has the directory open, whatever its name. Another thread meets the
        // link.
        assert_eq!(read(&blob).expect("it is as it was"), b"x");
        let elsewhere = std::thread::scope(|scope| scope.spawn(|| change(&blob)).join());
        assert_eq!(elsewhere.expect("no panic"), Change::Replaced);
    }

    #[test]
    fn paths_longer_than_path_max_are_read() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let name = "d".repeat(200);
        let mut at = Root::open_at(directory.path()).expect("the test's directory");
        let mut path = Vec::new();
        for _ in 0..40 {
            rustix::fs::mkdirat(at.fd(), &name, rustix::fs::Mode::RWXU).expect("a new directory");
            at = Root::open_in(&at, name.as_bytes()).expect("it was just made");
            path.extend_from_slice(name.as_bytes());
            path.push(b'/');
        }
        path.push(b'f');
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let file = rustix::fs::openat(at.fd(), "f", flags, rustix::fs::Mode::RUSR).expect("a new file");
        rustix::io::write(&file, b"deep").expect("room for four bytes");
        let stat = rustix::fs::fstat(&file).expect("it is open");
        assert!(path.len() > 8000);
        for openat2 in [true, false] {
            let root = Root::open_at(directory.path()).expect("the test's directory");
            root.set_openat2(openat2);
            let (place, name) = HostDirectory::of_file(Arc::new(root), &path);
            let blob = Blob::host(place, name.into(), 4, 8, Identity::of(&stat));
            assert_eq!(read(&blob).expect("depth does not matter"), b"deep");
        }
    }

    #[test]
    fn a_file_that_may_not_be_read_is_named() {
        if rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED a_file_that_may_not_be_read_is_named: root may read everything");
            return;
        }
        let directory = directory_with_file();
        let path = directory.path().join("f");
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).expect("it is ours");
        let error = read(&scanned(directory.path(), "f")).expect_err("it may not be read");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let error = Error::new(ErrorKind::Io, error).to_string();
        assert!(error.as_bytes().starts_with(path.as_os_str().as_bytes()), "{error}");
        assert!(error.contains("cannot be opened: Permission denied"), "{error}");
    }
}
