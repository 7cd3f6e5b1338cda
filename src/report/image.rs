//! The report on an image: as JSON, with the schema `image.schema.json`, and as text.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Making, Product};
use crate::disk::Range;

/// The report on an image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageReport {
    /// The image.
    #[serde(flatten)]
    pub product: Product<u64>,
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
    /// The common part of reports on products.
    #[serde(flatten)]
    pub making: Making,
}

/// The numbers of bytes that were cloned, copied and left as holes in a file. Their sum is the
/// image's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// The number of bytes shared with the sources.
    pub cloned_bytes: u64,
    /// The number of bytes written.
    pub copied_bytes: u64,
    /// The number of zero bytes left as holes.
    pub hole_bytes: u64,
}

impl fmt::Display for Transfer {
    /// Writes the parts that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cloned_bytes, copied_bytes, hole_bytes } = *self;
        let ways = [(cloned_bytes, "cloned"), (copied_bytes, "copied"), (hole_bytes, "left as holes")];
        let taken = ways.iter().filter(|(bytes, _)| *bytes > 0);
        let words: Vec<_> = taken.map(|(bytes, way)| format!("{bytes} bytes {way}")).collect();
        f.write_str(&words.join(", "))
    }
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

/// The duration of each step, in seconds. It does not affect the image.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timings {
    /// Reading and changing names and metadata.
    #[serde(rename = "read_seconds", serialize_with = "seconds")]
    pub read: Duration,
    /// Planning.
    #[serde(rename = "plan_seconds", serialize_with = "seconds")]
    pub plan: Duration,
    /// Reading contents, and writing or hashing the image.
    #[serde(rename = "write_seconds", serialize_with = "seconds")]
    pub write: Duration,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

impl fmt::Display for ImageReport {
    /// Writes the plan as text of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product, filesystem, making, .. } = self;
        writeln!(f, "image          {}, {}", Size(product.size), self.layout)?;
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
        write!(f, "{}", making.counts)?;
        if let Some(partition) = &self.partition {
            writeln!(f, "partition      PARTUUID={}", partition.partuuid)?;
        }
        Ok(())
    }
}

/// A number of bytes, shown exactly and, from 10 KiB on, also in binary units.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        write!(f, "{} bytes", self.0)?;
        if self.0 < 10 << 10 {
            return Ok(());
        }
        let Some((unit, shift)) = UNITS.into_iter().find(|(_, shift)| self.0 >> shift > 0) else {
            return Ok(());
        };
        // Tenths, rounded down, in integer arithmetic.
        let tenths = (u128::from(self.0) * 10) >> shift;
        write!(f, " ({}.{} {unit})", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_and_rough() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10240 bytes (10.0 KiB)"),
            ((1 << 20) - 1, "1048575 bytes (1023.9 KiB)"),
            (1_610_612_736, "1610612736 bytes (1.5 GiB)"),
            (u64::MAX, "18446744073709551615 bytes (16777215.9 TiB)"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
