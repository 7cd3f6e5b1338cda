//! The report on adding a source.

use std::collections::BTreeSet;
use std::fmt;

use image_tree::{InodeId, Kind};

use super::Markers;

/// The report on adding one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files of earlier sources that the source replaced, in its order.
    pub replaced: Vec<Replaced>,
    /// Directories without a member, by their ids in the stack's tree.
    pub implied: BTreeSet<InodeId>,
    /// Markers that were kept as files, unless that was requested.
    pub markers: Markers,
    /// The number of names that whiteouts and opaque directories removed.
    pub hidden: u64,
    /// The number of directories created without a member, including those that got a member later.
    pub(super) made: u64,
}

/// A file of an earlier source that a later one replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its path.
    pub path: Vec<u8>,
    /// The type of the earlier file.
    pub was: FileType,
    /// The type of the later file.
    pub now: FileType,
}

impl Replaced {
    /// Returns true if a directory replaced a symbolic link, as `lib/` over `lib -> usr/lib` does.
    /// It is rarely wanted, since the target of the link is not merged with the directory.
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

/// The type of a file, for messages.
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
