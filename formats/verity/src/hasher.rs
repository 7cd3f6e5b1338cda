//! The hasher of the data: takes bytes in any order, keeps digests.

mod leaves;
mod partial;

use std::fmt;

pub(crate) use leaves::Leaf;
use leaves::Leaves;
use partial::PartialBlocks;

use crate::data_blocks::DataBlocks;
use crate::fec::Accumulator;
use crate::{Error, HashTree, Layout};

/// Hashes data that is given in any order, in pieces of any length and by several threads.
///
/// Each byte of the data must be given exactly once; a byte that is given twice, or not at all, is
/// an error. The hasher keeps a digest for each data block that is not in a group of zeros as large
/// as a hash block describes, the parity if the layout has forward error correction, and the bytes
/// of blocks of which only a part has been given.
pub struct DataHasher {
    layout: Layout,
    blocks: DataBlocks,
    leaves: Leaves,
    partial: PartialBlocks,
    parity: Option<Accumulator>,
}

impl DataHasher {
    /// Creates a hasher for data of the planned length.
    ///
    /// # Errors
    /// Returns an error if the groups of digests do not fit in memory.
    pub fn new(layout: &Layout) -> Result<Self, Error> {
        let blocks = DataBlocks::new(layout.options());
        Ok(Self {
            leaves: Leaves::new(layout, blocks.zero_digest())?,
            partial: PartialBlocks::new(layout.options().data_block_size),
            parity: layout.fec().map(Accumulator::new).transpose()?,
            blocks,
            layout: layout.clone(),
        })
    }

    /// Takes the bytes at an offset of the data. Whole blocks are hashed by the calling thread.
    ///
    /// # Errors
    /// Returns an error if the bytes are not within the data, or were given before.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.check_range(offset, bytes.len() as u64)?;
        let block_size = self.layout.options().data_block_size;
        let (head, whole, tail) = split(offset, bytes.len() as u64, block_size.as_u64());
        // OK to unwrap: the parts are not longer than the slice.
        let part = |len| usize::try_from(len).expect("a part of a slice");
        let (head_bytes, rest) = bytes.split_at(part(head));
        let (whole_bytes, tail_bytes) = rest.split_at(part(whole));
        self.give_part(offset, head_bytes.len(), Some(head_bytes))?;
        self.hash_blocks((offset + head) / block_size.as_u64(), whole_bytes)?;
        self.give_part(offset + head + whole, tail_bytes.len(), Some(tail_bytes))?;
        debug_assert_eq!(tail, tail_bytes.len() as u64);
        Ok(())
    }

    /// Takes `len` zeros at an offset of the data, without hashing whole blocks: the digest of
    /// zeros is a constant.
    ///
    /// # Errors
    /// Returns an error if the zeros are not within the data, or were given before.
    pub fn zeros_at(&self, offset: u64, len: u64) -> Result<(), Error> {
        self.check_range(offset, len)?;
        let block_size = self.layout.options().data_block_size.as_u64();
        let (head, whole, tail) = split(offset, len, block_size);
        // OK to unwrap: both parts are shorter than a block.
        let part = |len| usize::try_from(len).expect("less than a block");
        self.give_part(offset, part(head), None)?;
        let first = (offset + head) / block_size;
        self.leaves.set_zeros(first, whole / block_size)?;
        self.give_part(offset + head + whole, part(tail), None)
    }

    fn check_range(&self, offset: u64, len: u64) -> Result<(), Error> {
        let data_len = self.layout.data_len();
        if offset.checked_add(len).is_none_or(|end| end > data_len) {
            return Err(Error::BeyondData { offset, len, data_len });
        }
        Ok(())
    }

    /// Keeps bytes that are not a whole block, `None` for zeros, until they have become one.
    fn give_part(&self, offset: u64, len: usize, bytes: Option<&[u8]>) -> Result<(), Error> {
        if len == 0 {
            return Ok(());
        }
        let block_size = self.layout.options().data_block_size.as_u64();
        let block = offset / block_size;
        // OK to unwrap: it is less than a block.
        let start = usize::try_from(offset % block_size).expect("less than a block");
        if self.leaves.is_given(block) {
            return Err(Error::GivenTwice { block });
        }
        match self.partial.give(block, start..start + len, bytes)? {
            Some(complete) => self.hash_blocks(block, &complete),
            None => Ok(()),
        }
    }

    /// Hashes whole blocks and stores their digests.
    fn hash_blocks(&self, mut first: u64, bytes: &[u8]) -> Result<(), Error> {
        /// The number of blocks whose digests are not stored yet: more than are hashed at once.
        const BATCH: usize = 256;
        for batch in bytes.chunks(BATCH * self.layout.options().data_block_size.as_usize()) {
            let count = self.leaves.set(first, &self.blocks.digests(batch))?;
            if let Some(parity) = &self.parity {
                parity.add(first, batch);
            }
            first += count;
        }
        Ok(())
    }

    /// Computes the upper levels of the tree and the root hash.
    ///
    /// # Errors
    /// Returns an error that names the first block of which not all bytes were given.
    pub fn finish(self) -> Result<HashTree, Error> {
        let partial = self.partial.first();
        let missing = self.leaves.first_missing();
        if let Some(block) = partial.into_iter().chain(missing).min() {
            return Err(Error::NotGiven { block });
        }
        Ok(HashTree::build(self.layout, &self.blocks, self.leaves.into_groups(), self.parity))
    }
}

impl fmt::Debug for DataHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataHasher").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// Splits a range into the part before the first boundary of a block, whole blocks, and the rest.
fn split(offset: u64, len: u64, block_size: u64) -> (u64, u64, u64) {
    let to_boundary = (block_size - offset % block_size) % block_size;
    let head = to_boundary.min(len);
    let whole = (len - head) / block_size * block_size;
    (head, whole, len - head - whole)
}

#[cfg(test)]
mod tests;
