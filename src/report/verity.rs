//! The section of a report on a hash tree.

use std::fmt;

use dm_verity::{Layout, Parameters, Superblock};
use serde::Serialize;

use crate::shown::ByteCount;

/// The section of a report on a hash tree.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerityReport {
    /// The root hash in hexadecimal; `None` if nothing was written or digested.
    pub root_hash: Option<String>,
    /// The hash algorithm.
    pub hash: &'static str,
    /// The version of the tree.
    pub format: u32,
    /// The salt in hexadecimal, `-` for none.
    pub salt: String,
    /// The number of data blocks.
    pub data_blocks: u64,
    /// The size of data blocks in bytes.
    pub data_block_size: u32,
    /// The size of hash blocks in bytes.
    pub hash_block_size: u32,
    /// The UUID of the superblock; `None` if there is none.
    pub superblock: Option<String>,
    /// The offset of the superblock or else of the tree on the disk, in bytes.
    pub hash_offset: u64,
    /// The length of superblock and tree in bytes.
    pub hash_length: u64,
    /// The forward error correction; `None` if there is none.
    pub fec: Option<FecReport>,
    /// The root hash and the parameters as Kata's runtimes read them; `None` as the root hash, and
    /// for a tree that they do not read.
    pub parameters: Option<String>,
}

/// Forward error correction.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FecReport {
    /// The number of parity bytes of a code word.
    pub roots: u8,
    /// The offset of the parity in the partition of the hash tree, in bytes.
    pub offset: u64,
    /// The length of the parity in bytes.
    pub length: u64,
    /// The number of blocks that are covered.
    pub blocks: u64,
}

impl VerityReport {
    /// Returns the report on a tree whose root hash is not known yet. `hash_offset` is its offset
    /// on the disk, in bytes.
    #[must_use]
    pub fn planned(layout: &Layout, hash_offset: u64) -> Self {
        let options = layout.options();
        let uuid = |superblock: Superblock| superblock.uuid.to_string();
        Self {
            root_hash: None,
            hash: options.algorithm.name(),
            format: options.hash_type.number(),
            salt: options.salt.to_string(),
            data_blocks: layout.data_blocks(),
            data_block_size: options.data_block_size.bytes(),
            hash_block_size: options.hash_block_size.bytes(),
            superblock: layout.superblock().map(uuid),
            hash_offset,
            hash_length: layout.hash_area_len(),
            fec: layout.fec().map(|fec| FecReport {
                roots: fec.roots().get(),
                offset: layout.hash_area_len(),
                length: fec.len(),
                blocks: fec.blocks(),
            }),
            parameters: None,
        }
    }

    /// Records the root hash.
    pub fn record(&mut self, parameters: &Parameters) {
        self.root_hash = Some(parameters.root_hash.to_string());
        let is_readable = self.hash == "sha256" && self.format == 1 && self.superblock.is_none();
        self.parameters = is_readable.then(|| parameters.to_string());
    }
}

impl fmt::Display for VerityReport {
    /// Writes the lines of a plan.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hash, format, salt, data_blocks, data_block_size, hash_block_size, .. } = self;
        writeln!(f, "hash tree      {hash}, version {format}, {}", ByteCount(self.hash_length))?;
        writeln!(f, "  data         {data_blocks} blocks of {data_block_size} bytes")?;
        writeln!(f, "  hash blocks  {hash_block_size} bytes")?;
        writeln!(f, "  salt         {salt}")?;
        match &self.superblock {
            Some(uuid) => writeln!(f, "  superblock   UUID {uuid}")?,
            None => writeln!(f, "  superblock   none")?,
        }
        if let Some(FecReport { roots, offset, length, .. }) = self.fec {
            writeln!(f, "  parity       {} at {offset}, {roots} bytes for each 255", ByteCount(length))?;
        }
        match &self.root_hash {
            Some(root_hash) => writeln!(f, "  root hash    {root_hash}"),
            None => Ok(()),
        }
    }
}
