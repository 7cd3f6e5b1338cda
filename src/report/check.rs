//! The findings of a check, as JSON; the schema is `check.schema.json`.

use std::path::Path;

use initramfs::check::{Finding, Report};
use serde::Serialize;

use crate::shown::JsonName;

/// The report on an initramfs that was checked.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The version of the form of the report.
    pub report_version: u32,
    /// The file that was checked.
    pub file: JsonName,
    /// True if a kernel accepts all of it.
    pub accepted: bool,
    /// The findings, in the order of the bytes.
    pub findings: Vec<FindingReport>,
    /// The number of further findings.
    pub omitted: u64,
    /// The number of entries that were read.
    pub entries: u64,
    /// The number of compressed members and archives that were read.
    pub members: u64,
    /// The number of bytes after unpacking, as far as it was read.
    pub unpacked_bytes: u64,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingReport {
    /// The rule's name.
    pub rule: &'static str,
    /// `error` or `warning`.
    pub severity: String,
    /// The offset in the file, in bytes; for compressed data, that of the start of the member.
    pub offset: u64,
    /// The offset in the unpacked member, in bytes.
    pub unpacked_offset: Option<u64>,
    /// The path of the entry concerned.
    pub path: Option<JsonName>,
    /// The description of the finding.
    pub detail: String,
}

impl CheckReport {
    /// Returns the report on the findings.
    #[must_use]
    pub fn new(file: &Path, report: &Report) -> Self {
        Self {
            rootcast: super::version::VERSION,
            report_version: super::version::REPORT_VERSION,
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
