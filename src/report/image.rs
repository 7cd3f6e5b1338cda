//! The report on an image: as JSON, with the schema `image.schema.json`, and as text.

use std::fmt;

use serde::Serialize;

use super::artifact::{Artifact, BuildInfo};
use super::verity::VerityReport;
use crate::disk::Range;
use crate::filesystem::FilesystemReport;
use crate::shown::ByteCount;

/// The report on an image.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
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
    /// The partition of the filesystem, as in `partitions`; `None` on a bare disk.
    pub partition: Option<Partition>,
    /// All partitions in the order of the table; none on a bare disk.
    pub partitions: Vec<PartitionReport>,
    /// The hash tree; `None` if the filesystem is not measured.
    pub verity: Option<VerityReport>,
    /// The kernel parameters by which the filesystem is found, and the hash tree verified; `None`
    /// on a bare disk, and if the root hash is not known.
    pub kernel_parameters: Option<String>,
    /// The filesystem.
    pub filesystem: FilesystemReport,
    /// The common final part of reports.
    #[serde(flatten)]
    pub build: BuildInfo,
}

/// The identification of the root partition.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Partition {
    /// The partition number in the table, from 1.
    pub number: u32,
    /// The value for `root=PARTUUID=`; `None` if it is a part of a root hash that is not known.
    pub partuuid: Option<String>,
}

/// A partition.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PartitionReport {
    /// The number and the PARTUUID.
    #[serde(flatten)]
    pub identification: Partition,
    /// The purpose, which names its range.
    pub name: &'static str,
    /// The offset on the disk in bytes.
    pub offset: u64,
    /// The length in bytes.
    pub length: u64,
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
        if let Some(verity) = &self.verity {
            write!(f, "{verity}")?;
        }
        for partition in &self.partitions {
            match &partition.identification.partuuid {
                Some(partuuid) => writeln!(f, "partition      PARTUUID={partuuid}")?,
                None => writeln!(f, "partition      with a PARTUUID of the root hash")?,
            }
        }
        Ok(())
    }
}
