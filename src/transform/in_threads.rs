//! Runs many units of work in several threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, ErrorKind, Result};

/// Calls `work` with each number below `count`, and returns the results in the order of the
/// numbers. Each thread, including the caller's, has a `Scratch` of its own.
///
/// # Errors
/// The error of the lowest number, independent of the number of threads. An interrupt is returned
/// only if there is no other error.
pub(super) fn each<T: Send, Scratch: Default>(
    count: usize,
    threads: NonZeroUsize,
    work: impl Fn(usize, &mut Scratch) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let shared = Shared { count, next: AtomicUsize::new(0), stop: AtomicBool::new(false), work };
    let others = threads.get().min(count).saturating_sub(1);
    let results = thread::scope(|scope| {
        // OK to ignore: if a thread cannot be started, the others do its work.
        let others: Vec<_> = (0..others)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, || shared.some()).ok())
            .collect();
        let mut results = vec![shared.some()];
        results.extend(
            others
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
        );
        results
    });
    let mut done = Vec::with_capacity(count);
    let mut first: Option<Failure> = None;
    for result in results {
        match result {
            Ok(mut some) => done.append(&mut some),
            // Numbers are taken in order and finished once taken, so the lowest failure is found
            // with any number of threads.
            Err(failure) if first.as_ref().is_none_or(|(number, _)| failure.0 < *number) => {
                first = Some(failure);
            }
            Err(_) => {}
        }
    }
    if let Some((_, error)) = first {
        return Err(error);
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, value)| value).collect())
}

/// An error with the number that failed.
type Failure = (usize, Error);

/// The state that the threads share.
struct Shared<W> {
    count: usize,
    /// The first number that no thread has taken.
    next: AtomicUsize,
    /// Set when one thread failed: the others finish what they have and take no more.
    stop: AtomicBool,
    work: W,
}

impl<W> Shared<W> {
    /// Works until there is nothing left.
    fn some<T, Scratch: Default>(&self) -> Result<Vec<(usize, T)>, Failure>
    where
        W: Fn(usize, &mut Scratch) -> Result<T>,
    {
        let mut done = Vec::new();
        let mut scratch = Scratch::default();
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count {
                break;
            }
            match (self.work)(number, &mut scratch) {
                Ok(value) => done.push((number, value)),
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    let interrupted = error.kind() == ErrorKind::Interrupted;
                    return Err((if interrupted { usize::MAX } else { number }, error));
                }
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).expect("not 0")
    }

    #[test]
    fn results_are_in_order_whatever_the_threads() {
        for count in [0, 1, 2, 1000] {
            for number in [1, 2, 16] {
                let squares = each(count, threads(number), |number, calls: &mut usize| {
                    *calls += 1;
                    Ok(number * number)
                });
                let expected: Vec<_> = (0..count).map(|number| number * number).collect();
                assert_eq!(squares.expect("nothing fails"), expected);
            }
        }
    }

    #[test]
    fn the_error_is_that_of_the_lowest_number() {
        for number in [1, 2, 16] {
            let failed = each(1000, threads(number), |number, (): &mut ()| match number {
                11 | 12 | 500 => Err(Error::new(ErrorKind::Io, number.to_string())),
                number => Ok(number),
            });
            assert_eq!(failed.expect_err("several fail").to_string(), "11");
        }
    }

    #[test]
    fn a_signal_is_reported_only_if_nothing_else_fails() {
        let both_have_begun = Barrier::new(2);
        let failed = each(2, threads(2), |number, (): &mut ()| -> Result<()> {
            both_have_begun.wait();
            let kind = if number == 0 { ErrorKind::Interrupted } else { ErrorKind::Io };
            Err(Error::new(kind, number.to_string()))
        });
        assert_eq!(failed.expect_err("both fail").to_string(), "1");
    }
}
