//! Reads a tar archive into a tree, whatever program wrote it.
//!
//! V7, ustar, pax (extended and global headers), GNU and star are read, with long names, numbers in
//! base 256, times with fractions, xattrs (`SCHILY.xattr.*`, `LIBARCHIVE.xattr.*`,
//! `RHT.security.selinux`), access control lists (`SCHILY.acl.*`) and sparse files in every form;
//! compressed with gzip, zstd, xz, lzma, bzip2 or lz4, or not. Nothing is unpacked into the host's
//! filesystem: contents are ranges of the archive in place, or, if it is compressed or comes
//! through a pipe, of memory and an unnamed temporary file.
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
mod collected;
mod decompress;
mod error;
mod header;
mod input;
mod members;
mod pax;
mod reader;
mod sparse;

use self::header::{BLOCK, Header};

pub use acl::AclError;
pub use add::{Added, Owner, Unchanged};
pub(in crate::source) use budget::Budget;
pub use budget::Limits;
pub(crate) use budget::Totals;
pub use collected::ReadMembers;
pub use decompress::Compression;
pub use error::{MapProblem, Problem, TarError, Warning};
pub use members::Entry;
pub(in crate::source) use members::OwnerNames;
pub use reader::Reader;
pub(crate) use reader::SpoolPlace;

/// Returns true if bytes are the start of an archive: a header with the right checksum, or the
/// zeros of an empty one. The first 512 bytes suffice.
#[must_use]
pub fn is_start(bytes: &[u8]) -> bool {
    let block = bytes.get(..BLOCK).and_then(|block| <[u8; BLOCK]>::try_from(block).ok());
    block.map(Header).is_some_and(|header| header.is_zero() || header.check().is_ok())
}
