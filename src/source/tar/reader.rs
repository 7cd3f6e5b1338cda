//! Reads the members of an archive, and names the archive in their errors.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::budget::{Budget, Limits};
use super::decompress::{Compression, Decompressed};
use super::error::{Problem, TarError};
use super::input::{Failure, Input};
use super::members::{Entry, Members};
use crate::blob::{Archive, ChangedWhileRead};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::shown;

/// An archive whose members are to be read.
pub struct Reader<'a> {
    pub(super) members: Members<'a>,
    /// Its name in messages.
    name: PathBuf,
}

impl<'a> Reader<'a> {
    /// Creates a reader of an uncompressed archive, which is read in place; messages call it
    /// `name`. The file stays open as long as the tree's contents are in use, and must not change.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) if the file cannot be examined.
    pub fn file(file: File, name: &Path, limits: Limits, interrupt: &'a Interrupt) -> Result<Self> {
        let archive = Archive::host(file, name).map_err(|error| Error::io(name, error))?;
        Ok(Self::new(Input::in_place(archive, limits.max_size, interrupt), name, limits))
    }

    /// Creates a reader of an archive that comes through a pipe or is compressed; messages call it
    /// `name`. Contents are kept in an unnamed temporary file.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) if a temporary file cannot be created.
    pub fn stream(
        stream: impl Read + 'a,
        compression: Option<Compression>,
        name: &Path,
        limits: Limits,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let spool = Archive::spool(name).map_err(|error| cannot_keep(name, &error))?;
        let stream = Decompressed::new(stream, compression, limits.decoder_memory);
        Ok(Self::new(Input::stream(stream, spool, limits.max_size, interrupt), name, limits))
    }

    /// Creates a reader of an uncompressed archive in memory, which messages call `archive`.
    #[must_use]
    pub fn bytes(bytes: &[u8], limits: Limits, interrupt: &'a Interrupt) -> Self {
        let input = Input::in_place(Archive::memory(bytes.into()), limits.max_size, interrupt);
        Self::new(input, Path::new("archive"), limits)
    }

    fn new(input: Input<'a>, name: &Path, limits: Limits) -> Self {
        Self { members: Members::new(input, Budget::new(limits)), name: name.to_owned() }
    }

    /// Returns the next member; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>> {
        self.members.next().map_err(|located| {
            let offset = located.offset;
            match located.into_tar_error() {
                Ok(error) => Error::at(ErrorKind::BadInput, &self.name, error),
                Err(failure) => other_failure(failure, &self.name, offset),
            }
        })
    }

    /// Returns the error for a member that was read.
    pub(super) fn error(&self, offset: u64, path: &[u8], problem: impl Into<Problem>) -> Error {
        let error = TarError { offset, path: Some(path.to_vec()), problem: problem.into() };
        Error::at(ErrorKind::BadInput, &self.name, error)
    }
}

/// Returns the error for a failure that has another cause than the archive's structure.
fn other_failure(failure: Failure, name: &Path, offset: u64) -> Error {
    match failure {
        Failure::Interrupted(error) => error,
        Failure::Spool(error) => cannot_keep(name, &error),
        // The error names the file itself.
        Failure::Read(error) if ChangedWhileRead::within(&error).is_some() => {
            Error::new(ErrorKind::BadInput, error)
        }
        Failure::Read(error) => Error::io(name, error),
        Failure::Decode(error) => {
            let message = format!("offset {offset} of what it unpacks to: cannot be unpacked: {error}");
            Error::at(ErrorKind::BadInput, name, message)
        }
        Failure::Bad(problem) => Error::at(ErrorKind::BadInput, name, problem),
    }
}

fn cannot_keep(name: &Path, error: &std::io::Error) -> Error {
    let directory = std::env::temp_dir();
    let message = format!(
        "its contents cannot be kept in a temporary file in {}: {error}; TMPDIR names another directory",
        shown::path(&directory)
    );
    Error::at(ErrorKind::Io, name, message)
}
