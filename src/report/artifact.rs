//! The common parts of the reports on all artifacts, at their beginning and end.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::container::ContainerReport;
use super::counts::Counts;
use super::package::PackageReport;
use super::seconds::seconds;
use super::version;
use crate::log::{Exclusion, Log};
use crate::shown::JsonName;
use crate::transform::configure::Made;
use crate::transform::hardlinks::Linked;

/// An image or initramfs, its sources and its destination. `L` is `u64` if the length is always
/// known, or else `Option<u64>`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Artifact<L> {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The version of the form of the report.
    pub report_version: u32,
    /// The name of the byte layout.
    pub byte_layout: &'static str,
    /// The sources of the tree, as given, in order.
    pub sources: Vec<JsonName>,
    /// The output file; `None` if it is not to be written.
    pub output: Option<JsonName>,
    /// True if it was written, false if it was only planned or hashed.
    pub written: bool,
    /// The numbers of bytes cloned, copied and left as holes; `None` if it was not written to a
    /// file.
    pub transfer: Option<Transfer>,
    /// The length in bytes.
    pub size: L,
    /// The SHA-256 in hexadecimal; `None` if it was not requested.
    pub sha256: Option<String>,
}

impl<L> Artifact<L> {
    /// Records that it was written. `transfer` is kept for files only.
    pub fn record_transfer(&mut self, transfer: Transfer) {
        self.written = true;
        self.transfer = self.output.is_some().then_some(transfer);
    }

    /// Returns an artifact that is planned and not yet written.
    #[must_use]
    pub fn planned(
        byte_layout: &'static str,
        sources: Vec<JsonName>,
        output: Option<JsonName>,
        size: L,
    ) -> Self {
        Self {
            rootcast: version::VERSION,
            report_version: version::REPORT_VERSION,
            byte_layout,
            sources,
            output,
            written: false,
            transfer: None,
            size,
            sha256: None,
        }
    }
}

/// The numbers of bytes that were cloned, copied and left as holes in a file. Their sum is the
/// image's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Transfer {
    /// The number of bytes shared with the sources.
    pub cloned_bytes: u64,
    /// The number of bytes written.
    pub copied_bytes: u64,
    /// The number of zero bytes left as holes.
    pub hole_bytes: u64,
}

impl fmt::Display for Transfer {
    /// Writes the parts that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cloned_bytes, copied_bytes, hole_bytes } = *self;
        let ways = [(cloned_bytes, "cloned"), (copied_bytes, "copied"), (hole_bytes, "left as holes")];
        let taken = ways.iter().filter(|(bytes, _)| *bytes > 0);
        let words: Vec<_> = taken.map(|(bytes, way)| format!("{bytes} bytes {way}")).collect();
        f.write_str(&words.join(", "))
    }
}

/// The common final part of a report.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct BuildInfo {
    /// The hard links that were made or broken.
    pub hardlinks: Linked,
    /// The numbers of files in the tree.
    pub counts: Counts,
    /// The files that each generator of `--configure` made.
    pub configured: Vec<Made>,
    /// The images of containers among the sources.
    pub containers: Vec<ContainerReport>,
    /// The packages of distributions among the sources.
    pub packages: Vec<PackageReport>,
    /// The duration of each step.
    pub timings: Timings,
    /// The parts of the source that were excluded.
    pub exclusions: Vec<Exclusion>,
    /// The warnings, in order.
    pub warnings: Vec<String>,
}

impl BuildInfo {
    /// Returns the part about a tree; timings, exclusions and warnings are added at the end.
    #[must_use]
    pub fn new(
        counts: Counts,
        hardlinks: Linked,
        configured: Vec<Made>,
        containers: Vec<ContainerReport>,
        packages: Vec<PackageReport>,
    ) -> Self {
        let (timings, exclusions, warnings) = (Timings::default(), Vec::new(), Vec::new());
        Self { hardlinks, counts, configured, containers, packages, timings, exclusions, warnings }
    }

    /// Copies the warnings and exclusions of a log.
    pub fn add_messages(&mut self, log: &Log) {
        (self.warnings, self.exclusions) = (log.warnings(), log.exclusions());
    }
}

/// The duration of each step, in seconds. It does not affect the image.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Timings {
    /// Reading and changing names and metadata.
    #[serde(rename = "read_seconds", serialize_with = "seconds")]
    pub read: Duration,
    /// Planning.
    #[serde(rename = "plan_seconds", serialize_with = "seconds")]
    pub plan: Duration,
    /// Reading contents, and writing or hashing the image.
    #[serde(rename = "write_seconds", serialize_with = "seconds")]
    pub write: Duration,
}
