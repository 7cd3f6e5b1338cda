//! Items that threads take in order, and whose results the caller gets in order.
//!
//! ```text
//! workers   take the next item, once there is room ─▶ make ──┐
//!               ▲                                            ▼ in the order taken
//! caller        └──────────── room ◀────────────────── consume(result)
//! ```
//!
//! A worker takes an item if there is room for its cost, or if nothing else is in progress. So the
//! item that the caller waits for is always in progress, and the caller cannot deadlock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::{Threads, Watched};
use crate::error::Result;

/// The options of an ordered pipeline that holds a limited amount of memory.
pub(crate) struct Pipeline<'p> {
    /// The threads that work; the caller only consumes.
    pub(crate) threads: &'p Threads,
    /// The number of them to use, at most all.
    pub(crate) workers: usize,
    /// The maximum cost of the items that were taken and not consumed yet.
    pub(crate) limit: u64,
    /// Set once no more results are needed.
    pub(crate) stop: &'p AtomicBool,
}

/// The room for items in progress.
pub(crate) struct Room<'q>(&'q (dyn Fn(u64) + Sync));

/// The result that the caller waits for.
pub(crate) struct Promise<T>(SyncSender<Result<T>>);

/// The results of all items that were taken, in order.
type Order<T> = Sender<Receiver<Result<T>>>;

/// An item and its cost.
pub(crate) type Costed<Item> = (Item, u64);

impl Room<'_> {
    /// Returns a part of the cost of an item, or all of it.
    pub(crate) fn release(&self, cost: u64) {
        (self.0)(cost);
    }
}

impl<T> Promise<T> {
    /// Passes a result to the caller. Returns false if the worker is to end: if the result is an
    /// error, or the caller no longer waits.
    pub(crate) fn fulfil(&self, result: Result<T>) -> bool {
        let failed = result.is_err();
        self.0.send(result).is_ok() && !failed
    }
}

impl Pipeline<'_> {
    /// Calls `make` on the workers with each item of `items` and a `Scratch` of the worker's own,
    /// and `consume` on the calling thread with each result, in order. `make` fulfils its promise,
    /// and returns false if the worker is to end; `consume` releases the item's cost.
    ///
    /// # Errors
    /// The first error of `items`, `make` or `consume` in the order of the items. Also if a thread
    /// cannot be started.
    pub(crate) fn run<Item: Send, Made: Send, Scratch: Default>(
        &self,
        items: impl FnMut() -> Result<Option<Costed<Item>>> + Send,
        make: impl Fn(Item, &mut Scratch, &Promise<Made>, &Room<'_>) -> bool + Sync,
        mut consume: impl FnMut(Made, &Room<'_>) -> Result<()>,
    ) -> Result<()> {
        let queue = Watched::new(Queue { items, next: None, taking: false, cost: 0 });
        let release = |cost: u64| {
            let mut queue_now = queue.lock();
            queue_now.cost = queue_now.cost.saturating_sub(cost);
            drop(queue_now);
            queue.notify();
        };
        let room = Room(&release);
        let (order, promises) = channel();
        let work = |order: &Order<Made>| {
            let mut scratch = Scratch::default();
            while let Some((item, promise)) = self.take(&queue, order) {
                let goes_on = match item {
                    Ok((item, _)) => make(item, &mut scratch, &promise, &room),
                    Err(error) => promise.fulfil(Err(error)),
                };
                if !goes_on {
                    return;
                }
            }
        };
        let work = &work;
        self.threads.pool()?.in_place_scope(|scope| {
            // The workers are stopped on every path out of here.
            let _stopper = Stopper { stop: self.stop, queue: &queue };
            for _ in 0..self.workers.min(self.threads.count()) {
                let order = order.clone();
                scope.spawn(move |_| work(&order));
            }
            // The workers hold the remaining senders: once they are done or have panicked,
            // `promises` ends too.
            drop(order);
            for promise in promises {
                // A worker that panicked drops its sender; the scope propagates the panic.
                let Ok(made) = promise.recv() else { break };
                consume(made?, &room)?;
            }
            Ok(())
        })
    }

    /// Takes the next item once there is room for it, and promises its result to the caller; `None`
    /// if there is none, or no more results are needed.
    fn take<Item, Made, Items: FnMut() -> Result<Option<Costed<Item>>>>(
        &self,
        queue: &Watched<Queue<Items, Item>>,
        order: &Order<Made>,
    ) -> Option<(Result<Costed<Item>>, Promise<Made>)> {
        let stopped = || self.stop.load(Ordering::SeqCst);
        let mut queue = queue.wait_while(|queue| !stopped() && queue.is_full(self.limit));
        if stopped() {
            return None;
        }
        let item = queue.next.take()?;
        queue.cost = queue.cost.saturating_add(item.as_ref().map_or(0, |(_, cost)| *cost));
        let (promise, result) = sync_channel(1);
        order.send(result).ok()?;
        Some((item, Promise(promise)))
    }
}

/// The items that no worker has taken yet.
struct Queue<Items, Item> {
    items: Items,
    /// The next item, once it is known.
    next: Option<Result<Costed<Item>>>,
    /// Set while the next item is determined, and so for good if that panics.
    taking: bool,
    /// The cost of the items in progress.
    cost: u64,
}

impl<Item, Items: FnMut() -> Result<Option<Costed<Item>>>> Queue<Items, Item> {
    /// Returns true if there is a next item and no room for it.
    fn is_full(&mut self, limit: u64) -> bool {
        if self.next.is_none() && !self.taking {
            self.taking = true;
            self.next = (self.items)().transpose();
            self.taking = false;
        }
        let Some(Ok((_, cost))) = &self.next else { return false };
        self.cost > 0 && self.cost.saturating_add(*cost) > limit
    }
}

/// Stops the workers when dropped.
struct Stopper<'s, Queue> {
    stop: &'s AtomicBool,
    queue: &'s Watched<Queue>,
}

