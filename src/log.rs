//! Messages beside the result: warnings, exclusions, and with `-v` the steps.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use image_tree::Shown;
use serde::Serialize;

/// The verbosity of messages on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Errors and warnings.
    Quiet,
    /// Also progress and the result.
    Normal,
    /// Also decisions and steps.
    Verbose,
}

/// A part of the source that is excluded from the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// The description.
    pub what: String,
    /// The number of files or entries excluded.
    pub count: u64,
}

/// The report of a step, which knows its own messages.
pub trait Report {
    /// Logs the warnings, exclusions and details of the report.
    fn log(&self, log: &Log);
}

/// The report of a step that has nothing to report.
impl Report for () {
    fn log(&self, _log: &Log) {}
}

impl<A: Report, B: Report, C: Report> Report for (A, B, C) {
    fn log(&self, log: &Log) {
        self.0.log(log);
        self.1.log(log);
        self.2.log(log);
    }
}

impl<R: Report> Report for Option<R> {
    fn log(&self, log: &Log) {
        self.iter().for_each(|report| report.log(log));
    }
}

impl<R: Report> Report for [R] {
    fn log(&self, log: &Log) {
        self.iter().for_each(|report| report.log(log));
    }
}

impl<R: Report> Report for Vec<R> {
    fn log(&self, log: &Log) {
        self[..].log(log);
    }
}

/// A function that prints a message.
pub type Printer = fn(&str);

/// A log that stores messages for a report, and may print them at once. Threads share it.
#[derive(Debug)]
pub struct Log {
    level: Level,
    printer: Option<Printer>,
    messages: Mutex<Messages>,
}

#[derive(Debug, Default)]
struct Messages {
    warnings: Vec<String>,
    exclusions: Vec<Exclusion>,
}

impl Log {
    /// Returns an empty log that prints nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self { level: Level::Quiet, printer: None, messages: Mutex::default() }
    }

    /// Returns an empty log that prints messages of the level.
    #[must_use]
    pub fn printing(level: Level, printer: Printer) -> Self {
        Self { level, printer: Some(printer), messages: Mutex::default() }
    }

    /// The function that prints messages, if there is one.
    #[must_use]
    pub fn printer(&self) -> Option<Printer> {
        self.printer
    }

    /// The verbosity.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Stores and prints a warning.
    pub fn warn(&self, warning: impl Display) {
        let warning = Shown::message(&warning.to_string());
        self.print(format_args!("warning: {warning}"));
        self.messages().warnings.push(warning);
    }

    /// Stores an exclusion, and prints it with `-v`.
    pub fn exclude(&self, what: impl Display, count: u64) {
        let what = Shown::message(&what.to_string());
        self.detail(format_args!("left out: {what} ({count})"));
        self.messages().exclusions.push(Exclusion { what, count });
    }

    /// Prints a message, except with `-q`.
    pub fn info(&self, message: impl Display) {
        if self.level >= Level::Normal {
            self.print(format_args!("{message}"));
        }
    }

    /// Prints a message with `-v` only.
    pub fn detail(&self, detail: impl Display) {
        if self.level >= Level::Verbose {
            self.print(format_args!("{detail}"));
        }
    }

    /// The warnings so far, in order.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.messages().warnings.clone()
    }

    /// The exclusions so far, in order.
    #[must_use]
    pub fn exclusions(&self) -> Vec<Exclusion> {
        self.messages().exclusions.clone()
    }

    fn print(&self, message: std::fmt::Arguments<'_>) {
        if let Some(print) = self.printer {
            print(&Shown::message(&message.to_string()));
        }
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        // Each list stays consistent if a thread panics.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stores_warnings_and_exclusions_in_order() {
        let log = Log::silent();
        log.warn("first");
        log.exclude("xattr security.evm", 3);
        log.warn(format_args!("second of {}\u{1b}[2J", 2));
        log.detail("is not stored");
        assert_eq!(log.warnings(), ["first", "second of 2\\x1b[2J"]);
        assert_eq!(log.exclusions(), [Exclusion { what: "xattr security.evm".to_owned(), count: 3 }]);
    }
}
