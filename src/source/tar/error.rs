//! Errors and warnings about an archive.

use std::fmt;

use image_tree::{LinkTargetError, XattrNameError};
use thiserror::Error;

use super::acl::AclError;
use crate::shown::Count;
use crate::stack::AddError;

/// A fault at an offset of an archive.
#[derive(Debug)]
pub struct TarError {
    /// The offset of the header, in bytes from the start of the unpacked archive.
    pub offset: u64,
    /// The path of the member, if there is one.
    pub path: Option<Vec<u8>>,
    /// The fault.
    pub problem: Problem,
}

impl fmt::Display for TarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The longest part of a path that is shown, in bytes.
        const SHOWN: usize = 300;
        write!(f, "offset {}: ", self.offset)?;
        match &self.path {
            Some(path) if path.len() > SHOWN => {
                write!(f, "{}… ({} bytes): ", path[..SHOWN].escape_ascii(), path.len())?;
            }
            Some(path) => write!(f, "{}: ", path.escape_ascii())?,
            None => {}
        }
        write!(f, "{}", self.problem)
    }
}

impl std::error::Error for TarError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

/// An unusual fact about an archive that is read nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The archive ends at this offset, behind a member, without an end mark.
    MissingEnd(u64),
    /// This many bytes of zeros follow the compressed archive.
    Padding(u64),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingEnd(offset) => write!(
                f,
                "offset {offset}: the archive ends here without the two blocks of zeros that end every archive; if no tool \
                 wrote it so, it was cut off"
            ),
            Self::Padding(len) => {
                let bytes = Count(*len, "byte", "bytes");
                let were = if *len == 1 { "was" } else { "were" };
                write!(f, "{bytes} of zeros behind the compressed archive {were} ignored")
            }
        }
    }
}

/// A fault of a member or of the archive.
#[derive(Debug, Error)]
pub enum Problem {
    /// The block is not a header.
    #[error("is not a tar header")]
    NotAHeader,
    /// The header was damaged.
    #[error("the header's checksum is {stated:o} in octal, its bytes sum up to {computed:o}")]
    Checksum {
        /// The sum in the header.
        stated: i64,
        /// The sum of its bytes.
        computed: i64,
    },
    /// A field that does not hold a number, or holds one of more than 63 bits.
    #[error("{field} is \"{}\", which is not a number that fits 63 bits", .bytes.escape_ascii())]
    Number {
        /// The field's name.
        field: &'static str,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A number outside its range.
    #[error("{field} is {value}, and may be {min} to {max}")]
    Range {
        /// The field's name.
        field: &'static str,
        /// Its value.
        value: i64,
        /// The smallest valid value.
        min: i64,
        /// The largest valid value.
        max: i64,
    },
    /// The archive ends before the end of one of its parts.
    #[error("the archive ends {} before the end of {what}", Count(*missing, "byte", "bytes"))]
    Truncated {
        /// The part that is cut off.
        what: &'static str,
        /// The number of bytes that are missing of it.
        missing: u64,
    },
    /// Bytes other than zeros follow the end.
    #[error("data follows the end of the archive; pass it as a source of its own")]
    Trailing,
    /// More zeros follow the end than any program writes.
    #[error(
        "more than {0} bytes of zeros follow the end of the archive; a device or a disk image is not an archive"
    )]
    Zeros(u64),
    /// Something other than zeros follows one block of zeros.
    #[error("a single block of zeros is followed by other data")]
    LoneZeroBlock,
    /// A type that is unknown, or only makes sense elsewhere.
    #[error("type \"{}\" {why}", [*.flag].escape_ascii())]
    Type {
        /// `typeflag`.
        flag: u8,
        /// The reason that it is refused.
        why: &'static str,
    },
    /// An extended header or long name without a file that it applies to.
    #[error("applies to the next file, but none follows")]
    Dangling,
    /// An extended header or long name that is longer than the limit.
    #[error("{what} is {len} bytes long, the limit is {max}")]
    TooLong {
        /// The part that is too long.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The limit, in bytes.
        max: u64,
    },
    /// An extended header that is not a list of records.
    #[error("the record at byte {at} of the extended header {why}")]
    Record {
        /// The offset of the record in the header's payload, in bytes.
        at: usize,
        /// The reason that it is invalid.
        why: &'static str,
    },
    /// A record with an invalid value.
    #[error("{} is \"{}\", which {why}", .key.escape_ascii(), .value.escape_ascii())]
    Value {
        /// The record's keyword.
        key: Vec<u8>,
        /// The beginning of its value.
        value: Vec<u8>,
        /// The reason that it is invalid.
        why: &'static str,
    },
    /// A record in a global header that applies only to a single file.
    #[error("{} is in a global header, but applies to a single file", .0.escape_ascii())]
    Global(Vec<u8>),
    /// An invalid access control list.
    #[error("{key}")]
    Acl {
        /// The record's keyword.
        key: &'static str,
        /// The reason that it is invalid.
        source: AclError,
    },
    /// An extended attribute with an invalid name.
    #[error(transparent)]
    XattrName(#[from] XattrNameError),
    /// A symbolic link with an invalid target.
    #[error(transparent)]
    LinkTarget(#[from] LinkTargetError),
    /// A member that cannot be added to the tree.
    #[error(transparent)]
    Add(#[from] AddError),
    /// An invalid sparse map.
    #[error("its sparse map {0}")]
    Map(MapProblem),
    /// More bytes than the limit.
    #[error("{what} more than {max} bytes; --max-size sets the limit")]
    MaxSize {
        /// The start of the message: the subject and its verb.
        what: &'static str,
        /// The limit, in bytes.
        max: u64,
    },
    /// More members than the limit.
    #[error("the archive has more than {0} members and directories above them; --max-entries sets the limit")]
    MaxEntries(u64),
    /// More names and attributes than the limit on memory, in bytes.
    #[error("names, link targets, xattrs and sparse maps up to here take more than {0} bytes")]
    MaxMetadata(u64),
}

/// A fault of a sparse map.
#[derive(Debug, Error)]
pub enum MapProblem {
    /// Its text is truncated or not decimal numbers.
    #[error("is not the decimal numbers it should be")]
    Text,
    /// It has more or fewer extents than stated.
    #[error("has {actual} pieces, but states {stated}")]
    Count {
        /// The stated number.
        stated: u64,
        /// The actual number.
        actual: u64,
    },
    /// An extent that begins before the end of the one before it.
    #[error("has a piece at {offset}, where the one before it ends at {end}")]
    Overlap {
        /// The offset of the extent, in bytes.
        offset: u64,
        /// The end of the one before, in bytes.
        end: u64,
    },
    /// An extent beyond the end of the file.
    #[error("has a piece of {len} bytes at {offset} in a file of {size} bytes")]
    Beyond {
        /// The offset of the extent, in bytes.
        offset: u64,
        /// Its length, in bytes.
        len: u64,
        /// The file's length, in bytes.
        size: u64,
    },
    /// Extents whose sum is not the number of stored bytes.
    #[error("covers {pieces} bytes, but {stored} are stored")]
    Stored {
        /// The sum of the lengths of all extents, in bytes.
        pieces: u64,
        /// The number of bytes in the archive.
        stored: u64,
    },
    /// The length of the file is not stated.
    #[error("lacks the length of the file")]
    NoSize,
    /// An unknown version.
    #[error("is of version {0}.{1}; known are 0.0, 0.1 and 1.0")]
    Version(u64, u64),
}