impl<Queue> Drop for Stopper<'_, Queue> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The lock ensures that no worker is between checking the flag and waiting.
        let queue = self.queue.lock();
        drop(queue);
        self.queue.notify();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::super::tests::threads;
    use super::*;
    use crate::error::{Error, ErrorKind};

    /// Sends the numbers below `count` through a pipeline in which an item costs `cost`, and
    /// returns the consumed ones. Items and results fail where the functions return an error.
    fn pass(
        workers: usize,
        cost: u64,
        item: impl Fn(u64) -> Result<u64> + Sync,
        make: impl Fn(u64) -> Result<u64> + Sync,
    ) -> (Result<()>, Vec<u64>) {
        const LIMIT: u64 = 5;
        let (stop, in_progress, threads) = (AtomicBool::new(false), AtomicU64::new(0), threads(workers));
        let pipeline = Pipeline { threads: &threads, workers, limit: LIMIT, stop: &stop };
        let (mut next, mut consumed) = (0, Vec::new());
        let result = pipeline.run(
            || {
                next += 1;
                if next > 1000 { Ok(None) } else { item(next - 1).map(|item| Some((item, cost))) }
            },
            |item, (): &mut (), promise, _| {
                let now = in_progress.fetch_add(cost, Ordering::SeqCst) + cost;
                assert!(now <= LIMIT.max(cost), "{now} in progress");
                promise.fulfil(make(item))
            },
            |made, room| {
                consumed.push(made);
                in_progress.fetch_sub(cost, Ordering::SeqCst);
                room.release(cost);
                Ok(())
            },
        );
        assert!(stop.load(Ordering::SeqCst), "the workers are stopped");
        (result, consumed)
    }

    #[test]
    fn results_are_consumed_in_order_within_the_limit() {
        for (workers, cost) in [(1, 1), (2, 2), (7, 1), (7, 5), (3, 99)] {
            let (result, consumed) = pass(workers, cost, Ok, |item| Ok(item * 2));
            result.expect("nothing fails");
            assert_eq!(consumed, (0..1000).map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_error_is_the_first_in_the_order_of_the_items() {
        let fails = |from: u64| {
            move |item: u64| {
                if item < from { Ok(item) } else { Err(Error::new(ErrorKind::Io, item.to_string())) }
            }
        };
        for workers in [1, 2, 7] {
            let (result, consumed) = pass(workers, 1, Ok, fails(11));
            assert_eq!(result.expect_err("it fails").to_string(), "11");
            assert_eq!(consumed.len(), 11);
            let (result, _) = pass(workers, 1, fails(20), fails(30));
            assert_eq!(result.expect_err("it fails").to_string(), "20");
        }
    }

    #[test]
    fn a_panic_stops_the_pipeline() {
        for workers in [1, 2, 7] {
            let panics = |at: u64, or: u64| {
                let check = |at: u64| {
                    move |item| {
                        assert_ne!(item, at, "a panic");
                        Ok(item)
                    }
                };
                std::panic::catch_unwind(|| pass(workers, 1, check(at), check(or))).is_err()
            };
            assert!(panics(500, u64::MAX), "of an item");
            assert!(panics(u64::MAX, 500), "of a worker");
            assert!(!panics(u64::MAX, u64::MAX));
        }
    }
}
