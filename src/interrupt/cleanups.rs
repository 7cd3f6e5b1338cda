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
        self.insert(&mut self.lock(), Box::new(cleanup))
    }

    /// Makes a change, and adds its cleanup if it succeeds. A signal finds the change with its
    /// cleanup, or neither. The change must not use this list.
    ///
    /// # Errors
    /// As the change.
    pub fn add_after<T, E>(
        &self,
        change: impl FnOnce() -> Result<T, E>,
        cleanup: impl Fn() + Send + 'static,
    ) -> Result<(T, PendingCleanup), E> {
        let mut list = self.lock();
        let changed = change()?;
        Ok((changed, self.insert(&mut list, Box::new(cleanup))))
    }

    fn insert(&self, list: &mut List, cleanup: Cleanup) -> PendingCleanup {
        let number = list.next;
        list.next += 1;
        list.due.insert(number, cleanup);
        PendingCleanup { cleanups: self.clone(), number }
    }

    /// Cancels pending cleanups of this list, all at once.
    pub fn cancel<'p>(&self, pending: impl Iterator<Item = &'p PendingCleanup>) {
        let mut list = self.lock();
        pending.for_each(|cleanup| _ = list.due.remove(&cleanup.number));
    }

    /// Runs all pending cleanups, and then `end`, which ends the process: no change is made with a
    /// cleanup in between.
    pub fn run_before(&self, end: impl FnOnce()) {
        let list = self.lock();
        list.due.values().for_each(|cleanup| cleanup());
        end();
    }

    /// The list is consistent between any two statements under the lock, so it stays usable after a
    /// panic elsewhere.
    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingCleanup {
    /// Makes a change, and replaces the cleanup if it succeeds. A signal finds the change with the
    /// new cleanup, or the old one without it. The change must not use the list.
    ///
    /// # Errors
    /// As the change.
    pub fn replace_after<E>(
        &self,
        change: impl FnOnce() -> Result<(), E>,
        cleanup: impl Fn() + Send + 'static,
    ) -> Result<(), E> {
        let mut list = self.cleanups.lock();
        change()?;
        list.due.insert(self.number, Box::new(cleanup));
        Ok(())
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
        cleanups.run_before(|| ());
        let counted = || count.iter().map(|count| count.load(Ordering::SeqCst)).collect::<Vec<_>>();
        assert_eq!(counted(), [0, 1]);
        assert_eq!(format!("{cleanups:?}"), "1 cleanups");
        let third = add(0);
        cleanups.cancel([&second, &third].into_iter());
        cleanups.run_before(|| ());
        assert_eq!(counted(), [0, 1]);
    }

    #[test]
    fn no_change_is_made_between_the_cleanups_and_the_end() {
        let cleanups = Cleanups::default();
        let changed = Arc::new(AtomicUsize::new(0));
        let mut thread = None;
        cleanups.run_before(|| {
            let (cleanups, changed) = (cleanups.clone(), Arc::clone(&changed));
            let own = Arc::clone(&changed);
            let change = move || Ok::<_, ()>(_ = own.fetch_add(1, Ordering::SeqCst));
            thread = Some(std::thread::spawn(move || cleanups.add_after(change, || ()).map(drop)));
            // Time for the thread to make the change, if it does not wait.
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert_eq!(changed.load(Ordering::SeqCst), 0);
        });
        let made = thread.map(|thread| thread.join().expect("no panic"));
        assert_eq!((made, changed.load(Ordering::SeqCst)), (Some(Ok(())), 1));
    }

    /// The cleanups are run while a change is made, and wait for its end.
    #[test]
    fn a_change_is_found_with_its_cleanup() {
        let cleanups = Cleanups::default();
        let (count, old) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = |count: &Arc<AtomicUsize>| {
            let count = Arc::clone(count);
            move || _ = count.fetch_add(1, Ordering::SeqCst)
        };
        let mut runs = Vec::new();
        let mut change = || {
            let (cleanups, (started, wait)) = (cleanups.clone(), std::sync::mpsc::channel());
            runs.push(std::thread::spawn(move || {
                started.send(()).expect("it waits");
                cleanups.run_before(|| ());
            }));
            wait.recv().expect("it sends");
            // Time for the thread to run the cleanups, if it does not wait.
            std::thread::sleep(std::time::Duration::from_millis(50));
            Ok::<(), ()>(())
        };
        let ((), added) = cleanups.add_after(&mut change, counts(&count)).expect("it succeeds");
        let replaced = cleanups.add(counts(&old));
        drop(added);
        replaced.replace_after(&mut change, counts(&count)).expect("it succeeds");
        runs.into_iter().for_each(|run| run.join().expect("no panic"));
        assert_eq!(count.load(Ordering::SeqCst), 2);
        assert_eq!(old.load(Ordering::SeqCst), 0);
        replaced.replace_after(|| Err(()), counts(&old)).expect_err("it fails");
        cleanups.add_after(|| Err::<(), ()>(()), counts(&old)).map(drop).expect_err("it fails");
        cleanups.run_before(|| ());
        assert_eq!((count.load(Ordering::SeqCst), old.load(Ordering::SeqCst)), (3, 0));
    }
}
