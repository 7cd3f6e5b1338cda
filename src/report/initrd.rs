//! The report on an initramfs: as JSON, with the schema `initrd.schema.json`, and as text.

use std::fmt;

use image_tree::Shown;
use serde::Serialize;

use super::artifact::{Artifact, BuildInfo};
use crate::shown::{ByteCount, Count, JsonName};

/// The report on an initramfs.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct InitrdReport {
    /// The initramfs; its length is unknown while it is to be compressed.
    #[serde(flatten)]
    pub artifact: Artifact<Option<u64>>,
    /// The compression: `none`, or the codec with its level.
    pub compression: String,
    /// True if `/init` is a link that was not in the tree.
    pub init_made: bool,
    /// The archive before compression.
    pub archive: Archive,
    /// The appended files, in order.
    pub appended: Vec<AppendedFile>,
    /// The use of the cache; `None` without a cache.
    pub cache: Option<CacheUse>,
    /// The common final part of reports.
    #[serde(flatten)]
    pub build: BuildInfo,
}

/// The archive of the tree, including the microcode before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Archive {
    /// The length in bytes.
    pub bytes: u64,
    /// The number of bytes of microcode, which is not compressed.
    pub microcode_bytes: u64,
    /// The number of bytes of files that are already compressed, and are stored as they are.
    pub stored_bytes: u64,
    /// The number of segments that the rest is compressed in; 1 without compression.
    pub segments: u64,
    /// The number of entries, without those of the microcode.
    pub entries: u64,
    /// The sum of the lengths of all files, in bytes.
    pub data_bytes: u64,
    /// The number of long files that could not be aligned, because their paths are too long.
    pub unaligned_files: u64,
}

/// An appended file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AppendedFile {
    /// The path on the host.
    pub path: JsonName,
    /// The length in bytes.
    pub bytes: u64,
}

/// The cache statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheUse {
    /// The number of pieces found in the cache.
    pub hits: u64,
    /// The number of pieces not found in the cache and compressed.
    pub misses: u64,
}

impl fmt::Display for CacheUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces = Count(self.hits + self.misses, "piece was", "pieces were");
        write!(f, "{} of {pieces} in the cache", self.hits)
    }
}

impl fmt::Display for InitrdReport {
    /// Writes the plan as text of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Archive { bytes, microcode_bytes, stored_bytes, segments, entries, .. } = self.archive;
        let entries = Count(entries, "entry", "entries");
        writeln!(f, "initramfs      {} before compression, with {entries}", ByteCount(bytes))?;
        writeln!(f, "  compression  {}", self.compression)?;
        if microcode_bytes > 0 {
            writeln!(f, "  microcode    {}", ByteCount(microcode_bytes))?;
        }
        if stored_bytes > 0 {
            writeln!(f, "  stored       {}, files that are compressed already", ByteCount(stored_bytes))?;
        }
        let rest = bytes - microcode_bytes - stored_bytes;
        writeln!(f, "  files        {}, segments: {segments}", ByteCount(rest))?;
        for AppendedFile { path, bytes } in &self.appended {
            writeln!(f, "  appended     {}, {}", ByteCount(*bytes), Shown(&path.0))?;
        }
        if self.init_made {
            writeln!(f, "  init         /init is a link that was made")?;
        }
        write!(f, "{}", self.build.counts)
    }
}
