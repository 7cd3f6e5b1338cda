//! The report on an image: as JSON, with the schema `image.schema.json`, and as text.

use std::fmt;

use serde::Serialize;

use super::artifact::{Artifact, BuildInfo};
use super::size::Size;
use crate::disk::Range;

/// The report on an image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageReport {
    /// The image.
    #[serde(flatten)]
    pub artifact: Artifact<u64>,
    /// The layout around the filesystem: `gpt`, `mbr` or `bare`.
    pub layout: &'static str,
    /// The logical sector size of the partition table in bytes.
    pub sector_size: u64,
    /// The ranges of the image, in order, from the first byte to the last.
    pub ranges: Vec<Range>,
    /// The partition of the filesystem; `None` on a bare disk.
    pub partition: Option<Partition>,
    /// The filesystem.
    pub filesystem: Filesystem,
    /// The common final part of reports.
    #[serde(flatten)]
    pub build: BuildInfo,
}

/// The identification of the root partition.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    /// The partition number in the table, from 1.
    pub number: u32,
    /// The value for `root=PARTUUID=`.
    pub partuuid: String,
}

/// A filesystem in a report.
#[derive(Clone, Debug, Serialize)]
pub struct Filesystem {
    /// The format.
    #[serde(rename = "type")]
    pub format: &'static str,
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

impl fmt::Display for ImageReport {
    /// Writes the plan as text of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { artifact, filesystem, build, .. } = self;
        writeln!(f, "image          {}, {}", Size(artifact.size), self.layout)?;
        for range in &self.ranges {
            let end = range.offset + range.length;
            writeln!(f, "  {:<22} {:>14} to {:>14}  {}", range.name, range.offset, end, Size(range.length))?;
        }
        let block = u64::from(filesystem.block_size);
        let bytes = |blocks: u64| Size(blocks.saturating_mul(block));
        writeln!(f, "filesystem     {}, UUID {}", filesystem.format, filesystem.uuid)?;
        writeln!(f, "  profile      {}", filesystem.profile)?;
        if !filesystem.label.is_empty() {
            writeln!(f, "  label        {}", filesystem.label)?;
        }
        writeln!(f, "  blocks       {} of {block} bytes in {} groups", filesystem.blocks, filesystem.groups)?;
        match filesystem.journal_blocks {
            0 => writeln!(f, "  journal      none")?,
            blocks => writeln!(f, "  journal      {blocks} blocks, {}", bytes(blocks.into()))?,
        }
        if filesystem.shared_files > 0 {
            let (files, saved) = (filesystem.shared_files, bytes(filesystem.shared_blocks));
            writeln!(f, "  shared       {files} files share {saved} with others, so it is for reading only")?;
        }
        if filesystem.sparse_files > 0 {
            writeln!(
                f,
                "  holes        {} in {} files",
                Size(filesystem.hole_bytes),
                filesystem.sparse_files
            )?;
        }
        writeln!(f, "  inodes       {}, {} of them free", filesystem.inodes, filesystem.free_inodes)?;
        let (free, available) = (filesystem.free_blocks, filesystem.available_blocks);
        writeln!(f, "  available    {available} blocks, {}, of {free} free blocks", bytes(available))?;
        write!(f, "{}", build.counts)?;
        if let Some(partition) = &self.partition {
            writeln!(f, "partition      PARTUUID={}", partition.partuuid)?;
        }
        Ok(())
    }
}
