//! An image in a report: as JSON, whose schema is `image.schema.json`, and in words.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Making, Product};

/// All there is to say of an image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageReport {
    /// The image.
    #[serde(flatten)]
    pub product: Product<u64>,
    /// What surrounds the filesystem: `gpt`, `mbr` or `bare`.
    pub layout: &'static str,
    /// The unit of the partition table in bytes.
    pub sector_size: u64,
    /// What lies where, in order, from the first byte to the last.
    pub ranges: Vec<Range>,
    /// The partition of the filesystem; none on a bare disk.
    pub partition: Option<Partition>,
    /// The filesystem.
    pub filesystem: Filesystem,
    /// How it was made.
    #[serde(flatten)]
    pub making: Making,
}

/// Bytes of the image with one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// Their purpose.
    pub name: &'static str,
    /// Where they begin, in bytes from the start of the image.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
}

/// How an image's bytes came to be in a file. They add up to the image's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// How many bytes the file shares with the sources.
    pub cloned_bytes: u64,
    /// How many bytes were written.
    pub copied_bytes: u64,
    /// How many bytes are zero and take no room.
    pub hole_bytes: u64,
}

impl fmt::Display for Transfer {
    /// The ways that some bytes came by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cloned_bytes, copied_bytes, hole_bytes } = *self;
        let ways = [(cloned_bytes, "cloned"), (copied_bytes, "copied"), (hole_bytes, "left as holes")];
        let taken = ways.iter().filter(|(bytes, _)| *bytes > 0);
        let words: Vec<_> = taken.map(|(bytes, way)| format!("{bytes} bytes {way}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// How a kernel finds the root filesystem.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    /// The number in the table, from 1.
    pub number: u32,
    /// What follows `root=PARTUUID=`.
    pub partuuid: String,
}

/// A filesystem in a report.
#[derive(Clone, Debug, Serialize)]
pub struct Filesystem {
    /// Its format.
    #[serde(rename = "type")]
    pub format: &'static str,
    /// What identifies it.
    pub uuid: String,
    /// Its label, empty for none.
    pub label: String,
    /// Bytes of a block.
    pub block_size: u32,
    /// All blocks.
    pub blocks: u64,
    /// Blocks that nothing uses.
    pub free_blocks: u64,
    /// Blocks of these that every user may fill once it is mounted, as `df` shows them.
    pub available_blocks: u64,
    /// All inodes.
    pub inodes: u32,
    /// Inodes that no file uses.
    pub free_inodes: u32,
    /// Block groups.
    pub groups: u32,
    /// Blocks of the journal; 0 for none.
    pub journal_blocks: u32,
    /// What it is for.
    pub profile: &'static str,
    /// Files that have the blocks of another.
    pub shared_files: u32,
    /// Blocks that these files would have of their own.
    pub shared_blocks: u64,
    /// Files with holes.
    pub sparse_files: u32,
    /// The bytes in these holes.
    pub hole_bytes: u64,
}

/// How long each step took, in seconds. Nothing of it is in the image.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timings {
    /// Reading names and metadata, and changing them.
    #[serde(rename = "read_seconds", serialize_with = "seconds")]
    pub read: Duration,
    /// Deciding where everything goes.
    #[serde(rename = "plan_seconds", serialize_with = "seconds")]
    pub plan: Duration,
    /// Reading contents, and writing or digesting the image.
    #[serde(rename = "write_seconds", serialize_with = "seconds")]
    pub write: Duration,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

impl fmt::Display for ImageReport {
    /// The plan in words, several lines long.
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

/// A number of bytes, exactly and, from 10 KiB on, roughly.
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
        // Tenths, rounded down, without a floating point number.
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
