//! The earliest failure of several threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};

/// The failure nearest the start of the work, among those that several threads report.
///
/// If units of work are taken in order and finished once taken, it is the same for every number of
/// threads.
#[derive(Default)]
pub(crate) struct Failures {
    stopped: AtomicBool,
    earliest: Mutex<Option<(u64, Error)>>,
}

impl Failures {
    /// Returns true once a failure was reported: then no further unit is to be taken.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Reports a failure at a position. A signal is not a property of the input, so any other
    /// failure takes precedence over it.
    pub(crate) fn add(&self, position: u64, error: Error) {
        self.stopped.store(true, Ordering::Relaxed);
        let position = if error.kind() == ErrorKind::Interrupted { u64::MAX } else { position };
        let mut earliest = self.earliest.lock().unwrap_or_else(PoisonError::into_inner);
        if earliest.as_ref().is_none_or(|(known, _)| position < *known) {
            *earliest = Some((position, error));
        }
    }

    /// Returns the earliest failure, if there is one.
    pub(crate) fn into_result(self) -> Result<()> {
        let earliest = self.earliest.into_inner().unwrap_or_else(PoisonError::into_inner);
        earliest.map_or(Ok(()), |(_, error)| Err(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_failure_is_kept_and_a_signal_only_without_others() {
        let failures = Failures::default();
        assert!(!failures.stopped());
        failures.add(1, Error::new(ErrorKind::Interrupted, "signal"));
        assert!(failures.stopped());
        for position in [7, 5, 6] {
            failures.add(position, Error::new(ErrorKind::Io, position.to_string()));
        }
        failures.add(0, Error::new(ErrorKind::Interrupted, "signal"));
        assert_eq!(failures.into_result().expect_err("several were reported").to_string(), "5");
        Failures::default().into_result().expect("none was reported");
    }
}
