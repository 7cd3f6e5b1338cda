//! Removals to run if the program is terminated while it is blocked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The removals to run if the program is terminated: of files with hidden names, which are
/// otherwise only removed on drop.
///
/// Clones share the same list.
#[derive(Clone, Default)]
pub struct Removals(Arc<Mutex<List>>);

type Removal = Box<dyn Fn() + Send>;

#[derive(Default)]
struct List {
    next: u64,
    due: BTreeMap<u64, Removal>,
}

/// A pending removal, cancelled on drop.
#[must_use = "the removal is no longer due when this is dropped"]
pub struct Due {
    removals: Removals,
    number: u64,
}

impl Removals {
    /// Adds a removal. It may be called from another thread, also while the file is being removed
    /// by its drop.
    pub fn add(&self, removal: impl Fn() + Send + 'static) -> Due {
        let mut list = self.lock();
        let number = list.next;
        list.next += 1;
        list.due.insert(number, Box::new(removal));
        Due { removals: self.clone(), number }
    }

    /// Runs all pending removals.
    pub(super) fn run(&self) {
        self.lock().due.values().for_each(|removal| removal());
    }

    /// The list is consistent between any two statements under the lock, so it stays usable after a
    /// panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Removals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} removals", self.lock().due.len())
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        self.removals.lock().due.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_what_is_due_is_removed() {
        let removals = Removals::default();
        let count = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let add = |which: usize| {
            let count = Arc::clone(&count);
            removals.clone().add(move || _ = count[which].fetch_add(1, Ordering::SeqCst))
        };
        let (first, _second) = (add(0), add(1));
        drop(first);
        removals.run();
        assert_eq!(count.iter().map(|count| count.load(Ordering::SeqCst)).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(format!("{removals:?}"), "1 removals");
    }
}
