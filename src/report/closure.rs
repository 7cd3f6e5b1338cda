//! The report on a closure as JSON; the schema is `closure.schema.json`.

use std::time::Duration;

use serde::Serialize;

use super::seconds::seconds;
use crate::closure::{Closure, Kind, Missing, Reason};
use crate::log::Log;
use crate::shown::JsonName;

/// The report on a closure.
#[derive(Clone, Debug, Serialize)]
pub struct ClosureReport {
    /// The version of the program.
    pub rootcast: &'static str,
    /// The version of the form of the report.
    pub report_version: u32,
    /// The kept names.
    pub kept: Vec<KeptName>,
    /// Sentences about missing files, except for those that are harmless.
    pub missing: Vec<String>,
    /// All missing files.
    pub missing_files: Vec<MissingFile>,
    /// The duration of each step.
    pub timings: ClosureTimings,
    /// The warnings, in order.
    pub warnings: Vec<String>,
}

/// The duration of each step, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ClosureTimings {
    /// Reading and editing names and metadata, including the searches that select what is read.
    #[serde(rename = "read_seconds", serialize_with = "seconds")]
    pub read: Duration,
    /// Finding the kept part, and removing the rest.
    #[serde(rename = "close_seconds", serialize_with = "seconds")]
    pub close: Duration,
}

/// A kept name.
#[derive(Clone, Debug, Serialize)]
pub struct KeptName {
    /// The path.
    pub path: JsonName,
    /// The reasons that it is kept.
    pub reasons: Vec<KeptReason>,
}

/// A missing file.
#[derive(Clone, Debug, Serialize)]
pub struct MissingFile {
    /// The name in the dependency.
    pub name: JsonName,
    /// The kind of dependency.
    pub kind: &'static str,
    /// The file that needs it, the file that caused that one to be loaded, and so on up to the
    /// program; empty if it was requested.
    pub chain: Vec<JsonName>,
    /// True if only parts of kept directories or packages need it.
    pub harmless: bool,
    /// A sentence about it.
    pub detail: String,
}

/// A reason that a name is kept.
#[derive(Clone, Debug, Serialize)]
pub struct KeptReason {
    /// The kind of dependency.
    pub kind: &'static str,
    /// The file that needs it; `None` if it was requested.
    pub by: Option<JsonName>,
    /// The name in the dependency.
    pub name: JsonName,
    /// The origin of a need that is not that of a program or library.
    pub note: Option<String>,
}

impl ClosureReport {
    /// Returns the report on a closure, with the warnings of a log. `note` returns the origin of a
    /// need that is not that of a program or library.
    #[must_use]
    pub fn new(
        closure: &Closure,
        note: impl Fn(&Reason) -> Option<String>,
        timings: ClosureTimings,
        log: &Log,
    ) -> Self {
        let reason = |reason: &Reason| KeptReason {
            kind: kind(reason.kind),
            by: reason.by.clone().map(JsonName),
            name: JsonName(reason.name.clone()),
            note: note(reason),
        };
        let kept = closure.kept.iter().map(|(path, reasons)| KeptName {
            path: JsonName(path.clone()),
            reasons: reasons.iter().map(reason).collect(),
        });
        Self {
            rootcast: super::version::VERSION,
            report_version: super::version::REPORT_VERSION,
            kept: kept.collect(),
            missing: closure.missing.iter().filter(|one| !one.is_harmless).map(ToString::to_string).collect(),
            missing_files: closure.missing.iter().map(MissingFile::from).collect(),
            timings,
            warnings: log.warnings(),
        }
    }
}

impl From<&Missing> for MissingFile {
    fn from(missing: &Missing) -> Self {
        Self {
            name: JsonName(missing.name.clone()),
            kind: kind(missing.kind),
            chain: missing.chain.iter().cloned().map(JsonName).collect(),
            harmless: missing.is_harmless,
            detail: missing.to_string(),
        }
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Requested => "asked",
        Kind::Interpreter => "interpreter",
        Kind::Needed => "needed",
        Kind::Filter => "filter",
        Kind::Auxiliary => "auxiliary",
        Kind::Hwcaps => "hwcaps",
        Kind::Preload => "preload",
        Kind::Audit => "audit",
        Kind::Script => "script",
        Kind::Dlopen => "dlopen",
        Kind::Configured => "configured",
        Kind::Known => "known",
        Kind::Module => "module",
        Kind::Firmware => "firmware",
        Kind::Symlink => "symlink",
        Kind::Parent => "parent",
    }
}
