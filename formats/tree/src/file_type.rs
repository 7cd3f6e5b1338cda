//! The types of files.

use std::fmt;

/// The type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// All types.
    pub const ALL: [Self; 7] = [
        Self::Directory,
        Self::Regular,
        Self::Symlink,
        Self::CharacterDevice,
        Self::BlockDevice,
        Self::Fifo,
        Self::Socket,
    ];

    /// The type bits of `st_mode` (`S_IFMT`).
    pub const MASK: u16 = 0o170_000;

    /// Returns the bits of this type in `st_mode`.
    #[must_use]
    pub const fn bits(self) -> u16 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharacterDevice => 0o020_000,
            Self::Directory => 0o040_000,
            Self::BlockDevice => 0o060_000,
            Self::Regular => 0o100_000,
            Self::Symlink => 0o120_000,
            Self::Socket => 0o140_000,
        }
    }

    /// Returns the type in a value of `st_mode`, if its bits are those of one.
    #[must_use]
    pub fn from_mode(mode: u32) -> Option<Self> {
        let bits = mode & u32::from(Self::MASK);
        Self::ALL.into_iter().find(|file_type| u32::from(file_type.bits()) == bits)
    }

    /// Returns the name with its article, for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_a_mode_give_the_type() {
        for file_type in FileType::ALL {
            assert_eq!(FileType::from_mode(u32::from(file_type.bits()) | 0o7755), Some(file_type));
        }
        assert_eq!(FileType::from_mode(0o755), None);
        assert_eq!(FileType::from_mode(0o030_000), None);
    }
}
