//! The report on an ext4 filesystem.

use std::fmt;

use mkfs_ext4::{Options, Summary};
use serde::Serialize;

use crate::filesystem::Label;
use crate::shown::{ByteCount, Count};

/// The section of a report on an ext4 filesystem.
#[derive(Clone, Debug, Serialize)]
pub struct Ext4Report {
    /// The UUID.
    pub uuid: String,
    /// The label; empty for none.
    pub label: String,
    /// The block size in bytes.
    pub block_size: u32,
    /// The number of blocks.
    pub blocks: u64,
    /// The number of free blocks.
    pub free_blocks: u64,
    /// The number of free blocks that are available to ordinary users once it is mounted, as `df`
    /// shows them.
    pub available_blocks: u64,
    /// The number of inodes.
    pub inodes: u32,
    /// The number of free inodes.
    pub free_inodes: u32,
    /// The number of block groups.
    pub groups: u32,
    /// The number of journal blocks; 0 without a journal.
    pub journal_blocks: u32,
    /// The profile.
    pub profile: &'static str,
    /// The number of files that share the blocks of another.
    pub shared_files: u32,
    /// The number of blocks saved by sharing.
    pub shared_blocks: u64,
    /// The number of files with holes.
    pub sparse_files: u32,
    /// The number of bytes in these holes.
    pub hole_bytes: u64,
}

impl Ext4Report {
    /// Returns the report on a planned filesystem of a profile.
    pub(super) fn new(summary: &Summary, options: &Options, label: &Label, profile: &'static str) -> Self {
        Self {
            uuid: options.uuid.to_string(),
            label: label.to_string(),
            block_size: summary.block_size,
            blocks: summary.blocks,
            free_blocks: summary.free_blocks,
            available_blocks: summary.available_blocks,
            inodes: summary.inodes,
            free_inodes: summary.free_inodes,
            groups: summary.groups,
            journal_blocks: summary.journal_blocks,
            profile,
            shared_files: summary.shared_files,
            shared_blocks: summary.shared_blocks,
            sparse_files: summary.sparse_files,
            hole_bytes: summary.hole_blocks * u64::from(summary.block_size),
        }
    }
}

impl fmt::Display for Ext4Report {
    /// Writes the lines of a plan.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = u64::from(self.block_size);
        let blocks = |number: u64| Count(number, "block", "blocks");
        let bytes = |blocks: u64| ByteCount(blocks.saturating_mul(block));
        writeln!(f, "filesystem     ext4, UUID {}", self.uuid)?;
        writeln!(f, "  profile      {}", self.profile)?;
        if !self.label.is_empty() {
            writeln!(f, "  label        {}", self.label)?;
        }
        let groups = Count(self.groups, "group", "groups");
        writeln!(f, "  blocks       {} of {block} bytes in {groups}", self.blocks)?;
        match self.journal_blocks {
            0 => writeln!(f, "  journal      none")?,
            blocks => writeln!(f, "  journal      {blocks} blocks, {}", bytes(blocks.into()))?,
        }
        if self.shared_files > 0 {
            let files = Count(self.shared_files, "file shares", "files share");
            let saved = bytes(self.shared_blocks);
            writeln!(f, "  shared       {files} {saved} with others, so it is for reading only")?;
        }
        if self.sparse_files > 0 {
            let files = Count(self.sparse_files, "file", "files");
            writeln!(f, "  holes        {} in {files}", ByteCount(self.hole_bytes))?;
        }
        writeln!(f, "  inodes       {}, {} of them free", self.inodes, self.free_inodes)?;
        let (free, available) = (self.free_blocks, self.available_blocks);
        writeln!(f, "  available    {}, {}, of {}", blocks(available), bytes(available), blocks(free))
    }
}
