//! Inodes: metadata and the kind of file.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::file_type::FileType;
use crate::{InodeId, LinkTarget, Name, XattrName};

/// Extended attributes by full name, as returned by `getxattr(2)`.
pub type Xattrs = BTreeMap<XattrName, Box<[u8]>>;

/// One file of the tree, independent of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode<C> {
    /// Owner, mode, time and xattrs.
    pub metadata: Metadata,
    /// The kind of file.
    pub kind: Kind<C>,
}

impl<C> Inode<C> {
    /// Creates an empty directory.
    #[must_use]
    pub fn directory(metadata: Metadata) -> Self {
        Self { metadata, kind: Kind::Directory(BTreeMap::new()) }
    }
}

/// The metadata that every inode has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Permission, set-id and sticky bits: 0 to 0o7777. The type is in [`Kind`].
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The time of the last modification.
    pub mtime: Timestamp,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl Metadata {
    /// Creates the metadata of a file owned by root, with mtime 0 and without xattrs. Bits of
    /// `mode` outside 0o7777 are dropped.
    #[must_use]
    pub fn new(mode: u16) -> Self {
        Self { mode: mode & 0o7777, uid: 0, gid: 0, mtime: Timestamp::EPOCH, xattrs: Xattrs::new() }
    }
}

/// The kind of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<C> {
    /// A directory and its entries, without `.` and `..`.
    Directory(BTreeMap<Name, InodeId>),
    /// A regular file and its content.
    Regular(C),
    /// A symbolic link.
    Symlink(LinkTarget),
    /// A character device.
    CharacterDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl<C> Kind<C> {
    /// Returns the type of the file.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        match self {
            Kind::Directory(_) => FileType::Directory,
            Kind::Regular(_) => FileType::Regular,
            Kind::Symlink(_) => FileType::Symlink,
            Kind::CharacterDevice(_) => FileType::CharacterDevice,
            Kind::BlockDevice(_) => FileType::BlockDevice,
            Kind::Fifo => FileType::Fifo,
            Kind::Socket => FileType::Socket,
        }
    }

    /// Returns the type bits of `st_mode` (`S_IFMT`).
    #[must_use]
    pub fn type_bits(&self) -> u16 {
        self.file_type().bits()
    }
}

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// The major number, which selects the driver.
    pub major: u32,
    /// The minor number, which selects a device of the driver.
    pub minor: u32,
}

/// A time since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

/// An error for a number of nanoseconds that is not below 1,000,000,000.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0} nanoseconds are not below 1000000000")]
pub struct TimestampError(pub u32);

impl Timestamp {
    /// 1970-01-01 00:00:00 UTC.
    pub const EPOCH: Self = Self { seconds: 0, nanoseconds: 0 };

    /// Creates a time `nanoseconds` after `seconds`, which may be negative.
    ///
    /// # Errors
    /// Returns an error if `nanoseconds` is not below 1,000,000,000.
    pub fn new(seconds: i64, nanoseconds: u32) -> Result<Self, TimestampError> {
        if nanoseconds >= 1_000_000_000 {
            return Err(TimestampError(nanoseconds));
        }
        Ok(Self { seconds, nanoseconds })
    }

    /// Creates a time in whole seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`Timestamp::seconds`]: 0 to 999,999,999.
    #[must_use]
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }
}
