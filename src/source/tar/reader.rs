//! Reads the members of an archive, and names the archive in their errors.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::budget::{Budget, Limits, Totals};
use super::decompress::{Compression, Decompressed};
use super::input::{Failure, Input, Trailing};
use super::members::{Entry, Members};
use crate::blob::{Archive, ArchiveRange, ChangedWhileRead, Spool, SpoolMemory};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::shown;

/// The place of what an archive unpacks to.
#[derive(Clone, Copy)]
pub(crate) struct SpoolPlace<'p> {
    /// The name of the archive in messages.
    pub(crate) name: &'p Path,
    /// The directory of the unnamed file; none for that of temporary files.
    pub(crate) directory: Option<&'p Path>,
    /// The memory to use before the file.
    pub(crate) memory: &'p SpoolMemory,
}

/// An archive whose members are to be read.
pub struct Reader<'a> {
    pub(super) members: Members<'a>,
    /// Its name in messages.
    pub(super) name: PathBuf,
    /// The directory of the file that contents are kept in, if it was given.
    spool: Option<PathBuf>,
    /// True if that file is one of the cache.
    is_cached: bool,
}

impl<'a> Reader<'a> {
    /// Creates a reader of an uncompressed archive, which is read in place; messages call it
    /// `name`. The file stays open as long as the tree's contents are in use, and must not change.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) if the file cannot be examined.
    pub fn file(file: File, name: &Path, limits: Limits, interrupt: &'a Interrupt) -> Result<Self> {
        let archive = Archive::host(file, name).map_err(|error| Error::io(name, error))?;
        let range = ArchiveRange::whole(Arc::new(archive));
        Ok(Self::new(Input::in_place(&range, limits.max_size, interrupt), name, limits))
    }

    /// Creates a reader of a layer that is not compressed, a range of an archive, which is read in
    /// place. Bytes behind its end are ignored.
    pub(crate) fn range(range: &ArchiveRange, name: &Path, limits: Limits, interrupt: &'a Interrupt) -> Self {
        Self::part(range, name, limits, interrupt).of_layer()
    }

    /// Creates a reader of the files of a package that are not compressed, a range of an archive,
    /// which is read in place.
    pub(crate) fn part(range: &ArchiveRange, name: &Path, limits: Limits, interrupt: &'a Interrupt) -> Self {
        Self::new(Input::in_place(range, limits.max_size, interrupt), name, limits)
    }

    /// Creates a reader of an archive that comes through a pipe or is compressed. Contents are kept in
    /// memory as far as there is some, and in an unnamed file in the directory of the place, or in
    /// that for temporary files.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) if the file cannot be created.
    pub(crate) fn spooled(
        stream: impl Read + 'a,
        compression: Option<Compression>,
        SpoolPlace { name, directory: spool, memory }: SpoolPlace<'_>,
        limits: Limits,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let file = Spool::create(name, spool, memory).map_err(|error| cannot_spool(name, spool, &error))?;
        let stream = Decompressed::new(stream, compression, limits.decoder_memory);
        let input = Input::stream(stream, file, limits.max_size, interrupt);
        let mut reader = Self::new(input, name, limits);
        reader.spool = spool.map(Path::to_owned);
        Ok(reader)
    }

    /// Creates a reader of a compressed layer, all of whose bytes are kept in a file of the cache.
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) if the file cannot be examined.
    pub(crate) fn kept(
        stream: impl Read + 'a,
        compression: Compression,
        (name, file): (&Path, File),
        limits: Limits,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let stream = Decompressed::new(stream, Some(compression), limits.decoder_memory);
        let spool = Spool::new(file, name, &SpoolMemory::of(0)).map_err(|error| Error::io(name, error))?;
        let mut input = Input::stream(stream, spool, limits.max_size, interrupt);
        input.keep_all();
        Ok(Self { is_cached: true, ..Self::new(input, name, limits) })
    }

    /// Reads the archive by the rules for layers: bytes behind its end are ignored.
    #[must_use]
    pub(crate) fn of_layer(mut self) -> Self {
        self.members.input.set_trailing(Trailing::Ignored);
        self.members.is_layer = true;
        self
    }

    /// Keeps the names of owners.
    #[must_use]
    pub(in crate::source) fn with_owner_names(mut self) -> Self {
        self.members.keeps_owner_names = true;
        self
    }

    /// Counts what is read together with other archives, whose limits are the same.
    #[must_use]
    pub(crate) fn with_totals(mut self, totals: &Arc<Totals>) -> Self {
        self.members.budget.set_totals(Arc::clone(totals));
        self.members.input.set_totals(Arc::clone(totals));
        self
    }

    /// Calls `tap` with all bytes of the unpacked stream in order.
    #[must_use]
    pub(crate) fn with_tap(mut self, tap: impl FnMut(&[u8]) + 'a) -> Self {
        self.members.input.set_tap(Box::new(tap));
        self
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
        let place = SpoolPlace { name, directory: None, memory: &SpoolMemory::default() };
        Self::spooled(stream, compression, place, limits, interrupt)
    }

    /// Creates a reader of an uncompressed archive in memory, which messages call `archive`.
    #[must_use]
    pub fn bytes(bytes: &[u8], limits: Limits, interrupt: &'a Interrupt) -> Self {
        let range = ArchiveRange::whole(Arc::new(Archive::memory(bytes.into())));
        let input = Input::in_place(&range, limits.max_size, interrupt);
        Self::new(input, Path::new("archive"), limits)
    }

    fn new(input: Input<'a>, name: &Path, limits: Limits) -> Self {
        let members = Members::new(input, Budget::new(limits));
        Self { members, name: name.to_owned(), spool: None, is_cached: false }
    }

    /// Returns the next member; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>> {
        self.members.next().map_err(|located| {
            let offset = located.offset;
            match located.into_tar_error() {
                Ok(error) => Error::at(ErrorKind::BadInput, &self.name, error),
                Err(Failure::Spool(error)) if self.is_cached => Error::io(&self.name, error),
                Err(failure) => other_failure(failure, (&self.name, self.spool.as_deref()), offset),
            }
        })
    }
}

/// Returns the error for a failure that has another cause than the archive's structure.
fn other_failure(failure: Failure, (name, spool): (&Path, Option<&Path>), offset: u64) -> Error {
    match failure {
        Failure::Interrupted(error) => error,
        Failure::Spool(error) => cannot_spool(name, spool, &error),
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

fn cannot_spool(name: &Path, spool: Option<&Path>, error: &std::io::Error) -> Error {
    let (directory, way_out) = match spool {
        Some(spool) => (spool.to_owned(), "--spool"),
        None => (std::env::temp_dir(), "TMPDIR"),
    };
    let directory = shown::path(&directory);
    let message = format!(
        "its contents cannot be kept in a temporary file in {directory}: {error}; {way_out} names another directory"
    );
    Error::at(ErrorKind::Io, name, message)
}
