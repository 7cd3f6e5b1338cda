//! The two kinds of hash trees.

use crate::Error;

/// The version of the hash tree: `hash_type` of the superblock, `<version>` of the kernel's table,
/// `--format` of veritysetup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HashType {
    /// 0, the original of Chrome OS: the salt follows each block.
    ChromeOs,
    /// 1, the normal one: the salt precedes each block.
    #[default]
    Normal,
}

impl HashType {
    /// Returns the hash type of this number.
    ///
    /// # Errors
    /// Returns an error unless it is 0 or 1.
    pub fn new(number: u32) -> Result<Self, Error> {
        match number {
            0 => Ok(HashType::ChromeOs),
            1 => Ok(HashType::Normal),
            _ => Err(Error::HashType { number }),
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            HashType::ChromeOs => 0,
            HashType::Normal => 1,
        }
    }
}
