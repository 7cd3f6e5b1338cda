//! Why a tree did not become a filesystem.

use std::fmt;

use image_tree::{Device, Timestamp};
use thiserror::Error;

use crate::{DirectoryError, XattrError};

/// Why a filesystem could not be planned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// ext4 cannot hold a file of the tree as it is.
    #[error("ext4 cannot hold {}", .path.escape_ascii())]
    Inexpressible {
        /// The file's path in the tree.
        path: Vec<u8>,
        /// Why.
        #[source]
        reason: Box<Inexpressible>,
    },
    /// A file that is to lie in its inode cannot be read.
    #[error("{} is short enough to lie in its inode, and cannot be read", .path.escape_ascii())]
    Content {
        /// The file's path in the tree.
        path: Vec<u8>,
        /// What [`image_tree::Content::read_at`] says.
        #[source]
        source: std::io::Error,
    },
    /// The size asked for does not hold the tree, its metadata and its journal.
    #[error(
        "the filesystem is {missing_bytes} bytes too small: {size_bytes} bytes are given, {needed_bytes} are needed; \
         give at least that size, or none for the smallest"
    )]
    TooSmall {
        /// The size asked for.
        size_bytes: u64,
        /// The smallest size that holds the tree with the same options.
        needed_bytes: u64,
        /// The difference.
        missing_bytes: u64,
    },
    /// The number of inodes asked for is smaller than the number of files.
    #[error("{asked} inodes are too few: the tree needs {needed}, the {reserved} reserved ones among them")]
    TooFewInodes {
        /// The number asked for.
        asked: u32,
        /// The number the tree needs.
        needed: u64,
        /// How many of those no file of the tree uses.
        reserved: u32,
    },
    /// More inodes than 32 bits can number.
    #[error("{inodes} inodes are too many: the limit is {limit}")]
    TooManyInodes {
        /// The number needed or asked for.
        inodes: u64,
        /// The largest number possible.
        limit: u64,
    },
    /// The filesystem would need the feature `meta_bg`, which this crate does not make.
    #[error("the filesystem would have more than {limit_bytes} bytes, the largest size without meta_bg")]
    TooLarge {
        /// The largest size in bytes.
        limit_bytes: u64,
    },
    /// The filesystem would need the feature `64bit`, which the options leave out.
    #[error(
        "the filesystem would have more than {limit_bytes} bytes, the largest size of these blocks without 64bit; \
         leave 64bit in, or choose larger blocks"
    )]
    TooLargeFor32Bits {
        /// The largest size in bytes.
        limit_bytes: u64,
    },
    /// A percentage outside its range.
    #[error("{what} of {percent} % is not within 0 to {limit} %")]
    Percentage {
        /// What was given in percent.
        what: &'static str,
        /// The value given.
        percent: u8,
        /// The largest value.
        limit: u8,
    },
    /// Two options that contradict each other.
    #[error("{what} does not go with {with}; {way_out}")]
    Conflict {
        /// One of the two.
        what: &'static str,
        /// The other.
        with: &'static str,
        /// What to do about it.
        way_out: &'static str,
    },
    /// The filesystem is larger than it is ever to be.
    #[error(
        "the filesystem has {size_bytes} bytes and is to grow to no more than {limit_bytes}; \
         raise that limit, or leave resize_inode out"
    )]
    ResizeLimit {
        /// The filesystem's size.
        size_bytes: u64,
        /// The limit to grow to.
        limit_bytes: u64,
    },
    /// More copies of the superblock than `s_backup_bgs` names.
    #[error(
        "{asked} copies of the superblock are too many: sparse_super2 has at most {limit} besides the first"
    )]
    Backups {
        /// The number asked for.
        asked: u8,
        /// The largest number.
        limit: u8,
    },
    /// Data that is to be aligned to what no page or block is.
    #[error("data cannot be aligned to {bytes} bytes: that has to be a power of two from {} to {}", .limits.0, .limits.1)]
    DataAlignment {
        /// The value given.
        bytes: u64,
        /// The smallest and the largest.
        limits: (u64, u64),
    },
    /// A filesystem whose blocks lie across pages, so that none of its data can be aligned.
    #[error(
        "data cannot be aligned in a filesystem at byte {offset} of the address space: that is no multiple of its blocks \
         of {block_size} bytes"
    )]
    FilesystemOffset {
        /// Where it begins, in bytes.
        offset: u64,
        /// Bytes of a block.
        block_size: u64,
    },
    /// Two files that are to have the same blocks cannot.
    #[error("{} cannot have the blocks of {}", .path.escape_ascii(), .with.escape_ascii())]
    Unshareable {
        /// The path of the file that was to have no blocks of its own.
        path: Vec<u8>,
        /// The path of the file whose blocks it was to have.
        with: Vec<u8>,
        /// Why.
        #[source]
        reason: Unshareable,
    },
    /// A journal of a length that the kernel does not take.
    #[error("a journal of {blocks} blocks is not within {} to {} blocks", .limits.0, .limits.1)]
    JournalSize {
        /// The length asked for.
        blocks: u32,
        /// The shortest and the longest.
        limits: (u32, u32),
    },
}

