//! What is wrong with an archive, and where.

use std::fmt;

use image_tree::{LinkTargetError, XattrNameError};
use thiserror::Error;

use super::acl::AclError;
use crate::stack::AddError;

/// Something at an offset of an archive that no tree can be made of.
#[derive(Debug)]
pub struct TarError {
    /// Where the header is, in bytes from the archive's beginning, which is that of what it unpacks to.
    pub offset: u64,
    /// The path of the member, when there is one.
    pub path: Option<Vec<u8>>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for TarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// A longer path says no more.
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

/// Something about an archive that is read all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The archive ends at this offset, behind a member, without saying so.
    NoEnd(u64),
    /// So many bytes of zeros follow the compressed archive.
    Padding(u64),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEnd(offset) => write!(
                f,
                "offset {offset}: the archive ends here without the two blocks of zeros that end every archive; if no tool \
                 wrote it so, it was cut off"
            ),
            Self::Padding(len) => {
                write!(f, "{len} bytes of zeros behind the compressed archive were ignored")
            }
        }
    }
}

/// What is wrong with a member or with the archive.
#[derive(Debug, Error)]
pub enum Problem {
    /// The block is no header.
    #[error("is no tar header")]
    NoHeader,
    /// The header was damaged.
    #[error("the header's checksum is {stated:o} in octal, its bytes sum up to {computed:o}")]
    Checksum {
        /// What the header says.
        stated: i64,
        /// The sum of its bytes.
        computed: i64,
    },
    /// A field that holds no number, or one of more than 63 bits.
    #[error("{field} is \"{}\", which is no number that fits 63 bits", .bytes.escape_ascii())]
    Number {
        /// The field's name.
        field: &'static str,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A number outside of what it may be.
    #[error("{field} is {value}, and may be {min} to {max}")]
    Range {
        /// The field's name.
        field: &'static str,
        /// What it holds.
        value: i64,
        /// The least it may be.
        min: i64,
        /// The most it may be.
        max: i64,
    },
    /// The archive ends where more of it must come.
    #[error("the archive ends {missing} bytes before the end of {what}")]
    Truncated {
        /// What is cut off.
        what: &'static str,
        /// How many bytes of it.
        missing: u64,
    },
    /// Something follows the end.
    #[error(
        "the archive ended before, yet here are bytes other than zeros; read what follows as a source of its own"
    )]
    Trailing,
    /// More zeros follow the end than any program writes.
    #[error(
        "the archive ended before, and more than {0} bytes of zeros follow; a device or a disk image is not an archive"
    )]
    Zeros(u64),
    /// Something follows one block of zeros.
    #[error("after one block of zeros comes neither another one nor the end")]
    LoneZeroBlock,
    /// A type that is not known, or that only makes sense elsewhere.
    #[error("type \"{}\" {why}", [*.flag].escape_ascii())]
    Type {
        /// `typeflag`.
        flag: u8,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An extended header or long name without a file it is for.
    #[error("belongs to the next file, and there is none")]
    Dangling,
    /// An extended header or long name that is longer than any need be.
    #[error("{what} is {len} bytes long, the limit is {max}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The most it may be.
        max: u64,
    },
    /// An extended header that is no list of records.
    #[error("the record at byte {at} of the extended header {why}")]
    Record {
        /// Where it begins in the header's payload.
        at: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A record with a value that makes no sense.
    #[error("{} is \"{}\", which {why}", .key.escape_ascii(), .value.escape_ascii())]
    Value {
        /// The record's keyword.
        key: Vec<u8>,
        /// The beginning of its value.
        value: Vec<u8>,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A record that would say of every file what only one can be.
    #[error("{} is in a global header, and would be every file's", .0.escape_ascii())]
    Global(Vec<u8>),
    /// An access control list that cannot be one.
    #[error("{key}")]
    Acl {
        /// The record's keyword.
        key: &'static str,
        /// What is wrong with it.
        source: AclError,
    },
    /// An extended attribute with a name that cannot be one.
    #[error(transparent)]
    XattrName(#[from] XattrNameError),
    /// A symbolic link with a target that cannot be one.
    #[error(transparent)]
    LinkTarget(#[from] LinkTargetError),
    /// A member that cannot be added to the tree.
    #[error(transparent)]
    Add(#[from] AddError),
    /// A map of holes that is none.
    #[error("its map of holes {0}")]
    Map(MapProblem),
    /// More bytes than may be.
    #[error("{what} more than {max} bytes; --max-size sets the limit")]
    MaxSize {
        /// What is too much.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// More members than may be.
    #[error("the archive has more than {0} members and directories above them; --max-entries sets the limit")]
    MaxEntries(u64),
    /// More names and attributes than memory should be spent on.
    #[error("names, link targets, xattrs and maps of holes up to here take more than {0} bytes")]
    MaxMetadata(u64),
}

/// What is wrong with a map of holes.
#[derive(Debug, Error)]
pub enum MapProblem {
    /// Its text is cut off or no decimal numbers.
    #[error("is not the decimal numbers it should be")]
    Text,
    /// It has more or fewer pieces than it says.
    #[error("has {actual} pieces and says {stated}")]
    Count {
        /// What it says.
        stated: u64,
        /// How many there are.
        actual: u64,
    },
    /// A piece that begins before the one before it ends.
    #[error("has a piece at {offset}, where the one before it ends at {end}")]
    Overlap {
        /// Where the piece begins.
        offset: u64,
        /// Where the one before ends.
        end: u64,
    },
    /// A piece behind the end of the file.
    #[error("has a piece of {len} bytes at {offset} in a file of {size} bytes")]
    Beyond {
        /// Where the piece begins.
        offset: u64,
        /// Its length.
        len: u64,
        /// The file's length.
        size: u64,
    },
    /// Pieces that are not all the bytes there are.
    #[error("is of {pieces} bytes, and {stored} are stored")]
    Stored {
        /// The sum of all pieces.
        pieces: u64,
        /// How many bytes the archive has.
        stored: u64,
    },
    /// It says nothing of how long the file is.
    #[error("comes without the length of the file")]
    NoSize,
    /// A version nobody knows.
    #[error("is of version {0}.{1}; known are 0.0, 0.1 and 1.0")]
    Version(u64, u64),
}
