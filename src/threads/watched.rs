//! A state that threads wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A state behind a lock, whose changes other threads can wait for.
///
/// The lock is usable after a panic, so every change of the state must be complete in itself.
#[derive(Default)]
pub(crate) struct Watched<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    /// Returns a state that nobody waits for yet.
    pub(crate) fn new(state: T) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Locks the state.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state once `waits` is false for it. It is asked again after each
    /// [`notify`](Self::notify), and may change the state.
    pub(crate) fn wait_while(&self, waits: impl FnMut(&mut T) -> bool) -> MutexGuard<'_, T> {
        self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all threads that wait.
    pub(crate) fn notify(&self) {
        self.changed.notify_all();
    }
}
