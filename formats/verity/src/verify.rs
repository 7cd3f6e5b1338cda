//! Verification of data against a hash area and a trusted root hash.

use std::io;

use image_tree::Content;
use thiserror::Error;

use crate::data_blocks::DataBlocks;
use crate::layout::digests_per_block;
use crate::{Layout, RootHash};

/// Verifies data against a hash area: the hash blocks against the root hash, and the data blocks
/// against the hash blocks.
///
/// All levels but level 0 are verified first; hash blocks of level 0 are read and verified as they
/// are needed. So the memory is 1/128 of the hash area with SHA-256 and blocks of 4096 bytes, and
/// hostile areas are left at their first bad block.
#[derive(Debug)]
pub struct Verifier<'a, C: ?Sized> {
    layout: Layout,
    blocks: DataBlocks,
    area: &'a C,
    /// The offset of the hash tree in the area's content, in bytes.
    tree_offset: u64,
    /// The trusted digests of the blocks of level 0, or of the only data block if there is none.
    digests: Vec<u8>,
}

/// A failed verification.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A data block does not have the digest of its hash block.
    #[error("data block {block} at offset {offset} is not what the hash tree was made of")]
    DataBlock {
        /// The index of the block.
        block: u64,
        /// Its offset in the data, in bytes.
        offset: u64,
    },
    /// A hash block does not have the digest of the level above, or of the root hash.
    #[error("hash block {block} of level {level} at offset {offset} is damaged, or the root hash is wrong")]
    HashBlock {
        /// The level; 0 has the digests of data blocks.
        level: usize,
        /// The index of the block in its level.
        block: u64,
        /// Its offset in the content of the hash area, in bytes.
        offset: u64,
    },
    /// The hash area ends before the hash tree does.
    #[error("the hash area ends at {len} bytes, the hash tree ends at {needed}")]
    AreaTooShort {
        /// The length of the content in bytes.
        len: u64,
        /// The end of the hash tree in bytes.
        needed: u64,
    },
    /// The root hash is not one of the tree's algorithm, or the data is not whole blocks of it.
    #[error("the data or its root hash does not fit the hash tree")]
    Input(#[from] crate::Error),
    /// The hash area cannot be read.
    #[error("cannot read the hash area")]
    Read(#[from] io::Error),
}

impl<'a, C: Content + ?Sized> Verifier<'a, C> {
    /// Verifies all levels of the hash tree but level 0. The hash area, with its superblock if the
    /// layout has one, starts at `area_offset` bytes of the content.
    ///
    /// # Errors
    /// Returns an error that names the first bad hash block, from the top down, or says that the
    /// area cannot be read or is too short.
    pub fn new(
        layout: &Layout,
        root_hash: &RootHash,
        area: &'a C,
        area_offset: u64,
    ) -> Result<Self, VerifyError> {
        layout.check_root_hash(root_hash)?;
        let needed = area_offset.saturating_add(layout.hash_area_len());
        if needed > area.len() {
            return Err(VerifyError::AreaTooShort { len: area.len(), needed });
        }
        let mut verifier = Self {
            layout: layout.clone(),
            blocks: DataBlocks::new(layout.options()),
            area,
            tree_offset: area_offset + layout.superblock_len(),
            digests: root_hash.as_bytes().to_vec(),
        };
        for level in (1..layout.levels().len()).rev() {
            let mut digests = Vec::new();
            for block in 0..layout.levels()[level].blocks {
                digests.extend(verifier.read_hash_block(level, block)?);
            }
            verifier.digests = digests;
        }
        Ok(verifier)
    }

    /// Verifies consecutive data blocks, of which `first` is the index of the first one. Several
    /// threads may verify different blocks; few hash blocks are read twice if each call has the
    /// blocks of whole hash blocks, such as a multiple of 512 KiB with SHA-256 and blocks of 4096
    /// bytes.
    ///
    /// # Errors
    /// Returns an error that names the first bad block among these.
    pub fn verify(&self, first: u64, data: &[u8]) -> Result<(), VerifyError> {
        let (block_size, digest_len) = (self.layout.options().data_block_size, self.digest_len());
        self.check_range(first, data.len() as u64)?;
        let per_block = u64::from(digests_per_block(self.layout.options()));
        let mut hash_block: Option<(u64, Vec<u8>)> = None;
        let digests = self.blocks.digests(data);
        for (block, digest) in (first..).zip(digests.chunks_exact(digest_len)) {
            let leaf = match hash_block.take() {
                Some((index, leaf)) if index == block / per_block => leaf,
                _ => self.read_leaf(block / per_block)?,
            };
            // OK to unwrap: it is less than the digests of a block.
            let slot = usize::try_from(block % per_block).expect("less than a block");
            if leaf[slot * digest_len..][..digest_len] != *digest {
                return Err(VerifyError::DataBlock { block, offset: block * block_size.as_u64() });
            }
            hash_block = Some((block / per_block, leaf));
        }
        Ok(())
    }

    fn check_range(&self, first: u64, len: u64) -> Result<(), crate::Error> {
        let (block_size, data_len) = (self.layout.options().data_block_size, self.layout.data_len());
        if !len.is_multiple_of(block_size.as_u64()) {
            return Err(crate::Error::PartialBlock { len, block_size: block_size.bytes() });
        }
        let offset = first.saturating_mul(block_size.as_u64());
        if offset.checked_add(len).is_none_or(|end| end > data_len) {
            return Err(crate::Error::BeyondData { offset, len, data_len });
        }
        Ok(())
    }

    /// Returns a verified hash block of level 0, or the root hash if there is none.
    fn read_leaf(&self, index: u64) -> Result<Vec<u8>, VerifyError> {
        if self.layout.levels().is_empty() {
            Ok(self.digests.clone())
        } else {
            self.read_hash_block(0, index)
        }
    }

    /// Reads a block of a level and compares it with its digest, which must be in `digests`.
    fn read_hash_block(&self, level: usize, block: u64) -> Result<Vec<u8>, VerifyError> {
        let block_size = self.layout.options().hash_block_size;
        let index = self.layout.levels()[level].first_block + block;
        let offset = self.tree_offset + index * block_size.as_u64();
        let mut bytes = vec![0; block_size.as_usize()];
        self.area.read_at(&mut bytes, offset)?;
        let mut digest = vec![0; self.digest_len()];
        self.blocks.hasher().hash(&bytes, &mut digest);
        // OK to unwrap: the digests of the level are in memory. They are contiguous, because
        // digests fill their blocks.
        let slot = usize::try_from(block).expect("an index of memory");
        if self.digests[slot * digest.len()..][..digest.len()] != digest {
            return Err(VerifyError::HashBlock { level, block, offset });
        }
        Ok(bytes)
    }

    fn digest_len(&self) -> usize {
        // OK to unwrap: a digest has at most 64 bytes.
        usize::try_from(self.layout.options().algorithm.digest_len()).expect("a digest is short")
    }
}
