//! The observation of a build: its progress, and the request to stop it.

use std::fmt;
use std::sync::Arc;

use crate::interrupt::Interrupt;
use crate::progress::{Progress, Silent};

/// The observation of a build: a receiver of progress, and the request to stop.
///
/// Clones share both.
#[derive(Clone)]
#[non_exhaustive]
pub struct Watch {
    /// Receives the progress, from any thread.
    pub progress: Arc<dyn Progress + Send + Sync>,
    /// Stops the work, which then fails with
    /// [`Interrupted`](crate::error::ErrorKind::Interrupted) and leaves nothing behind.
    pub cancel: Interrupt,
}

impl Watch {
    /// Returns an observation by a receiver of progress, with a request to stop.
    #[must_use]
    pub fn new(progress: Arc<dyn Progress + Send + Sync>, cancel: Interrupt) -> Self {
        Self { progress, cancel }
    }
}

impl Default for Watch {
    /// Ignores the progress, and is never stopped unless [`cancel`](Self::cancel) is cloned.
    fn default() -> Self {
        Self::new(Arc::new(Silent), Interrupt::new())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}
