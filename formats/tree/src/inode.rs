//! One inode: its metadata and what kind of file it is.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::{InodeId, LinkTarget, Name, XattrName};

/// Extended attributes by full name, as `getxattr(2)` gives them.
pub type Xattrs = BTreeMap<XattrName, Box<[u8]>>;

/// One file of the tree, whatever its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode<C> {
    /// Owner, mode, time and xattrs.
    pub metadata: Metadata,
    /// What the file is.
    pub kind: Kind<C>,
}

impl<C> Inode<C> {
    /// A directory with no entries yet.
    #[must_use]
    pub fn directory(metadata: Metadata) -> Self {
        Self { metadata, kind: Kind::Directory(BTreeMap::new()) }
    }
}

/// What every inode has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Permission, set-id and sticky bits: 0 to 0o7777. The type is in [`Kind`].
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl Metadata {
    /// Metadata of a file of root's, from the epoch, without xattrs. Bits of `mode` outside 0o7777 are dropped.
    #[must_use]
    pub fn new(mode: u16) -> Self {
        Self { mode: mode & 0o7777, uid: 0, gid: 0, mtime: Timestamp::EPOCH, xattrs: Xattrs::new() }
    }
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<C> {
    /// A directory and its entries, without `.` and `..`.
    Directory(BTreeMap<Name, InodeId>),
    /// A regular file and where its bytes are.
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
    /// The type bits of `st_mode` (`S_IFMT`).
    #[must_use]
    pub fn type_bits(&self) -> u16 {
        match self {
            Kind::Fifo => 0o010_000,
            Kind::CharacterDevice(_) => 0o020_000,
            Kind::Directory(_) => 0o040_000,
            Kind::BlockDevice(_) => 0o060_000,
            Kind::Regular(_) => 0o100_000,
            Kind::Symlink(_) => 0o120_000,
            Kind::Socket => 0o140_000,
        }
    }
}

/// A device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// Which of the driver's devices.
    pub minor: u32,
}

/// A time since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

/// Nanoseconds of a second that are not below 1,000,000,000.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{0} nanoseconds are not below 1000000000")]
pub struct TimestampError(pub u32);

impl Timestamp {
    /// 1970-01-01 00:00:00 UTC.
    pub const EPOCH: Self = Self { seconds: 0, nanoseconds: 0 };

    /// A time `nanoseconds` after `seconds`, which may be negative.
    ///
    /// # Errors
    /// When `nanoseconds` is a second or more.
    pub fn new(seconds: i64, nanoseconds: u32) -> Result<Self, TimestampError> {
        if nanoseconds >= 1_000_000_000 {
            return Err(TimestampError(nanoseconds));
        }
        Ok(Self { seconds, nanoseconds })
    }

    /// A time of whole seconds.
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
