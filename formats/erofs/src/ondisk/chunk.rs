//! The map of files that are stored in chunks (`struct erofs_inode_chunk_index`).

/// `i_u`: entries of 8 bytes instead of 4.
pub(crate) const FORMAT_INDEXES: u32 = 0x20;
/// `i_u`: entries have block numbers of 48 bits.
pub(crate) const FORMAT_48BIT: u32 = 0x40;
/// The maximum binary logarithm of the number of blocks in a chunk.
pub(crate) const MAX_LOG2: u8 = 31;
/// The block number of a hole.
const HOLE: u32 = u32::MAX;

/// The form of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entries {
    /// Block numbers of 32 bits.
    Narrow,
    /// Block numbers of 48 bits, with the number of the device.
    Wide,
}

impl Entries {
    /// The length of an entry in bytes; the map begins at a multiple of it.
    pub(crate) const fn len(self) -> u64 {
        match self {
            Self::Narrow => 4,
            Self::Wide => 8,
        }
    }

    /// Returns `i_u` of a file with chunks of 2^`log2` blocks.
    pub(crate) fn format(self, log2: u8) -> u32 {
        u32::from(log2)
            | match self {
                Self::Narrow => 0,
                Self::Wide => FORMAT_INDEXES | FORMAT_48BIT,
            }
    }

    /// Writes an entry: the first block of a chunk, or `None` for a hole.
    pub(crate) fn write(self, block: Option<u64>, out: &mut [u8]) {
        let [low, high] = match block {
            None => [HOLE, HOLE],
            Some(block) => [block & u64::from(u32::MAX), block >> 32]
                .map(|half| u32::try_from(half).expect("a half has 32 bits")),
        };
        match self {
            Self::Narrow => out.copy_from_slice(&low.to_le_bytes()),
            Self::Wide => {
                out[..2].copy_from_slice(&high.to_le_bytes()[..2]);
                out[4..].copy_from_slice(&low.to_le_bytes());
            }
        }
    }
}
