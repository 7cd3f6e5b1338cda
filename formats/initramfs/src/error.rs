//! Errors of planning an archive.

use image_tree::{Device, Timestamp};
use thiserror::Error;

use crate::Options;

/// An error when planning an archive.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive cannot represent a file of the tree.
    #[error("an initramfs cannot represent {}", .path.escape_ascii())]
    Unrepresentable {
        /// The file's path in the tree.
        path: Vec<u8>,
        /// The reason.
        #[source]
        reason: Unrepresentable,
    },
    /// Checksums were given, but not for this file.
    #[error("no sum is given for {}; give one for every regular file, or none at all", .path.escape_ascii())]
    NoChecksum {
        /// The file's path in the tree.
        path: Vec<u8>,
    },
    /// The alignment is out of range.
    #[error("an alignment of {0} bytes is not a power of two from 4 to 4096")]
    Alignment(u32),
    /// The segment length is out of range.
    #[error("segments of {0} bytes are shorter than the least, {least} bytes", least = Options::MIN_SEGMENT_LEN)]
    SegmentLen(u64),
    /// The total length of the files exceeds 64 bits.
    #[error("the files have more than {} bytes together", u64::MAX)]
    TooLong,
}

/// A reason why an archive cannot represent a file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unrepresentable {
    /// `c_filesize` has 32 bits.
    #[error("the file has {len} bytes, the limit of the cpio format is {limit}")]
    FileTooLarge {
        /// The file's length in bytes.
        len: u64,
        /// The largest length in bytes.
        limit: u64,
    },
    /// The kernel skips a name that does not fit in `PATH_MAX` with its NUL.
    #[error("the path has {len} bytes, the limit of the kernel is {limit}")]
    PathTooLong {
        /// The path's length in bytes, without a leading `/`.
        len: u64,
        /// The largest length in bytes.
        limit: u64,
    },
    /// The file has the name that marks the end of an archive.
    #[error("the name marks the end of a cpio archive; remove or rename the file")]
    Trailer,
    /// `c_mtime` cannot represent the time.
    #[error(
        "its mtime, {} s since 1970, is not within 0 to {} s", .time.seconds(), u32::MAX
    )]
    Time {
        /// The time.
        time: Timestamp,
    },
    /// The device number has more than 12 bits (major) or 20 bits (minor).
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
