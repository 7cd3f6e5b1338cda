//! Errors of planning a filesystem.

mod directory;
mod xattr;

use std::fmt;

use image_tree::{Device, Timestamp};
use thiserror::Error;

pub use directory::DirectoryError;
pub(crate) use xattr::MAX_VALUE_LEN;
pub use xattr::XattrError;

/// An error when planning a filesystem.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// ext4 cannot represent a file of the tree.
    #[error("ext4 cannot represent {}", .path.escape_ascii())]
    Unrepresentable {
        /// The file's path in the tree.
        path: Vec<u8>,
        /// The reason.
        #[source]
        reason: Box<Unrepresentable>,
    },
    /// A file for inline data cannot be read.
    #[error("{}: inline data cannot be read", .path.escape_ascii())]
    Content {
        /// The file's path in the tree.
        path: Vec<u8>,
        /// The error of [`image_tree::Content::read_at`].
        #[source]
        source: std::io::Error,
    },
    /// The requested size is too small for the tree, its metadata and its journal.
    #[error(
        "the filesystem is {missing_bytes} bytes too small: the size is {size_bytes} bytes, the tree needs {needed_bytes}; \
         give at least that size, or none for the smallest"
    )]
    TooSmall {
        /// The requested size, in bytes.
        size_bytes: u64,
        /// The minimum size for the tree with the same options, in bytes.
        needed_bytes: u64,
        /// The difference, in bytes.
        missing_bytes: u64,
    },
    /// The requested number of inodes is smaller than the number of files.
    #[error(
        "the number of inodes, {requested}, is too small: the tree needs {needed}, including {reserved} reserved ones"
    )]
    TooFewInodes {
        /// The requested number.
        requested: u32,
        /// The number that the tree needs.
        needed: u64,
        /// The number of those that are reserved.
        reserved: u32,
    },
    /// There are more inodes than 32 bits can number.
    #[error("{inodes} inodes are too many: the limit is {limit}")]
    TooManyInodes {
        /// The needed or requested number.
        inodes: u64,
        /// The maximum number.
        limit: u64,
    },
    /// The filesystem would need the feature `meta_bg`, which this crate does not support.
    #[error("the filesystem would have more than {limit_bytes} bytes, the largest size without meta_bg")]
    TooLarge {
        /// The maximum size in bytes.
        limit_bytes: u64,
    },
    /// The filesystem would need the feature `64bit`, which the options disable.
    #[error(
        "the filesystem would have more than {limit_bytes} bytes, the largest size of these blocks without 64bit; \
         enable 64bit, or choose larger blocks"
    )]
    TooLargeFor32Bits {
        /// The maximum size in bytes.
        limit_bytes: u64,
    },
    /// A percentage is out of range.
    #[error("{what} of {percent} % is not within 0 to {limit} %")]
    Percentage {
        /// The option with the percentage.
        what: &'static str,
        /// The given value.
        percent: u8,
        /// The maximum value.
        limit: u8,
    },
    /// Two options conflict.
    #[error("{what} cannot be combined with {with}; {remedy}")]
    Conflict {
        /// One of the options.
        what: &'static str,
        /// The other option.
        with: &'static str,
        /// The way to resolve the conflict.
        remedy: &'static str,
    },
    /// The filesystem is larger than the limit of its growth.
    #[error(
        "the filesystem has {size_bytes} bytes and the limit of its growth is {limit_bytes}; \
         raise that limit, or disable resize_inode"
    )]
    ResizeLimit {
        /// The size of the filesystem, in bytes.
        size_bytes: u64,
        /// The limit of its growth, in bytes.
        limit_bytes: u64,
    },
    /// More backups of the superblock were requested than `s_backup_bgs` can list.
    #[error(
        "{requested} copies of the superblock are too many: sparse_super2 has at most {limit} besides the first"
    )]
    Backups {
        /// The requested number.
        requested: u8,
        /// The maximum number.
        limit: u8,
    },
    /// The alignment of data is not a valid page size.
    #[error("the alignment of {bytes} bytes for data is not a power of two from {} to {}", .limits.0, .limits.1)]
    DataAlignment {
        /// The given value.
        bytes: u64,
        /// The minimum and the maximum, in bytes.
        limits: (u64, u64),
    },
    /// The offset of the filesystem is not a multiple of its block size, so that data cannot be
    /// aligned.
    #[error(
        "data cannot be aligned in a filesystem at byte {offset} of the address space: that is not a multiple of its blocks \
         of {block_size} bytes"
    )]
    FilesystemOffset {
        /// The offset of the filesystem, in bytes.
        offset: u64,
        /// The block size, in bytes.
        block_size: u64,
    },
    /// Two files cannot share blocks.
    #[error("{} cannot have the blocks of {}", .path.escape_ascii(), .with.escape_ascii())]
    Unshareable {
        /// The path of the file that was to share the blocks of the other.
        path: Vec<u8>,
        /// The path of the other file.
        with: Vec<u8>,
        /// The reason.
        #[source]
        reason: Unshareable,
    },
    /// The length of the journal is out of range.
    #[error("a journal of {blocks} blocks is not within {} to {} blocks", .limits.0, .limits.1)]
    JournalSize {
        /// The requested length, in blocks.
        blocks: u32,
        /// The minimum and the maximum, in blocks.
        limits: (u32, u32),
    },
}

