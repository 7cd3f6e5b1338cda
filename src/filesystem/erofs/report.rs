//! The report on an EROFS filesystem.

use std::fmt;

use mkfs_erofs::{Codec, Options, Summary};
use serde::Serialize;

use crate::filesystem::Label;
use crate::shown::{ByteCount, Count};

/// The section of a report on an EROFS filesystem.
#[derive(Clone, Debug, Serialize)]
pub struct ErofsReport {
    /// The UUID.
    pub uuid: String,
    /// The label; empty for none.
    pub label: String,
    /// The block size in bytes.
    pub block_size: u32,
    /// The number of blocks.
    pub blocks: u64,
    /// The number of blocks before those of directories and files.
    pub metadata_blocks: u64,
    /// The number of inodes.
    pub inodes: u32,
    /// The number of inodes of 32 bytes, without a time of their own.
    pub compact_inodes: u32,
    /// The profile.
    pub profile: &'static str,
    /// The codec by which files are compressed, as in `lz4hc:9`; `none` for no compression.
    pub compression: String,
    /// The number of compressed files.
    pub compressed_files: u32,
    /// The number of regular files with a tail behind their inode.
    pub inline_files: u32,
    /// The number of files that share the blocks of another.
    pub shared_files: u32,
    /// The number of blocks saved by sharing.
    pub shared_blocks: u64,
    /// The number of files with holes.
    pub sparse_files: u32,
    /// The number of bytes in these holes.
    pub hole_bytes: u64,
    /// The oldest version of Linux that reads every file, as in `6.1`.
    pub oldest_kernel: String,
    /// The options of its mount, as in `rootflags=` and in the configuration of Kata.
    pub rootflags: &'static str,
}

impl ErofsReport {
    /// Returns the report on a planned filesystem of a profile.
    pub(super) fn new(
        summary: &Summary,
        options: &Options,
        (label, profile): (&Label, &'static str),
        codec: Option<Codec>,
    ) -> Self {
        Self {
            uuid: options.uuid.to_string(),
            label: label.to_string(),
            block_size: summary.block_size,
            blocks: summary.blocks,
            metadata_blocks: summary.metadata_blocks,
            inodes: summary.inodes,
            compact_inodes: summary.compact_inodes,
            profile,
            compression: codec.map_or_else(|| "none".to_owned(), |codec| codec.to_string()),
            compressed_files: summary.compressed_files,
            inline_files: summary.inline_files,
            shared_files: summary.shared_files,
            shared_blocks: summary.shared_blocks,
            sparse_files: summary.sparse_files,
            hole_bytes: summary.hole_bytes,
            oldest_kernel: summary.oldest_kernel().to_string(),
            rootflags: "ro",
        }
    }
}

impl fmt::Display for ErofsReport {
    /// Writes the lines of a plan.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = u64::from(self.block_size);
        let bytes = |blocks: u64| ByteCount(blocks.saturating_mul(block));
        writeln!(f, "filesystem     EROFS, UUID {}", self.uuid)?;
        writeln!(f, "  profile      {}", self.profile)?;
        if !self.label.is_empty() {
            writeln!(f, "  label        {}", self.label)?;
        }
        writeln!(f, "  blocks       {} of {block} bytes", self.blocks)?;
        writeln!(
            f,
            "  metadata     {} with the tails of {}",
            bytes(self.metadata_blocks),
            Count(self.inline_files, "file", "files")
        )?;
        if self.compression != "none" {
            let files = Count(self.compressed_files, "file", "files");
            writeln!(f, "  compression  {} of {files}", self.compression)?;
        }
        if self.shared_files > 0 {
            let files = Count(self.shared_files, "file shares", "files share");
            writeln!(f, "  shared       {files} {} with others", bytes(self.shared_blocks))?;
        }
        if self.sparse_files > 0 {
            let files = Count(self.sparse_files, "file", "files");
            writeln!(f, "  holes        {} in {files}", ByteCount(self.hole_bytes))?;
        }
        writeln!(f, "  inodes       {}, {} of them compact", self.inodes, self.compact_inodes)?;
        writeln!(f, "  kernel       Linux {} and later", self.oldest_kernel)?;
        writeln!(f, "  rootflags    {}", self.rootflags)
    }
}
