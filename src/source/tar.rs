//! A tar archive as a tree, whatever program wrote it.
//!
//! V7, ustar, pax (extended and global headers), GNU and star are read, with long names, numbers in base 256, times with
//! fractions, xattrs (`SCHILY.xattr.*`, `LIBARCHIVE.xattr.*`, `RHT.security.selinux`), access control lists
//! (`SCHILY.acl.*`) and files with holes in every form; compressed with gzip, zstd, xz or bzip2, or not. Nothing is
//! unpacked into the host's filesystem: contents are ranges of the archive where it lies, or, when it is compressed or
//! comes through a pipe, of an unnamed temporary file.
//!
//! An archive can say more than a tree can hold. These are the rules:
//!
//! * A path is one of the tree, whether it begins with `/`, with `./` or with neither. Empty components and `.` say
//!   nothing; `..` is refused. Names are bytes, of 1 to 255 of them, without NUL.
//! * A directory that no member was for when it was needed is root's, of mode 0755 and from 1970, until a member is.
//! * A later member replaces an earlier one of the same path, and all beneath it. But of two directories the later one
//!   only gives its metadata. A further name of a file that was replaced keeps the file as it was.
//! * No symbolic link is followed. A member beneath anything but a directory is refused.
//! * A hard link is to an earlier member, and not to a directory. Its own metadata says nothing.
//! * A regular file of the old types whose path ends in `/` is a directory. Contiguous files are regular ones. What only
//!   makes sense elsewhere, such as the rest of a file of an earlier volume, is refused, and so is what nobody knows.
//! * An access control list decides the permission bits, as on every filesystem. One that says no more than these is
//!   dropped.
//! * Of user and group the numbers count, not the names. Times of access and change, flags and comments are passed over.
//! * A global header says of all files behind it whose they are and from when. What only one file can be is refused in it.
//! * Two blocks of zeros end the archive, or one if nothing follows. An archive without them was cut off, and is
//!   refused; so is anything but zeros behind them.
//! * [`Limits`] bound what an archive asks for. Extended headers have 16 MiB at most, long names 1 MiB; paths have
//!   4096 components at most, as everywhere ([`image_tree::MAX_DEPTH`]). Memory does not depend on contents.

mod acl;
mod budget;
mod build;
mod decompress;
mod error;
mod header;
mod input;
mod members;
mod pax;
mod sparse;

use std::fs::File;
use std::io::{BufRead, Read};
use std::path::Path;

pub use acl::AclError;
pub use budget::Limits;
pub use decompress::Compression;
pub use error::{MapProblem, Problem, TarError};

use self::budget::Budget;
use self::build::Builder;
use self::header::{BLOCK, Header};
use self::input::{Failure, Input};
use self::members::Members;
use super::Layer;
use crate::blob::{Archive, ChangedWhileRead};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;

/// Whether bytes are the beginning of an archive: a header with the right checksum, or the zeros of an empty one. The
/// first 512 bytes say it.
#[must_use]
pub fn is_start(bytes: &[u8]) -> bool {
    let block = bytes.get(..BLOCK).and_then(|block| <[u8; BLOCK]>::try_from(block).ok());
    block.map(Header).is_some_and(|header| header.is_zero() || header.check().is_ok())
}

/// Reads an uncompressed archive in place; messages call it `name`. The file stays open as long as the tree's contents
/// are there, and must stay as it is.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) with the offset and path of what is not as it should be or beyond a limit, or when
/// the file changed meanwhile; [`Io`](ErrorKind::Io) when it cannot be read.
pub fn read_file(file: File, name: &Path, limits: Limits, interrupt: &Interrupt) -> Result<Layer> {
    let archive = Archive::host(file, name).map_err(|error| Error::io(name, error))?;
    read(Input::in_place(archive, limits.max_size, interrupt), name, limits)
}

/// Reads an archive that comes through a pipe or is compressed; messages call it `name`. Contents are kept in an unnamed
/// temporary file.
///
/// # Errors
/// As [`read_file`], and [`Io`](ErrorKind::Io) when there is no room for the temporary file.
pub fn read_stream(
    stream: impl BufRead,
    compression: Option<Compression>,
    name: &Path,
    limits: Limits,
    interrupt: &Interrupt,
) -> Result<Layer> {
    let spool = Archive::spool(name).map_err(|error| cannot_keep(name, &error))?;
    let reader: Box<dyn Read + '_> = match compression {
        None => Box::new(stream),
        Some(compression) => compression.unpack(stream).map_err(|error| {
            Error::at(
                ErrorKind::BadInput,
                name,
                format!("{} cannot be unpacked: {error}", compression.name()),
            )
        })?,
    };
    read(Input::stream(reader, spool, limits.max_size, interrupt), name, limits)
}

/// Reads an uncompressed archive in memory.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) with the offset and path of what is not as it should be or beyond a limit.
pub fn read_bytes(bytes: &[u8], limits: Limits) -> Result<Layer> {
    let interrupt = Interrupt::never();
    let input = Input::in_place(Archive::memory(bytes.into()), limits.max_size, &interrupt);
    read(input, Path::new("archive"), limits)
}

fn read(input: Input<'_>, name: &Path, limits: Limits) -> Result<Layer> {
    let mut members = Members::new(input, Budget::new(limits));
    let mut builder = Builder::new();
    loop {
        let member = match members.next() {
            Ok(Some(member)) => member,
            Ok(None) => return Ok(builder.finish()),
            Err(located) => {
                let offset = located.offset;
                return Err(match located.into_tar_error() {
                    Ok(error) => Error::at(ErrorKind::BadInput, name, error),
                    Err(failure) => blame(failure, name, offset),
                });
            }
        };
        let (offset, path) = (member.offset, member.path.clone());
        builder.add(member, &mut members.budget).map_err(|problem| {
            Error::at(ErrorKind::BadInput, name, TarError { offset, path: Some(path), problem })
        })?;
    }
}

/// Whose fault it is when that is not the archive's own.
fn blame(failure: Failure, name: &Path, offset: u64) -> Error {
    match failure {
        Failure::Stopped(error) => error,
        Failure::Keep(error) => cannot_keep(name, &error),
        // It names the file itself.
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
        directory.display()
    );
    Error::at(ErrorKind::Io, name, message)
}
