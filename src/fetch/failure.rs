//! Reasons for which a file cannot be fetched.

use std::fmt;

use super::request::Request;
use crate::error::{Error, ErrorKind};
use crate::shown::Count;

/// A reason for which a URL does not give the file.
#[derive(Debug)]
pub(super) enum Failure {
    /// It does not have it.
    Missing(String),
    /// It has another file.
    Wrong(String),
    /// It cannot be transferred.
    Failed(String),
    /// It cannot be stored, or the work is to stop: no other URL helps.
    Final(Error),
}

/// Files that are on none of the servers that should have them.
#[derive(Debug, thiserror::Error)]
#[error("{}", Listed(.0))]
pub(super) struct Missing(Vec<String>);

impl Missing {
    /// Returns true if an error says no more than that files are missing.
    pub(super) fn is_cause_of(error: &Error) -> bool {
        error.is::<Self>()
    }
}

/// Lines of a list, after their number if there are several.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > 1 {
            write!(f, "{} are missing: ", Count(self.0.len() as u64, "file", "files"))?;
        }
        f.write_str(&self.0.join("; "))
    }
}

/// The reasons of all URLs of a request.
#[derive(Debug)]
pub(super) struct Failures {
    missing: bool,
    kind: ErrorKind,
    text: String,
}

impl Failures {
    /// Returns the reasons of all URLs, of which none is [`Failure::Final`].
    pub(super) fn new(request: &Request, failures: Vec<Failure>) -> Self {
        let missing = failures.iter().all(|failure| matches!(failure, Failure::Missing(_)));
        let wrong = failures.iter().any(|failure| matches!(failure, Failure::Wrong(_)));
        let texts: Vec<String> = failures
            .into_iter()
            .map(|failure| match failure {
                Failure::Missing(text) | Failure::Wrong(text) | Failure::Failed(text) => text,
                Failure::Final(error) => error.to_string(),
            })
            .collect();
        let kind = if wrong { ErrorKind::BadInput } else { ErrorKind::Io };
        let reasons = match texts.is_empty() {
            true => "no URL has it".to_owned(),
            false => texts.join(", "),
        };
        Self { missing, kind, text: format!("{}: {reasons}", request.what) }
    }

    /// Returns true if no URL has the file.
    pub(super) fn is_missing(&self) -> bool {
        self.missing
    }
}

/// Returns one error for several files. Those that are missing are all named; of others, the first.
pub(super) fn of_several(failures: Vec<Failures>) -> Error {
    let (missing, mut others): (Vec<Failures>, Vec<Failures>) =
        failures.into_iter().partition(|failure| failure.missing);
    if others.is_empty() {
        let texts = missing.into_iter().map(|failure| failure.text).collect();
        return Error::new(ErrorKind::Io, Missing(texts));
    }
    let more = others.len() - 1 + missing.len();
    let first = others.swap_remove(0);
    let text = match more {
        0 => first.text,
        more => format!(
            "{}; {} could not be fetched either",
            first.text,
            Count(more as u64, "other file", "other files")
        ),
    };
    Error::new(first.kind, text)
}

/// Files that are not in the cache, with `--offline`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotCached(String);

impl NotCached {
    /// Returns true if an error says no more than that the cache lacks files.
    pub(super) fn is_cause_of(error: &Error) -> bool {
        error.is::<Self>()
    }
}

/// Returns the error of files that are not in the cache, with `--offline`.
pub(super) fn not_cached<'r>(requests: impl Iterator<Item = &'r Request>, has_cache: bool) -> Error {
    let names: Vec<&str> = requests.map(|request| request.what.as_str()).collect();
    let hint = match has_cache {
        true => "run once without --offline and with the same --cache",
        false => "--cache DIR names that of an earlier run",
    };
    let text = format!(
        "{} {} in no cache, and --offline fetches nothing: {hint}",
        names.join(", "),
        if names.len() == 1 { "is" } else { "are" }
    );
    Error::new(ErrorKind::Io, NotCached(text))
}
