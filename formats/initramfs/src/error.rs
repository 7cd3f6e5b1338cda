//! Why a tree did not become an archive.

use image_tree::{Device, Timestamp};
use thiserror::Error;

use crate::Options;

/// Why an archive could not be planned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive cannot hold a file of the tree as it is.
    #[error("an initramfs cannot hold {}", .path.escape_ascii())]
    Inexpressible {
        /// The file's path in the tree.
        path: Vec<u8>,
        /// Why.
        #[source]
        reason: Inexpressible,
    },
    /// The headers are to have sums, and there is none for a file.
    #[error("no sum is given for {}; give one for every regular file, or none at all", .path.escape_ascii())]
    NoChecksum {
        /// The file's path in the tree.
        path: Vec<u8>,
    },
    /// An alignment outside its range.
    #[error("an alignment of {0} bytes is no power of two from 4 to 4096")]
    Alignment(u32),
    /// A segment length outside its range.
    #[error("segments of {0} bytes are shorter than the least, {least} bytes", least = Options::MIN_SEGMENT_LEN)]
    SegmentLen(u64),
    /// The lengths of the files add up to more than 64 bits.
    #[error("the files have more than {} bytes together", u64::MAX)]
    TooLong,
}

/// What an archive cannot hold of one file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inexpressible {
    /// `c_filesize` has 32 bits.
    #[error("the file has {len} bytes, the limit of the cpio format is {limit}")]
    FileTooLarge {
        /// The file's length in bytes.
        len: u64,
        /// The largest length in bytes.
        limit: u64,
    },
    /// The kernel passes over a name that does not fit `PATH_MAX` with its NUL.
    #[error("the path has {len} bytes, the limit of the kernel is {limit}")]
    PathTooLong {
        /// The path's length in bytes, without a leading `/`.
        len: u64,
        /// The largest length in bytes.
        limit: u64,
    },
    /// A file named as the end of an archive is.
    #[error("the name marks the end of a cpio archive; remove or rename the file")]
    Trailer,
    /// A time that `c_mtime` cannot say.
    #[error(
        "its mtime, {} s since 1970, is not within 0 to {} s; clamp times to fit", .time.seconds(), u32::MAX
    )]
    Time {
        /// The time.
        time: Timestamp,
    },
    /// A device number of more than 12 and 20 bits.
    #[error("device number {}:{} does not fit: the limits of the kernel are 4095 and 1048575", .0.major, .0.minor)]
    Device(Device),
    /// `c_nlink` has 32 bits.
    #[error("the file has {count} names, the limit of the cpio format is {limit}")]
    TooManyLinks {
        /// The number of names.
        count: u64,
        /// The largest number.
        limit: u64,
    },
}
