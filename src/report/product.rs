//! The report on the product of a build.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::artifact::BuildInfo;
use super::image::ImageReport;
use super::initrd::InitrdReport;
use super::tar::TarReport;
use super::verity::VerityReport;
use crate::shown::JsonName;

/// The report on the product of a build. Its JSON is that of the variant.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Report {
    /// On a disk image.
    Image(Box<ImageReport>),
    /// On an initramfs.
    Initrd(Box<InitrdReport>),
    /// On a tar archive.
    Tar(Box<TarReport>),
}

impl Report {
    /// The length in bytes; `None` for a product that is compressed and not written yet.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Image(report) => Some(report.artifact.size),
            Self::Initrd(report) => report.artifact.size,
            Self::Tar(report) => report.artifact.size,
        }
    }

    /// The SHA-256 in hexadecimal; `None` if it was not requested.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        match self {
            Self::Image(report) => report.artifact.sha256.as_deref(),
            Self::Initrd(report) => report.artifact.sha256.as_deref(),
            Self::Tar(report) => report.artifact.sha256.as_deref(),
        }
    }

    /// The part on the hash tree of a measured disk, with its root hash and parameters once they are
    /// known; `None` for other products.
    #[must_use]
    pub fn verity(&self) -> Option<&VerityReport> {
        match self {
            Self::Image(report) => report.verity.as_ref(),
            Self::Initrd(_) | Self::Tar(_) => None,
        }
    }

    /// The part on the tree: counts, images of containers, exclusions and warnings.
    #[must_use]
    pub fn build(&self) -> &BuildInfo {
        match self {
            Self::Image(report) => &report.build,
            Self::Initrd(report) => &report.build,
            Self::Tar(report) => &report.build,
        }
    }

    /// Same as [`build`](Self::build), to be changed.
    pub(crate) fn build_mut(&mut self) -> &mut BuildInfo {
        match self {
            Self::Image(report) => &mut report.build,
            Self::Initrd(report) => &mut report.build,
            Self::Tar(report) => &mut report.build,
        }
    }

    /// Sets the path of the output, if it has one.
    pub(crate) fn set_output(&mut self, path: Option<&Path>) {
        let path = path.map(JsonName::from);
        match self {
            Self::Image(report) => report.artifact.output = path,
            Self::Initrd(report) => report.artifact.output = path,
            Self::Tar(report) => report.artifact.output = path,
        }
    }
}

impl fmt::Display for Report {
    /// Writes the plan as text of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(report) => report.fmt(f),
            Self::Initrd(report) => report.fmt(f),
            Self::Tar(report) => report.fmt(f),
        }
    }
}
