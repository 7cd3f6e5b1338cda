//! The section of a report on a filesystem.

use std::fmt;

use serde::Serialize;

use super::erofs::ErofsReport;
use super::ext4::Ext4Report;

/// The section of a report on a filesystem: as JSON, with the name of the format as `type`, and as
/// lines of text.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum FilesystemReport {
    /// An ext4 filesystem.
    Ext4(Ext4Report),
    /// An EROFS filesystem.
    Erofs(ErofsReport),
}

impl FilesystemReport {
    /// The name of the format, as in `mount -t`.
    #[must_use]
    pub fn format(&self) -> &'static str {
        match self {
            Self::Ext4(_) => "ext4",
            Self::Erofs(_) => "erofs",
        }
    }
}

impl fmt::Display for FilesystemReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ext4(report) => report.fmt(f),
            Self::Erofs(report) => report.fmt(f),
        }
    }
}
