//! What a check found, as JSON, whose schema is `check.schema.json`.

use std::path::Path;

use initramfs::check::{Finding, Report};
use serde::Serialize;

use super::shown::JsonName;

/// All there is to say of an initramfs that was checked.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The file that was checked.
    pub file: JsonName,
    /// Whether a kernel takes all of it.
    pub accepted: bool,
    /// What was found, in the order of the bytes.
    pub findings: Vec<FindingReport>,
    /// How many more there are.
    pub omitted: u64,
    /// Entries that were read.
    pub entries: u64,
    /// Compressed members and archives that were read.
    pub members: u64,
    /// Bytes after everything is unpacked, as far as it was read.
    pub unpacked_bytes: u64,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingReport {
    /// The rule's name.
    pub rule: &'static str,
    /// `error` or `warning`.
    pub severity: String,
    /// Where in the file, in bytes. Of what is compressed, this is where the member begins.
    pub offset: u64,
    /// Where in what that unpacks to, in bytes.
    pub unpacked_offset: Option<u64>,
    /// The entry it is about.
    pub path: Option<JsonName>,
    /// What is there, in words.
    pub detail: String,
}

impl CheckReport {
    /// Puts what was found into a report.
    #[must_use]
    pub fn new(file: &Path, report: &Report) -> Self {
        Self {
            rootcast: super::version::VERSION,
            file: file.into(),
            accepted: report.is_accepted(),
            findings: report.findings.iter().map(FindingReport::from).collect(),
            omitted: report.omitted,
            entries: report.entries,
            members: report.members,
            unpacked_bytes: report.unpacked_bytes,
        }
    }
}

impl From<&Finding> for FindingReport {
    fn from(finding: &Finding) -> Self {
        Self {
            rule: finding.rule.name(),
            severity: finding.severity.to_string(),
            offset: finding.offset,
            unpacked_offset: finding.unpacked_offset,
            path: finding.path.clone().map(JsonName),
            detail: finding.detail.clone(),
        }
    }
}
