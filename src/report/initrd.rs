//! An initramfs in a report: as JSON, whose schema is `initrd.schema.json`, and in words.

use std::fmt;

use image_tree::Shown;
use serde::Serialize;

use super::image::Size;
use super::shown::JsonName;
use super::{Making, Product};

/// All there is to say of an initramfs.
#[derive(Clone, Debug, Serialize)]
pub struct InitrdReport {
    /// The initramfs; its length is not known when it was planned and not compressed.
    #[serde(flatten)]
    pub product: Product<Option<u64>>,
    /// How it is compressed: `none`, or the codec with its level.
    pub compression: String,
    /// Whether `/init` is a link that was not in the tree.
    pub init_made: bool,
    /// The archive before it is compressed.
    pub archive: Archive,
    /// What comes behind it, in order.
    pub appended: Vec<AppendedFile>,
    /// What the cache was good for; none when there is none.
    pub cache: Option<CacheUse>,
    /// How it was made.
    #[serde(flatten)]
    pub making: Making,
}

/// The archive of the tree, with the microcode before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Archive {
    /// Its length in bytes.
    pub bytes: u64,
    /// How much of that is microcode, and is not compressed.
    pub microcode_bytes: u64,
    /// How much of it is files that are compressed already, and is not compressed again.
    pub stored_bytes: u64,
    /// The parts that the rest is compressed in, or 1 when it is not.
    pub segments: u64,
    /// The entries in it, without those of the microcode.
    pub entries: u64,
    /// The lengths of all files together, in bytes.
    pub data_bytes: u64,
    /// Long files that could not be aligned, as their paths are too long.
    pub unaligned_files: u64,
}

/// A file that comes behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppendedFile {
    /// Its path on the host.
    pub path: JsonName,
    /// Its length.
    pub bytes: u64,
}

/// How often the cache had what was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CacheUse {
    /// Pieces that were there.
    pub hits: u64,
    /// Pieces that were compressed.
    pub misses: u64,
}

impl fmt::Display for CacheUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} pieces were in the cache", self.hits, self.hits + self.misses)
    }
}

impl fmt::Display for InitrdReport {
    /// The plan in words, several lines long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Archive { bytes, microcode_bytes, stored_bytes, segments, entries, .. } = self.archive;
        writeln!(f, "initramfs      {} before compression, with {entries} entries", Size(bytes))?;
        writeln!(f, "  compression  {}", self.compression)?;
        if microcode_bytes > 0 {
            writeln!(f, "  microcode    {}", Size(microcode_bytes))?;
        }
        if stored_bytes > 0 {
            writeln!(f, "  stored       {}, files that are compressed already", Size(stored_bytes))?;
        }
        let rest = bytes - microcode_bytes - stored_bytes;
        writeln!(f, "  files        {}, segments: {segments}", Size(rest))?;
        for AppendedFile { path, bytes } in &self.appended {
            writeln!(f, "  appended     {}, {}", Size(*bytes), Shown(&path.0))?;
        }
        if self.init_made {
            writeln!(f, "  init         /init is a link that was made")?;
        }
        write!(f, "{}", self.making.counts)
    }
}
