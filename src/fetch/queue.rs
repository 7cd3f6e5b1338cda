//! The threads that transfer files, several at a time.
//!
//! They wait for servers most of the time, so that their number is that of connections and not that
//! of processors. Only the caller uses the cache. A thread that waits for a name or a connection
//! cannot be woken: after a request to stop, the caller does not wait for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::client::Client;
use super::failure::{self, Failure, Failures};
use super::request::{Fetched, Length, Request};
use super::storage::{Place, Storage};
use super::transfer::Transfer;
use crate::cache::NewAddressed;
use crate::error::{Error, Result, cannot_start_threads};
use crate::progress::Phase;
use crate::watch::Watch;

/// The time between two looks at the request to stop.
const LOOK: Duration = Duration::from_millis(50);

/// The requests that are transferred.
pub(super) struct Queue<'a, 'c> {
    pub(super) client: &'a Arc<Client>,
    pub(super) storage: &'a Storage<'c>,
    pub(super) connections: usize,
    pub(super) requests: &'a [Request],
    pub(super) watch: &'a Watch,
}

/// A transfer that is to be done, with the number of its request.
type Job = (usize, Transfer);

/// The result of one transfer, with the number of its request.
type Outcome = (usize, std::result::Result<Fetched, Vec<Failure>>);

/// A transfer that is under way, with its entry in the cache, if it gets one.
type UnderWay<'c> = Vec<(usize, Option<NewAddressed<'c>>)>;

impl<'c> Queue<'_, 'c> {
    /// Transfers the requests with these numbers.
    pub(super) fn run(
        &self,
        wanted: &[usize],
        sink: &mut dyn FnMut(usize, Fetched) -> Result<()>,
    ) -> Result<()> {
        let bytes =
            wanted.iter().fold(0, |sum: u64, number| sum.saturating_add(expected(&self.requests[*number])));
        self.watch.progress.begin(Phase::Fetch { bytes });
        let abandoned = Arc::default();
        let fetched = self.transfer(wanted, &abandoned, sink);
        abandoned.store(true, Ordering::Relaxed);
        self.watch.progress.begin(Phase::End);
        if self.watch.cancel.is_set() {
            self.client.shut_down();
        }
        fetched
    }

    fn transfer(
        &self,
        wanted: &[usize],
        abandoned: &Arc<AtomicBool>,
        sink: &mut dyn FnMut(usize, Fetched) -> Result<()>,
    ) -> Result<()> {
        let workers = self.connections.min(wanted.len());
        let (jobs, outcomes) = start(workers)?;
        let mut left: VecDeque<usize> = wanted.iter().copied().collect();
        let (mut under_way, mut failures) = (UnderWay::new(), Vec::new());
        loop {
            while under_way.len() < workers
                && let Some(number) = left.pop_front()
            {
                let (transfer, entry) = self.prepare(&self.requests[number], abandoned)?;
                under_way.push((number, entry));
                // OK to ignore: the threads end only after `jobs`.
                let _ = jobs.send((number, transfer));
            }
            if under_way.is_empty() {
                break;
            }
            self.watch.cancel.check()?;
            let (number, result) = match outcomes.recv_timeout(LOOK) {
                Ok(outcome) => outcome,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(crate::error::ErrorKind::Io, "the threads of transfers ended"));
                }
            };
            let at = under_way.iter().position(|(other, _)| *other == number);
            let entry = at.and_then(|at| under_way.swap_remove(at).1);
            match result {
                Ok(fetched) => {
                    self.storage.keep(entry)?;
                    sink(number, fetched)?;
                }
                Err(reasons) => {
                    let failed = self.failed(number, reasons)?;
                    // Further ones would mostly fail for the same reason. What is missing is listed
                    // to the end.
                    if !failed.is_missing() {
                        left.clear();
                    }
                    failures.push((number, failed));
                }
            }
        }
        if failures.is_empty() {
            return Ok(());
        }
        failures.sort_by_key(|(number, _)| *number);
        Err(failure::of_several(failures.into_iter().map(|(_, failed)| failed).collect()))
    }

    fn failed(&self, number: usize, mut reasons: Vec<Failure>) -> Result<Failures> {
        match reasons.pop() {
            Some(Failure::Final(error)) => Err(error),
            last => {
                reasons.extend(last);
                Ok(Failures::new(&self.requests[number], reasons))
            }
        }
    }

    /// Returns a transfer into a new file, and that file's entry in the cache.
    fn prepare(
        &self,
        request: &Request,
        abandoned: &Arc<AtomicBool>,
    ) -> Result<(Transfer, Option<NewAddressed<'c>>)> {
        let Place { file, directory, entry } = self.storage.place(request)?;
        let transfer = Transfer {
            request: request.clone(),
            file,
            directory,
            client: Arc::clone(self.client),
            progress: Arc::clone(&self.watch.progress),
            cancel: self.watch.cancel.clone(),
            abandoned: Arc::clone(abandoned),
            reported: 0,
        };
        Ok((transfer, entry))
    }
}

/// Returns the number of bytes that a request is expected to transfer.
fn expected(request: &Request) -> u64 {
    match request.length {
        Length::Exactly(bytes) if !request.is_local() => bytes,
        _ => 0,
    }
}

/// Starts threads, which end with the returned ends of the channels.
fn start(count: usize) -> Result<(Sender<Job>, Receiver<Outcome>)> {
    let (jobs, taken) = mpsc::channel::<Job>();
    let (done, outcomes) = mpsc::channel();
    let taken = Arc::new(Mutex::new(taken));
    for number in 0..count {
        let (taken, done) = (Arc::clone(&taken), done.clone());
        let work = move || {
            loop {
                // The lock is held while waiting, so that one thread gets the next one.
                let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((number, transfer)) = job else { return };
                if done.send((number, transfer.run())).is_err() {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name(format!("fetch {number}")).spawn(work);
        if let Err(error) = started
            && number == 0
        {
            return Err(cannot_start_threads(count, &error));
        }
    }
    Ok((jobs, outcomes))
}
