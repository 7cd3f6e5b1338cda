//! A file whose name is known once it is complete, such as a blob that is named by its digest.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::interrupt::Cleanups;
use crate::output::destination::FilePlace;

/// A new file in a directory, without a name. It leaves nothing if it is dropped.
pub struct BlobFile {
    file: AtomicFile,
}

impl BlobFile {
    /// Creates an empty file. Its mode is 0666 without the umask.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if no file can be created in the directory, which the
    /// error names.
    pub fn create(directory: &Path, cleanups: &Cleanups) -> Result<Self> {
        let place = Arc::new(FilePlace::unknown_name(directory)?);
        Ok(Self { file: AtomicFile::create(&place, cleanups)? })
    }

    /// The file to write to.
    #[must_use]
    pub fn file(&self) -> &File {
        self.file.file()
    }

    /// Gives the file its name in a directory, replacing an existing file. The directory is that in
    /// which it was created, or another one of the same filesystem.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io); there is no new file then, and an existing one is
    /// unchanged.
    pub fn publish(self, directory: &Path, name: &str) -> Result<()> {
        let path = directory.join(name);
        // System calls take an absolute path whatever the directory they are given.
        let absolute = std::path::absolute(&path);
        absolute
            .and_then(|absolute| self.file.publish_as(absolute.as_os_str()))
            .map_err(|error| Error::io(path, error))
    }
}
