//! The worker threads of a run, and the shapes in which they work.
//!
//! ```text
//! Threads::map        units 0..n ─▶ any thread ─▶ results in the order of the units
//! Threads::run        the same work on the caller and further threads at once
//! Pipeline            items, taken in order ─▶ any thread, within a limit ─▶ the caller, in order
//! ```
//!
//! The threads are one rayon pool, which is made once and passed on. A run on one thread never
//! starts it, except to scan a directory. No result depends on the number of threads, and neither
//! does the error after a failure: `Failures` keeps the one of the earliest unit.

mod failures;
mod map;
mod pipeline;
mod watched;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Result, cannot_start_threads};

pub(crate) use failures::Failures;
pub(crate) use pipeline::{Pipeline, Promise};
pub(crate) use watched::Watched;

/// The threads of a run, which are started when they are first needed.
pub struct Threads {
    count: NonZeroUsize,
    pool: OnceLock<ThreadPool>,
}

impl Threads {
    /// Returns `count` threads. Most work is done by the caller and the others, so that one thread
    /// is the caller alone.
    #[must_use]
    pub const fn new(count: NonZeroUsize) -> Self {
        Self { count, pool: OnceLock::new() }
    }

    /// Returns a single thread.
    #[must_use]
    pub const fn single() -> Self {
        Self::new(NonZeroUsize::MIN)
    }

    /// The number of threads.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// Returns the pool, and starts its threads, [`count`](Self::count) in number, at the first
    /// call.
    ///
    /// # Errors
    /// If a thread cannot be started; no thread remains then.
    pub fn pool(&self) -> Result<&ThreadPool> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool);
        }
        let pool = ThreadPoolBuilder::new().num_threads(self.count());
        let pool = pool.thread_name(|index| format!("worker {index}")).build();
        let pool = pool.map_err(|error| cannot_start_threads(self.count(), &error))?;
        // Two concurrent first calls would start two pools, and the second one is dropped.
        Ok(self.pool.get_or_init(|| pool))
    }

    /// Returns the pool for work that a single thread does on the caller: `None` for one thread.
    ///
    /// # Errors
    /// Same as [`pool`](Self::pool).
    pub fn pool_of_several(&self) -> Result<Option<&ThreadPool>> {
        if self.count() == 1 { Ok(None) } else { self.pool().map(Some) }
    }

    /// Runs `work` on the calling thread and `workers - 1` threads of the pool, but on no more than
    /// all of them, and returns all results. The calls end when there is nothing left to do, so
    /// fewer of them may run at a time.
    ///
    /// # Errors
    /// If a thread cannot be started; no work was done then.
    pub(crate) fn run<T: Send>(&self, workers: usize, work: impl Fn() -> T + Sync) -> Result<Vec<T>> {
        let others = workers.min(self.count()).saturating_sub(1);
        if others == 0 {
            return Ok(vec![work()]);
        }
        let results = Mutex::new(Vec::with_capacity(others + 1));
        let work = || {
            let result = work();
            results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
        };
        self.pool()?.in_place_scope(|scope| {
            (0..others).for_each(|_| scope.spawn(|_| work()));
            work();
        });
        Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} threads", self.count)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::error::ErrorKind;

    /// Returns that many threads.
    pub(super) fn threads(count: usize) -> Threads {
        Threads::new(NonZeroUsize::new(count).expect("not 0"))
    }

    #[test]
    fn the_calling_thread_and_the_workers_run_at_once() {
        let threads = threads(3);
        let all_run = Barrier::new(3);
        let callers = threads.run(3, || {
            all_run.wait();
            std::thread::current().id()
        });
        let mut callers = callers.expect("threads can be started");
        assert!(callers.contains(&std::thread::current().id()));
        callers.sort_by_key(|id| format!("{id:?}"));
        callers.dedup();
        assert_eq!(callers.len(), 3);
        assert_eq!(threads.run(99, || ()).expect("they are started").len(), 3);
    }

    #[test]
    fn one_thread_starts_none() {
        let one = Threads::single();
        let caller = std::thread::current().id();
        assert_eq!(one.run(5, || std::thread::current().id()).expect("none is started"), [caller]);
        assert!(one.pool_of_several().expect("none is started").is_none());
        assert!(one.pool.get().is_none());
        assert_eq!(one.pool().expect("one thread can be started").current_num_threads(), 1);
    }

    #[test]
    fn a_panic_of_a_thread_reaches_the_caller() {
        let threads = threads(2);
        let caller = std::thread::current().id();
        for panics_in_the_caller in [false, true] {
            let both_run = Barrier::new(2);
            let work = || {
                both_run.wait();
                assert_ne!(std::thread::current().id() == caller, panics_in_the_caller, "a panic");
            };
            let run = std::panic::AssertUnwindSafe(|| threads.run(2, work));
            assert!(std::panic::catch_unwind(run).is_err());
        }
    }

    /// Set in the process that a test starts again with little address space.
    const LITTLE_MEMORY: &str = "ROOTCAST_TEST_LITTLE_MEMORY";

    #[test]
    fn a_thread_that_cannot_be_started_is_an_error() {
        if std::env::var_os(LITTLE_MEMORY).is_none() {
            let output = Command::new("sh")
                .args(["-c", "ulimit -v 2000000 && exec \"$0\" --exact \"$1\" --nocapture"])
                .arg(std::env::current_exe().expect("a test has a file"))
                .arg("threads::tests::a_thread_that_cannot_be_started_is_an_error")
                .env(LITTLE_MEMORY, "1")
                .env("RUST_MIN_STACK", (700 << 20).to_string())
                .output()
                .expect("a shell");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
            return;
        }
        // Stacks of 700 MiB: the third thread has no room for its stack, and those before it have
        // room for all else, without which the standard library aborts the process.
        let threads = threads(8);
        let started = AtomicBool::new(false);
        let error = threads.run(8, || started.store(true, Ordering::Relaxed)).expect_err("no memory");
        let message = error.to_string();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(message.starts_with("one of 8 threads cannot be started: "), "{message}");
        assert!(message.ends_with("; lower -j, or raise ulimit -u or -v"), "{message}");
        assert!(!started.into_inner(), "no work was done");
    }
}