impl Error {
    pub(crate) fn inexpressible(path: Vec<u8>, reason: impl Into<Inexpressible>) -> Self {
        Self::Inexpressible { path, reason: Box::new(reason.into()) }
    }
}

/// Why two files cannot have the same blocks.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unshareable {
    /// One of them is no regular file.
    #[error("both have to be regular files")]
    NotRegular,
    /// They cannot have the same bytes.
    #[error("the one has {len} bytes, the other {with_len}")]
    Length {
        /// The length of the file that was to have no blocks of its own.
        len: u64,
        /// The length of the other.
        with_len: u64,
    },
    /// The other is not earlier in the order of the walk, or has the blocks of a third.
    #[error("the other has to be the first of all files with these blocks, in the order of the tree's walk")]
    NotFirst,
}

/// What ext4 cannot hold of one file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Inexpressible {
    /// The file's blocks cannot be numbered in 32 bits.
    #[error("the file has {len} bytes, the limit of ext4 with blocks of {} bytes is {limit}", .limit / u64::from(u32::MAX))]
    FileTooLarge {
        /// The file's length in bytes.
        len: u64,
        /// The largest length in bytes.
        limit: u64,
    },
    /// The target of a symbolic link and a NUL behind it are longer than a block.
    #[error(
        "the target has {len} bytes, the limit of ext4 with blocks of {} bytes is {limit}; choose larger blocks",
        .limit + 1
    )]
    TargetTooLong {
        /// The target's length in bytes.
        len: usize,
        /// The largest length in bytes.
        limit: usize,
    },
    /// More hard links than an inode counts.
    #[error("the file has {count} names, the limit of ext4 is {limit}")]
    TooManyLinks {
        /// The number of names.
        count: u64,
        /// The largest number.
        limit: u64,
    },
    /// More directories in a directory than its links count, where it has no index.
    #[error(
        "the directory has {count} directories in it, the limit of ext4 without dir_index is {limit}; leave dir_index in"
    )]
    TooManyDirectories {
        /// The number of directories in it.
        count: u64,
        /// The largest number.
        limit: u64,
    },
    /// A time outside the 34 bits of seconds.
    #[error(
        "its mtime, {} s since 1970, is not within {} to {} s; clamp times to fit", .time.seconds(), .limits.0, .limits.1
    )]
    Time {
        /// The time.
        time: Timestamp,
        /// The first and last second.
        limits: (i64, i64),
    },
    /// A device number of more than 12 and 20 bits.
    #[error("device number {}:{} does not fit: the limits are 4095 and 1048575", .0.major, .0.minor)]
    Device(Device),
    /// `lost+found` is not a directory.
    #[error("the name is e2fsck's, which needs it to be a directory; remove or rename it")]
    LostAndFound,
    /// A directory of more names than its index can lead to.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// An extended attribute.
    #[error(transparent)]
    Xattr(#[from] XattrError),
}

/// A volume label of more than 16 bytes, or with a NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelError(pub(crate) Vec<u8>);

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.0.escape_ascii();
        write!(f, "label \"{label}\" has {} bytes; a label is at most 16 bytes without NUL", self.0.len())
    }
}

impl std::error::Error for LabelError {}
