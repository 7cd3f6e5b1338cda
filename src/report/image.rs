//! The report on an image: as JSON, with the schema `image.schema.json`, and as text.

use std::fmt;

use serde::Serialize;

use super::artifact::{Artifact, BuildInfo};
use crate::disk::Range;
use crate::filesystem::FilesystemReport;
use crate::shown::ByteCount;

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
    pub filesystem: FilesystemReport,
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

impl fmt::Display for ImageReport {
    /// Writes the plan as text of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { artifact, filesystem, build, .. } = self;
        writeln!(f, "image          {}, {}", ByteCount(artifact.size), self.layout)?;
        for range in &self.ranges {
            let end = range.offset + range.length;
            writeln!(
                f,
                "  {:<22} {:>14} to {:>14}  {}",
                range.name,
                range.offset,
                end,
                ByteCount(range.length)
            )?;
        }
        write!(f, "{filesystem}{}", build.counts)?;
        if let Some(partition) = &self.partition {
            writeln!(f, "partition      PARTUUID={}", partition.partuuid)?;
        }
        Ok(())
    }
}
