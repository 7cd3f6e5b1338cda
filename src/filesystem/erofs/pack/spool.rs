//! The unnamed file of compressed bytes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::blob::{self, ArchiveRange, Blob, SpoolMemory};
use crate::error::{Error, ErrorKind, Result};
use crate::shown;

/// An unnamed temporary file, to which several threads append.
pub(super) struct Spool {
    file: Mutex<blob::Spool>,
    directory: PathBuf,
}

impl Spool {
    /// Creates a spool in a directory, or in the one for temporary files.
    pub(super) fn new(directory: Option<&Path>) -> Result<Self> {
        let directory = directory.map_or_else(std::env::temp_dir, Path::to_owned);
        let source = Path::new("compressed files");
        let file = blob::Spool::create(source, Some(&directory), &SpoolMemory::of(0))
            .map_err(|error| cannot_store(&directory, &error))?;
        Ok(Self { file: Mutex::new(file), directory })
    }

    /// Appends bytes, and returns them as a content, which can be read once the spool is finished.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<Blob> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let address = file.end_of_file();
        file.append(bytes).map_err(|error| cannot_store(&self.directory, &error))?;
        Ok(Blob::Range(ArchiveRange::new(Arc::clone(file.archive()), address, bytes.len() as u64)))
    }

    /// Ends the spool.
    pub(super) fn finish(&self) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.finish().map_err(|error| cannot_store(&self.directory, &error))
    }
}

fn cannot_store(directory: &Path, error: &io::Error) -> Error {
    let message = format!(
        "compressed files cannot be kept in a temporary file in {}: {error}; TMPDIR names another directory",
        shown::path(directory)
    );
    Error::new(ErrorKind::Io, message)
}

#[cfg(test)]
mod tests {
    use image_tree::Content;

    use super::*;

    #[test]
    fn bytes_are_found_where_they_were_put() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let spool = Spool::new(Some(directory.path())).expect("a new file");
        let contents =
            [vec![1; 10], vec![0; 5000], vec![2]].map(|bytes| (spool.put(&bytes).expect("room"), bytes));
        spool.finish().expect("room");
        for (content, bytes) in contents {
            let mut found = vec![9; bytes.len()];
            content.read_at(&mut found, 0).expect("it is there");
            assert_eq!(found, bytes);
        }
        assert_eq!(directory.path().read_dir().expect("a directory").count(), 0, "it has no name");
    }

    #[test]
    fn a_directory_without_room_is_named() {
        let error = Spool::new(Some(Path::new("/proc/self"))).map(|_| ()).expect_err("no files there");
        let message = error.to_string();
        assert!(
            message.contains("in /proc/self: ") && message.ends_with("TMPDIR names another directory"),
            "{message}"
        );
    }
}
