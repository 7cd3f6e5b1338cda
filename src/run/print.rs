//! Standard output, and the result of a run.

use std::fmt::Display;
use std::io::{self, Write as _};

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::log::{Level, Log};
use crate::output::stdout;

/// Returns a log that prints on standard error.
pub(super) fn log(level: Level) -> Log {
    Log::printing(level, |message| {
        // A closed standard error cannot be reported anywhere.
        let _ = writeln!(io::stderr(), "rootcast: {message}");
    })
}

/// Writes to standard output. A reader that closes the pipe has read all it needs.
pub(super) fn print(bytes: &[u8]) -> Result<()> {
    let mut out = stdout::open()?;
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Error::io("standard output", error)),
    }
}

/// Writes a value as JSON to standard output.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| Error::new(ErrorKind::Verification, error))?;
    text.push(b'\n');
    print(&text)
}

/// The result of a verb that makes an artifact: a report, and the flags that choose its form.
pub(super) struct Printed<'r, R> {
    /// The whole report.
    pub(super) report: &'r R,
    /// The SHA-256 in hexadecimal, if it was requested.
    pub(super) digest: Option<&'r str>,
    /// True for the report as JSON.
    pub(super) json: bool,
    /// True if the artifact was only planned.
    pub(super) dry_run: bool,
    /// True for no summary.
    pub(super) quiet: bool,
}

impl<R: Serialize + Display> Printed<'_, R> {
    /// Prints the result: as JSON, as the text of a plan, as a digest, or as a summary on standard
    /// error.
    pub(super) fn print(self, summary: impl FnOnce() -> String) -> Result<()> {
        let Self { report, digest, json, dry_run, quiet } = self;
        if json {
            return print_json(report);
        }
        if dry_run {
            return print(format!("{report}nothing was written\n").as_bytes());
        }
        if let Some(digest) = digest {
            return print(format!("{digest}\n").as_bytes());
        }
        if !quiet {
            // OK to ignore: standard error may be closed.
            let _ = io::stderr().write_all(summary().as_bytes());
        }
        Ok(())
    }
}
