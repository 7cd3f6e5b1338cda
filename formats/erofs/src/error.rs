//! Errors of planning a filesystem.

use std::fmt;

use image_tree::acl::AclError;
use image_tree::{Device, XattrName};
use thiserror::Error;

use crate::ondisk::xattr::{MAX_BODY_LEN, MAX_VALUE_LEN};

/// An error when planning a filesystem.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// EROFS cannot represent a file of the tree.
    #[error("EROFS cannot represent {}", .path.escape_ascii())]
    Unrepresentable {
        /// The file's path in the tree.
        path: Vec<u8>,
        /// The reason.
        #[source]
        reason: Box<Unrepresentable>,
    },
    /// The requested length is too small for the filesystem.
    #[error(
        "the filesystem is {missing_bytes} bytes too small: the size is {size_bytes} bytes, the tree needs {needed_bytes}; \
         give at least that size, or none for the smallest"
    )]
    TooSmall {
        /// The requested length, in bytes.
        size_bytes: u64,
        /// The length of the filesystem, in bytes.
        needed_bytes: u64,
        /// The difference, in bytes.
        missing_bytes: u64,
    },
    /// There are more blocks than 48 bits can number, or 32 bits with compressed data.
    #[error("the filesystem has {blocks} blocks, the limit is {limit}")]
    TooManyBlocks {
        /// The needed number of blocks.
        blocks: u64,
        /// The maximum number.
        limit: u64,
    },
    /// Compressed data needs blocks of 4096 bytes.
    #[error("compressed data needs blocks of 4096 bytes, not of {0}: kernels before 6.8 cannot read it")]
    BlockSize(u64),
    /// A long prefix of xattrs does not begin with the namespace of one, or has nothing behind it.
    #[error(
        "\"{}\" is not a prefix of xattrs: it needs \"user.\", \"trusted.\" or \"security.\", and 1 to 255 bytes behind it",
        .0.escape_ascii()
    )]
    XattrPrefix(Vec<u8>),
    /// There are more long prefixes than an index can number.
    #[error("{count} prefixes of xattrs are in use, the limit is {limit}")]
    TooManyXattrPrefixes {
        /// The number of prefixes.
        count: usize,
        /// The maximum number.
        limit: usize,
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

/// A reason why EROFS cannot represent a file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Unrepresentable {
    /// The length of the file exceeds 63 bits.
    #[error("the file has {len} bytes, the limit of EROFS is {limit}")]
    FileTooLarge {
        /// The file's length in bytes.
        len: u64,
        /// The maximum length in bytes.
        limit: u64,
    },
    /// The file has more hard links than the inode can represent.
    #[error("the file has {count} names, the limit of EROFS is {limit}")]
    TooManyLinks {
        /// The number of names.
        count: u64,
        /// The maximum number.
        limit: u64,
    },
    /// The device number has more than 12 bits (major) or 20 bits (minor).
    #[error("device number {}:{} does not fit: the limits are 4095 and 1048575", .0.major, .0.minor)]
    Device(Device),
    /// An extended attribute cannot be stored.
    #[error(transparent)]
    Xattr(#[from] XattrError),
}

/// An error when storing an extended attribute.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum XattrError {
    /// The format has no index for the prefix of the name, or nothing follows the prefix.
    #[error(
        "xattr \"{0}\" has no namespace EROFS knows, or no name in it; \
         there are \"user.\", \"trusted.\" and \"security.\", and the ACLs of \"system.\""
    )]
    Namespace(XattrName),
    /// The value is not a valid POSIX ACL.
    #[error("the value of xattr \"{name}\" is not a POSIX ACL")]
    Acl {
        /// The attribute.
        name: XattrName,
        /// The error in the ACL.
        source: AclError,
    },
    /// The value is longer than its length can represent.
    #[error(
        "xattr \"{name}\" has a value of {size} bytes, the limit of EROFS is {}; drop or shorten it",
        MAX_VALUE_LEN
    )]
    ValueTooLong {
        /// The attribute.
        name: XattrName,
        /// The length of its value in bytes.
        size: usize,
    },
    /// The attributes of an inode are longer than their length can represent.
    #[error(
        "its {count} xattrs take {needed} bytes, the limit of EROFS is {}; drop or shorten xattrs, the longest is \"{longest}\"",
        MAX_BODY_LEN
    )]
    TooLarge {
        /// The number of attributes.
        count: usize,
        /// Their length with their names, in bytes.
        needed: usize,
        /// The longest attribute.
        longest: XattrName,
    },
}

impl XattrError {
    /// The name of the attribute.
    #[must_use]
    pub fn name(&self) -> &XattrName {
        match self {
            Self::Namespace(name)
            | Self::Acl { name, .. }
            | Self::ValueTooLong { name, .. }
            | Self::TooLarge { longest: name, .. } => name,
        }
    }
}

/// An error for a volume label of more than 15 bytes, or with a NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelError(pub(crate) Vec<u8>);

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.0.escape_ascii();
        let len = self.0.len();
        write!(f, "label \"{label}\" has {len} bytes; a label of EROFS is at most 15 bytes without NUL")
    }
}

impl std::error::Error for LabelError {}
