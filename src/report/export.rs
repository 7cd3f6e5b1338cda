//! The report on an image of containers that was made: as JSON, with the schema
//! `export.schema.json`, and as text.

use std::fmt;

use serde::Serialize;

use super::artifact::BuildInfo;
use crate::shown::{ByteCount, JsonName};

/// The report on an image of containers.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ExportReport {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The version of the form of the report.
    pub report_version: u32,
    /// The name of the byte layout of its layer.
    pub byte_layout: &'static str,
    /// The sources of the tree, as given, in order.
    pub sources: Vec<JsonName>,
    /// The directory or the archive of its layout; `None` if none was named.
    pub output: Option<JsonName>,
    /// True if it was written, false if it was only planned.
    pub written: bool,
    /// The platform, as `linux/amd64`.
    pub platform: String,
    /// The digest of the manifest; `None` if it was not written.
    pub manifest: Option<String>,
    /// The digest of the configuration; `None` if it was not written.
    pub config_digest: Option<String>,
    /// The compression: `none`, or the codec with its level.
    pub compression: String,
    /// The layers, from the lowest to the highest.
    pub layers: Vec<ExportedLayer>,
    /// The common final part of reports.
    #[serde(flatten)]
    pub build: BuildInfo,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedLayer {
    /// The digest as it is stored; `None` if it was not written.
    pub digest: Option<String>,
    /// The digest before compression; `None` if it was not written.
    pub diff_id: Option<String>,
    /// The length as it is stored, in bytes; `None` if it is to be compressed and was not written.
    pub size: Option<u64>,
    /// The length before compression, in bytes.
    pub archive_bytes: u64,
}

impl fmt::Display for ExportReport {
    /// Writes the report as text of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "image          {}", self.platform)?;
        for layer in &self.layers {
            let codec = match self.compression.as_str() {
                "none" => "not compressed",
                codec => &format!("before compression with {codec}"),
            };
            writeln!(f, "  layer        {}, {codec}", ByteCount(layer.archive_bytes))?;
        }
        write!(f, "{}", self.build.counts)
    }
}
