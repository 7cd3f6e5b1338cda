//! Reads a tar archive into a tree, whatever program wrote it.
//!
//! V7, ustar, pax (extended and global headers), GNU and star are read, with long names, numbers in
//! base 256, times with fractions, xattrs (`SCHILY.xattr.*`, `LIBARCHIVE.xattr.*`,
//! `RHT.security.selinux`), access control lists (`SCHILY.acl.*`) and sparse files in every form;
//! compressed with gzip, zstd, xz, lzma, bzip2 or lz4, or not. Nothing is unpacked into the host's
//! filesystem: contents are ranges of the archive in place, or, if it is compressed or comes
//! through a pipe, of an unnamed temporary file.
//!
//! An archive can state more than a tree can hold. It is read by these rules, and added by those of
//! [`stack`](crate::stack) to the tree of the sources before:
//!
//! * A path is relative to the root of the tree, whether it begins with `/`, with `./` or with
//!   neither. Empty components and `.` are ignored; `..` is refused. Names are 1 to 255 bytes long,
//!   without NUL.
//! * A directory that is needed before a member for it was read is owned by root, has mode 0755 and
//!   a time of 1970, until there is such a member.
//! * A regular file of the old types whose path ends in `/` is a directory. Contiguous files are
//!   regular files. Types that only make sense elsewhere, such as the continuation of a file of an
//!   earlier volume, are refused, and so are unknown types.
//! * An access control list sets the permission bits, as on every filesystem. One that says no more
//!   than these is dropped. Named users and groups in it get the numbers of the tree's accounts, or
//!   else the number beside the name.
//! * Users and groups are taken from the numbers, not the names. Times of access and change, flags
//!   and comments are ignored.
//! * A global header sets owners and times of all files behind it. Records that apply to a single
//!   file are refused in it.
//! * Two blocks of zeros end the archive, or one if nothing follows. The end of the file behind a
//!   member does too, with a [`Warning`]; anywhere else the archive is truncated, and refused. So
//!   are bytes other than zeros behind the end, and more than 64 MiB of zeros.
//! * Zeros behind a compressed archive are ignored, with a warning.
//! * [`Limits`] bound the resources that an archive can take. Extended headers have 16 MiB at most,
//!   long names 1 MiB; paths have 4096 components at most, as everywhere
//!   ([`image_tree::MAX_DEPTH`]). Memory does not depend on contents.

mod acl;
mod add;
mod budget;
mod decompress;
mod error;
mod header;
mod input;
mod members;
mod pax;
mod sparse;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use acl::AclError;
pub use add::{Added, AsItIs, Owner};
pub use budget::Limits;
pub use decompress::Compression;
pub use error::{MapProblem, Problem, TarError, Warning};

use self::budget::Budget;
use self::decompress::Unpacked;
use self::header::{BLOCK, Header};
use self::input::{Failure, Input};
use self::members::{Entry, Members};
use crate::blob::{Archive, ChangedWhileRead};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::shown;

/// Returns true if bytes are the start of an archive: a header with the right checksum, or the
/// zeros of an empty one. The first 512 bytes suffice.
#[must_use]
pub fn is_start(bytes: &[u8]) -> bool {
    let block = bytes.get(..BLOCK).and_then(|block| <[u8; BLOCK]>::try_from(block).ok());
    block.map(Header).is_some_and(|header| header.is_zero() || header.check().is_ok())
}

/// An archive whose members are to be read.
pub struct Reader<'a> {
    members: Members<'a>,
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
        let stream = Unpacked::new(stream, compression, limits.decoder_memory);
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
    fn next(&mut self) -> Result<Option<Entry>> {
        self.members.next().map_err(|located| {
            let offset = located.offset;
            match located.into_tar_error() {
                Ok(error) => Error::at(ErrorKind::BadInput, &self.name, error),
                Err(failure) => blame(failure, &self.name, offset),
            }
        })
    }

    /// Returns the error for a member that was read.
    fn error(&self, offset: u64, path: &[u8], problem: impl Into<Problem>) -> Error {
        let error = TarError { offset, path: Some(path.to_vec()), problem: problem.into() };
        Error::at(ErrorKind::BadInput, &self.name, error)
    }
}

/// Returns the error for a failure that has another cause than the archive's structure.
fn blame(failure: Failure, name: &Path, offset: u64) -> Error {
    match failure {
        Failure::Stopped(error) => error,
        Failure::Keep(error) => cannot_keep(name, &error),
        // The error names the file itself.
        Failure::Read(error) if ChangedWhileRead::within(&error).is_some() => {
            Error::new(ErrorKind::BadInput, error)
        }
        Failure::Read(error) => Error::io(name, error),
        Failure::Packed(error) => {
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
