//! What there is to tell besides the result: warnings, what was left out, and with `-v` what was done.

use std::fmt::Display;
use std::io::{Write as _, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use image_tree::Shown;
use serde::Serialize;

/// How much is told on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Errors and warnings.
    Quiet,
    /// Also progress and the result.
    Usual,
    /// Also what was decided and done on the way.
    Verbose,
}

/// Something of the source that is not in the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// What it is.
    pub what: String,
    /// How many of it.
    pub count: u64,
}

/// Tells at once on standard error, and remembers for a report. Threads share it.
#[derive(Debug)]
pub struct Log {
    level: Level,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    warnings: Vec<String>,
    exclusions: Vec<Exclusion>,
}

impl Log {
    /// A log of nothing yet.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self { level, heard: Mutex::default() }
    }

    /// How much is told.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Something that the user did not ask for and should know.
    pub fn warn(&self, warning: impl Display) {
        let warning = Shown::message(&warning.to_string());
        say(format_args!("warning: {warning}"));
        self.heard().warnings.push(warning);
    }

    /// Something of the source was left out.
    pub fn exclude(&self, what: impl Display, count: u64) {
        let what = Shown::message(&what.to_string());
        self.detail(format_args!("left out: {what} ({count})"));
        self.heard().exclusions.push(Exclusion { what, count });
    }

    /// Something that is told with `-v` only.
    pub fn detail(&self, detail: impl Display) {
        if self.level >= Level::Verbose {
            say(format_args!("{detail}"));
        }
    }

    /// The warnings so far, in their order.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.heard().warnings.clone()
    }

    /// What was left out so far, in the order it was told.
    #[must_use]
    pub fn exclusions(&self) -> Vec<Exclusion> {
        self.heard().exclusions.clone()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // A list that somebody panicked beside is still a list.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn say(what: std::fmt::Arguments<'_>) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(stderr(), "rootcast: {}", Shown::message(&what.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_remembers_in_order() {
        let log = Log::new(Level::Quiet);
        log.warn("first");
        log.exclude("xattr security.evm", 3);
        log.warn(format_args!("second of {}\u{1b}[2J", 2));
        log.detail("is not remembered");
        assert_eq!(log.warnings(), ["first", "second of 2\\x1b[2J"]);
        assert_eq!(log.exclusions(), [Exclusion { what: "xattr security.evm".to_owned(), count: 3 }]);
    }
}
