//! The options of a filesystem.

mod block_size;
mod label;

use image_tree::Timestamp;
use uuid::Uuid;

pub use block_size::BlockSize;
pub use label::Label;

/// The options of a filesystem. No default differs between runs: the identifier and the time are
/// given by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// `uuid`.
    pub uuid: Uuid,
    /// `volume_name`.
    pub label: Label,
    /// The size of a block.
    pub block_size: BlockSize,
    /// The regular files whose tails are stored behind their inodes. Directories and symbolic links
    /// always are, if they fit.
    pub inline: Inline,
    /// Leaves chunks without data, by [`Content::data_ranges`](image_tree::Content::data_ranges),
    /// unallocated: holes. Otherwise every block of every file is stored.
    pub holes: bool,
    /// The length of the image in bytes, with zeros behind the filesystem; `None` for no more than
    /// the filesystem.
    pub len: Option<u64>,
    /// The time of the build, of which the seconds are stored as far as they fit.
    pub created: Timestamp,
    /// The beginnings of names of extended attributes that are stored once, in a table, such as
    /// `trusted.overlay.`. A kernel before 6.4 refuses a filesystem with such a table.
    pub xattr_prefixes: Vec<Vec<u8>>,
}

impl Options {
    /// The maximum number of names of a file.
    pub const MAX_LINKS: u64 = u32::MAX as u64;

    /// Creates options with this identifier and the defaults: blocks of 4096 bytes, tails behind
    /// inodes, holes, no label, creation time 0.
    #[must_use]
    pub fn new(uuid: Uuid) -> Self {
        Self {
            uuid,
            label: Label::default(),
            block_size: BlockSize::default(),
            inline: Inline::Tails,
            holes: true,
            len: None,
            created: Timestamp::EPOCH,
            xattr_prefixes: Vec::new(),
        }
    }
}

/// The regular files whose tails are stored behind their inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inline {
    /// None: the data of every file begins and ends with a block, as DAX needs it.
    None,
    /// All files with a tail that fits into the block of the inode.
    #[default]
    Tails,
}
