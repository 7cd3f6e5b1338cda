//! The report on adding a source.

use std::collections::BTreeSet;
use std::fmt;

use image_tree::{InodeId, Kind};

use super::Markers;

/// The report on adding one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files of earlier sources that the source has something else for, in its order.
    pub replaced: Vec<Replaced>,
    /// Directories that no member was for, by their ids in the stack's tree.
    pub implied: BTreeSet<InodeId>,
    /// Markers that were kept as files, unless that was asked for.
    pub markers: Markers,
    /// The number of names that whiteouts and opaque directories took away.
    pub hidden: u64,
    /// The number of directories that were made without a member, those that a member came for later among them.
    pub(super) made: u64,
}

/// A file of an earlier source that a later one has something else for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its path.
    pub path: Vec<u8>,
    /// Its type before.
    pub was: FileType,
    /// The type of what is there now.
    pub now: FileType,
}

impl Replaced {
    /// Returns true where a directory took the place of a symbolic link, as where `lib/` comes over `lib -> usr/lib`. It
    /// is seldom what anybody wants, since what the link led to is not merged with what is in the directory.
    #[must_use]
    pub fn is_link_by_directory(&self) -> bool {
        (self.was, self.now) == (FileType::Symlink, FileType::Directory)
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} replaced by {}", self.path.escape_ascii(), self.was, self.now)
    }
}

/// The kind of a file, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A directory.
    Directory,
    /// A regular file.
    Regular,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl FileType {
    pub(super) fn of<C>(kind: &Kind<C>) -> Self {
        match kind {
            Kind::Directory(_) => Self::Directory,
            Kind::Regular(_) => Self::Regular,
            Kind::Symlink(_) => Self::Symlink,
            Kind::CharacterDevice(_) => Self::CharacterDevice,
            Kind::BlockDevice(_) => Self::BlockDevice,
            Kind::Fifo => Self::Fifo,
            Kind::Socket => Self::Socket,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::Regular => "a file",
            Self::Symlink => "a symbolic link",
            Self::CharacterDevice => "a character device",
            Self::BlockDevice => "a block device",
            Self::Fifo => "a fifo",
            Self::Socket => "a socket",
        }
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
