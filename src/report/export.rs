//! The report on an image of containers that was made: as JSON, with the schema
//! `export.schema.json`, and as text.

use std::fmt;

use serde::Serialize;

use super::artifact::BuildInfo;
use crate::shown::{ByteCount, JsonName};

/// The report on an image of containers.
#[derive(Clone, Debug, Serialize)]
pub struct ExportReport {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The name of the byte layout of its layer.
    pub byte_layout: &'static str,
    /// The sources of the tree, as given, in order.
    pub sources: Vec<JsonName>,
    /// The directory or the archive of its layout.
    pub output: JsonName,
    /// The platform, as `linux/amd64`.
    pub platform: String,
    /// The digest of the manifest.
    pub manifest: String,
    /// The digest of the configuration.
    pub config_digest: String,
    /// The compression: `none`, or the codec with its level.
    pub compression: String,
    /// The layers, from the lowest to the highest.
    pub layers: Vec<ExportedLayer>,
    /// The common final part of reports.
    #[serde(flatten)]
    pub build: BuildInfo,
}

/// A layer of an image that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedLayer {
    /// The digest as it is stored.
    pub digest: String,
    /// The digest before compression.
    pub diff_id: String,
    /// The length as it is stored, in bytes.
    pub size: u64,
    /// The length before compression, in bytes.
    pub archive_bytes: u64,
}

impl fmt::Display for ExportReport {
    /// Writes the report as text of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "image          {}, {}", self.platform, self.manifest)?;
        for ExportedLayer { digest, size, archive_bytes, .. } in &self.layers {
            writeln!(f, "  layer        {digest}, {} of {}", ByteCount(*size), ByteCount(*archive_bytes))?;
        }
        write!(f, "{}", self.build.counts)
    }
}
