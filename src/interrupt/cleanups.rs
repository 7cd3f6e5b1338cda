//! Cleanups to run if the program is terminated while it is blocked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The cleanups to run if the program is terminated, such as the removal of files with hidden
/// names, which are otherwise only removed on drop.
///
/// Clones share the same list.
#[derive(Clone, Default)]
pub struct Cleanups(Arc<Mutex<List>>);

type Cleanup = Box<dyn Fn() + Send>;

#[derive(Default)]
struct List {
    next: u64,
    due: BTreeMap<u64, Cleanup>,
}

/// A pending cleanup, cancelled on drop.
#[must_use = "the cleanup is cancelled when this is dropped"]
pub struct PendingCleanup {
    cleanups: Cleanups,
    number: u64,
}

impl Cleanups {
    /// Adds a cleanup. It may be called from another thread, also while the file is being removed
    /// by its drop.
    pub fn add(&self, cleanup: impl Fn() + Send + 'static) -> PendingCleanup {
        let mut list = self.lock();
        let number = list.next;
        list.next += 1;
        list.due.insert(number, Box::new(cleanup));
        PendingCleanup { cleanups: self.clone(), number }
    }

    /// Cancels pending cleanups of this list, all at once.
    pub fn cancel<'p>(&self, pending: impl Iterator<Item = &'p PendingCleanup>) {
        let mut list = self.lock();
        pending.for_each(|cleanup| _ = list.due.remove(&cleanup.number));
    }

    /// Runs all pending cleanups.
    pub fn run(&self) {
        self.lock().due.values().for_each(|cleanup| cleanup());
    }

    /// The list is consistent between any two statements under the lock, so it stays usable after a
    /// panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cleanups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cleanups", self.lock().due.len())
    }
}

impl Drop for PendingCleanup {
    fn drop(&mut self) {
        self.cleanups.lock().due.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_pending_cleanups_run() {
        let cleanups = Cleanups::default();
        let count = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let add = |which: usize| {
            let count = Arc::clone(&count);
            cleanups.clone().add(move || _ = count[which].fetch_add(1, Ordering::SeqCst))
        };
        let (first, second) = (add(0), add(1));
        drop(first);
        cleanups.run();
        let counted = || count.iter().map(|count| count.load(Ordering::SeqCst)).collect::<Vec<_>>();
        assert_eq!(counted(), [0, 1]);
        assert_eq!(format!("{cleanups:?}"), "1 cleanups");
        let third = add(0);
        cleanups.cancel([&second, &third].into_iter());
        cleanups.run();
        assert_eq!(counted(), [0, 1]);
    }
}
