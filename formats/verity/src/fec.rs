//! Forward error correction: Reed–Solomon code words across all blocks of data and hash tree.
//!
//! ```text
//! blocks    0 1 2 … │ rounds, rounds+1 … │ 2·rounds … │ … 255−roots such groups
//!           ▲         ▲                    ▲
//!           the first bytes of these blocks, and `roots` bytes of parity, are the first code word
//!
//! FEC area  parity of byte 0 of blocks 0, rounds, … │ of byte 1 │ … │ of byte 0 of blocks 1, … │ …
//! ```
//!
//! Blocks behind the last one count as zeros. The code is that of
//! `Documentation/admin-guide/device-mapper/verity.rst` and of cryptsetup: the field of
//! [`gf256`](self::gf256), roots α⁰ to α^(roots−1).

mod area;
mod gf256;
mod parity;

use crate::{BlockSize, FecRoots};

pub use area::FecArea;
pub(crate) use parity::{Accumulator, Parity};

/// The layout of an FEC area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FecLayout {
    roots: FecRoots,
    block_size: BlockSize,
    blocks: u64,
}

impl FecLayout {
    pub(crate) fn new(roots: FecRoots, block_size: BlockSize, blocks: u64) -> Self {
        Self { roots, block_size, blocks }
    }

    /// The parity bytes of each code word.
    #[must_use]
    pub fn roots(self) -> FecRoots {
        self.roots
    }

    /// The number of blocks that are covered: the data blocks and the blocks of the hash tree, but
    /// not the superblock.
    #[must_use]
    pub fn blocks(self) -> u64 {
        self.blocks
    }

    /// The number of groups of blocks that share code words; also the distance of two blocks of a
    /// code word.
    #[must_use]
    pub fn rounds(self) -> u64 {
        self.blocks.div_ceil(self.roots.data_bytes().into())
    }

    /// The length of the FEC area in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an FEC area has at least one block")]
    pub fn len(self) -> u64 {
        self.rounds() * u64::from(self.roots.get()) * self.block_size.as_u64()
    }

    pub(crate) fn len_checked(self) -> Option<u64> {
        let blocks = self.rounds().checked_mul(self.roots.get().into())?;
        blocks.checked_mul(self.block_size.as_u64())
    }
}
