//! Independent units of work.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Failures, Threads};
use crate::error::Result;

impl Threads {
    /// Calls `work` with each number below `count`, and returns the results in the order of the
    /// numbers. Each thread has a `Scratch` of its own.
    ///
    /// # Errors
    /// The error of the lowest number, independent of the number of threads. An interrupt is
    /// returned only if there is no other error. Also if a thread cannot be started.
    pub(crate) fn map<T: Send, Scratch: Default>(
        &self,
        count: usize,
        work: impl Fn(usize, &mut Scratch) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        // Numbers are taken one by one, in order: files that follow each other are mostly near each
        // other on the disk, and nothing after a failure is begun.
        let (next, failures) = (AtomicUsize::new(0), Failures::default());
        let parts = self.run(count, || {
            let (mut done, mut scratch) = (Vec::new(), Scratch::default());
            while !failures.stopped() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                match work(number, &mut scratch) {
                    Ok(value) => done.push((number, value)),
                    Err(error) => failures.add(number as u64, error),
                }
            }
            done
        })?;
        failures.into_result()?;
        let mut done: Vec<_> = parts.into_iter().flatten().collect();
        done.sort_unstable_by_key(|(number, _)| *number);
        Ok(done.into_iter().map(|(_, value)| value).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::super::tests::threads;
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn results_are_in_order_for_any_number_of_threads() {
        for count in [0, 1, 2, 1000] {
            for number in [1, 2, 16] {
                let squares = threads(number).map(count, |number, calls: &mut usize| {
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
            let failed = threads(number).map(1000, |number, (): &mut ()| match number {
                11 | 12 | 500 => Err(Error::new(ErrorKind::Io, number.to_string())),
                number => Ok(number),
            });
            assert_eq!(failed.expect_err("several fail").to_string(), "11");
        }
    }

    #[test]
    fn a_signal_is_reported_only_if_nothing_else_fails() {
        let both_have_begun = Barrier::new(2);
        let failed = threads(2).map(2, |number, (): &mut ()| -> Result<()> {
            both_have_begun.wait();
            let kind = if number == 0 { ErrorKind::Interrupted } else { ErrorKind::Io };
            Err(Error::new(kind, number.to_string()))
        });
        assert_eq!(failed.expect_err("both fail").to_string(), "1");
    }

    /// Work within work waits for its own units only, which the waiting threads do themselves.
    #[test]
    fn units_that_divide_their_own_work_end() {
        for number in [1, 2, 3] {
            let (done, result) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let threads = threads(number);
                let sums = threads.map(20, |outer, (): &mut ()| {
                    let inner = threads.map(20, |inner, (): &mut ()| Ok(outer * inner))?;
                    Ok(inner.into_iter().sum::<usize>())
                });
                done.send(sums.expect("nothing fails")).expect("the test waits");
            });
            let sums = result.recv_timeout(std::time::Duration::from_secs(60)).expect("no deadlock");
            assert_eq!(sums, (0..20).map(|outer| outer * 190).collect::<Vec<_>>());
        }
    }
}
