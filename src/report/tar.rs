//! The report on a tar archive: as JSON, with the schema `tar.schema.json`, and as text.

use std::fmt;

use serde::Serialize;

use super::artifact::{Artifact, BuildInfo};
use crate::shown::{ByteCount, Count};

/// The report on a tar archive.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TarReport {
    /// The archive; its length is unknown while it is to be compressed.
    #[serde(flatten)]
    pub artifact: Artifact<Option<u64>>,
    /// The compression: `none`, or the codec with its level.
    pub compression: String,
    /// The archive before compression.
    pub archive: TarArchive,
    /// The common final part of reports.
    #[serde(flatten)]
    pub build: BuildInfo,
}

/// An archive before compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TarArchive {
    /// The length in bytes.
    pub bytes: u64,
    /// The number of entries.
    pub entries: u64,
    /// The number of stored bytes of files.
    pub data_bytes: u64,
    /// The number of segments that it is compressed in; 1 without compression.
    pub segments: u64,
}

impl fmt::Display for TarReport {
    /// Writes the plan as text of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TarArchive { bytes, entries, data_bytes, segments } = self.archive;
        let entries = Count(entries, "entry", "entries");
        writeln!(f, "archive        {} before compression, with {entries}", ByteCount(bytes))?;
        writeln!(f, "  compression  {}, segments: {segments}", self.compression)?;
        writeln!(f, "  files        {}", ByteCount(data_bytes))?;
        write!(f, "{}", self.build.counts)
    }
}
