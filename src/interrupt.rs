//! The request to stop, which long-running work checks.
//!
//! Work calls [`Interrupt::check`] between its pieces and returns the error, so that all cleanup on
//! drop runs. The flag is set by the caller of the library, or by the handlers of the program in
//! `signals`.

mod cleanups;
mod reader;
#[cfg(feature = "cli")]
mod signals;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;

use crate::error::{Error, ErrorKind, Result};

pub use cleanups::{Cleanups, PendingCleanup};
pub use reader::Interruptible;

/// A request to stop that several threads share: clones are the same request.
///
/// ```
/// let cancel = rootcast::Cancel::new();
/// let other = cancel.clone();
/// std::thread::spawn(move || other.cancel()).join().unwrap();
/// assert!(cancel.check().is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    /// 0 to go on, the number of the latest signal, or [`CANCELLED`].
    reason: Arc<AtomicUsize>,
    /// Set once a signal was received: from then on the next one kills at once.
    received: Arc<AtomicBool>,
    cleanups: Cleanups,
}

/// The reason of [`Interrupt::cancel`]; not the number of a signal.
const CANCELLED: usize = usize::MAX;

impl Interrupt {
    /// Returns a request that is not set yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Same as [`new`](Self::new), for work that nothing stops.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// Stops the work. It cannot be undone.
    pub fn cancel(&self) {
        self.reason.store(CANCELLED, Ordering::SeqCst);
    }

    /// Sets the flag as if `signal` had been received, for callers with their own handlers.
    pub fn set(&self, signal: i32) {
        self.received.store(true, Ordering::SeqCst);
        self.reason.store(usize::try_from(signal).unwrap_or(0), Ordering::SeqCst);
    }

    /// The cleanups to run if the program is terminated by a signal while it is blocked.
    #[must_use]
    pub fn cleanups(&self) -> &Cleanups {
        &self.cleanups
    }

    /// Returns true once the work is to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.reason.load(Ordering::SeqCst) != 0
    }

    /// The signal that was received, if any.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        i32::try_from(self.reason.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }

    /// Fails once the work is to stop. It costs one atomic read.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`], naming the signal if there was one.
    pub fn check(&self) -> Result<()> {
        if !self.is_set() {
            return Ok(());
        }
        let message = match self.signal() {
            Some(signal) => format!("stopped by {}", signal_name(signal)),
            None => "cancelled".to_owned(),
        };
        Err(Error::new(ErrorKind::Interrupted, message))
    }
}

fn signal_name(signal: i32) -> &'static str {
    const NAMES: [(Signal, &str); 3] =
        [(Signal::HUP, "SIGHUP"), (Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM")];
    NAMES.iter().find(|(known, _)| known.as_raw() == signal).map_or("a signal", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_names_the_signal_that_set_it() {
        let interrupt = Interrupt::never();
        interrupt.check().expect("no signal came");
        assert_eq!(interrupt.signal(), None);
        interrupt.set(Signal::TERM.as_raw());
        assert_eq!(interrupt.signal(), Some(Signal::TERM.as_raw()));
        let error = interrupt.check().expect_err("a signal came");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(error.to_string(), "stopped by SIGTERM");
    }

    #[test]
    fn a_cancelled_interrupt_is_seen_by_its_clones() {
        let interrupt = Interrupt::new();
        let clone = interrupt.clone();
        assert!(!clone.is_set());
        interrupt.cancel();
        assert!(clone.is_set());
        assert_eq!(clone.signal(), None);
        let error = clone.check().expect_err("it was cancelled");
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(error.to_string(), "cancelled");
    }
}