impl Error {
    pub(crate) fn unrepresentable(path: Vec<u8>, reason: impl Into<Unrepresentable>) -> Self {
        Self::Unrepresentable { path, reason: Box::new(reason.into()) }
    }
}

/// A reason why two files cannot share blocks.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unshareable {
    /// One of them is not a regular file.
    #[error("both must be regular files")]
    NotRegular,
    /// Their lengths differ.
    #[error("the one has {len} bytes, the other {with_len}")]
    Length {
        /// The length of the file that was to share the blocks of the other, in bytes.
        len: u64,
        /// The length of the other file, in bytes.
        with_len: u64,
    },
    /// The other is not earlier in the order of the walk, or itself shares the blocks of a third.
    #[error("the other must be the first of all files with these blocks, in the order of the tree's walk")]
    NotFirst,
}

/// A reason why ext4 cannot represent a file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Unrepresentable {
    /// The number of blocks of the file exceeds 32 bits.
    #[error("the file has {len} bytes, the limit of ext4 with blocks of {} bytes is {limit}", .limit / u64::from(u32::MAX))]
    FileTooLarge {
        /// The file's length in bytes.
        len: u64,
        /// The maximum length in bytes.
        limit: u64,
    },
    /// The target of a symbolic link, with a NUL after it, is longer than a block.
    #[error(
        "the target has {len} bytes, the limit of ext4 with blocks of {} bytes is {limit}; choose larger blocks",
        .limit + 1
    )]
    TargetTooLong {
        /// The target's length in bytes.
        len: usize,
        /// The maximum length in bytes.
        limit: usize,
    },
    /// The file has more hard links than `i_links_count` can represent.
    #[error("the file has {count} names, the limit of ext4 is {limit}")]
    TooManyLinks {
        /// The number of names.
        count: u64,
        /// The maximum number.
        limit: u64,
    },
    /// A directory without an index contains more directories than its link count can represent.
    #[error(
        "the directory has {count} directories in it, the limit of ext4 without dir_index is {limit}; enable dir_index"
    )]
    TooManyDirectories {
        /// The number of subdirectories.
        count: u64,
        /// The maximum number.
        limit: u64,
    },
    /// The time does not fit in the 34 bits for seconds.
    #[error(
        "its mtime, {} s since 1970, is not within {} to {} s", .time.seconds(), .limits.0, .limits.1
    )]
    Time {
        /// The time.
        time: Timestamp,
        /// The minimum and maximum, in seconds.
        limits: (i64, i64),
    },
    /// The device number has more than 12 bits (major) or 20 bits (minor).
    #[error("device number {}:{} does not fit: the limits are 4095 and 1048575", .0.major, .0.minor)]
    Device(Device),
    /// `lost+found` is not a directory.
    #[error("the name is e2fsck's, which needs it to be a directory; remove or rename it")]
    LostAndFound,
    /// A directory cannot be laid out.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// An extended attribute cannot be stored.
    #[error(transparent)]
    Xattr(#[from] XattrError),
}

/// An error for a volume label of more than 16 bytes, or with a NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelError(pub(crate) Vec<u8>);

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.0.escape_ascii();
        write!(f, "label \"{label}\" has {} bytes; a label is at most 16 bytes without NUL", self.0.len())
    }
}

impl std::error::Error for LabelError {}
