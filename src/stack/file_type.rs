//! The type of a file, for messages.

use std::fmt;

use image_tree::Kind;

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
