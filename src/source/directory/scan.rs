//! The directories of a tree, each listed once, by several threads.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::list::{Lister, Listing, changed};
use crate::blob::Root;
use crate::error::{Error, Result};

/// More threads than this wait for the host's filesystem, and each needs up to four descriptors.
const MAX_THREADS: usize = 32;

/// Lists the root and every directory beneath it, in no particular order.
pub(super) fn scan(root: &Arc<Root>, threads: usize) -> Result<Vec<Listing>> {
    let queue = Queue::new();
    let workers = threads.clamp(1, MAX_THREADS);
    let results: Vec<_> = thread::scope(|scope| {
        let spawned: Vec<_> = (0..workers).map(|_| scope.spawn(|| work(root, &queue))).collect();
        spawned.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut all = Vec::new();
    for listings in results {
        all.append(&mut listings?);
    }
    Ok(all)
}

fn work(root: &Arc<Root>, queue: &Queue) -> Result<Vec<Listing>> {
    let mut lister = Lister::new(root)?;
    let mut listings = Vec::new();
    while let Some((path, _busy)) = queue.take() {
        if let Err(error) = descend(root, queue, &mut lister, path, &mut listings) {
            queue.stop();
            return Err(error);
        }
    }
    Ok(listings)
}

/// Lists the directory at `path`, then the first one in it, and so on to the bottom; what else is there to list goes
/// to the queue.
///
/// So a chain of directories is walked with one descriptor at a time, and not from the root for each of them.
fn descend(
    root: &Root,
    queue: &Queue,
    lister: &mut Lister<'_>,
    path: Vec<u8>,
    listings: &mut Vec<Listing>,
) -> Result<()> {
    let mut path = path;
    let mut opened = open(root, root.fd(), &path, &path)?;
    loop {
        let (directory, listing) = match opened {
            Opened::Readable(directory) => {
                let listing = lister.list(&directory, &path)?;
                (directory, listing)
            }
            Opened::Place(directory) => {
                let listing = lister.unreadable(&directory, &path)?;
                (directory, listing)
            }
        };
        let mut directories = listing.directories();
        let first = directories.next().map(|name| name.as_bytes().to_vec());
        queue.add(directories.map(|name| join(&path, name.as_bytes())).collect());
        listings.push(listing);
        let Some(name) = first else { return Ok(()) };
        path = join(&path, &name);
        opened = open(root, directory.as_fd(), &name, &path)?;
    }
}

enum Opened {
    Readable(OwnedFd),
    /// A directory that may not be read, open as a path only.
    Place(OwnedFd),
}

/// Opens a directory at a path beneath another one. `path` is its own, for messages.
fn open(root: &Root, from: BorrowedFd<'_>, relative: &[u8], path: &[u8]) -> Result<Opened> {
    let refused = |errno| cannot_open(root, path, errno);
    match root.open_from(from, relative, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(directory) => Ok(Opened::Readable(directory)),
        Err(Errno::ACCESS) => {
            let place = root.open_from(from, relative, OFlags::PATH | OFlags::DIRECTORY);
            place.map(Opened::Place).map_err(refused)
        }
        Err(errno) => Err(refused(errno)),
    }
}

/// The path of an entry of a directory, whose own path is empty for the root.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if !directory.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

fn cannot_open(root: &Root, path: &[u8], errno: Errno) -> Error {
    match errno {
        Errno::NOENT => changed(root, path, "it was listed as a directory and is gone"),
        Errno::NOTDIR | Errno::LOOP => changed(root, path, "it was listed as a directory and is none now"),
        _ => Error::io(root.join(path), errno),
    }
}

/// Directories to be listed.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<Vec<u8>>,
    /// How many threads list a directory now, and so may add more.
    busy: usize,
    /// How many threads wait for a directory. Waking nobody would be a system call for nothing.
    idle: usize,
    stopped: bool,
}

/// A thread is listing a directory, until this is dropped, be it by a panic.
struct Busy<'q>(&'q Queue);

impl Queue {
    /// A queue of the root directory, whose path is empty.
    fn new() -> Self {
        let state = State { waiting: vec![Vec::new()], busy: 0, idle: 0, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for a directory; none when there are no more or someone stopped.
    fn take(&self) -> Option<(Vec<u8>, Busy<'_>)> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(path) = state.waiting.pop() {
                state.busy += 1;
                return Some((path, Busy(self)));
            }
            if state.busy == 0 {
                return None;
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn add(&self, mut paths: Vec<Vec<u8>>) {
        if paths.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.waiting.append(&mut paths);
        if state.idle > 0 {
            self.changed.notify_all();
        }
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// The state is whole between any two statements that hold it, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy -= 1;
        if state.busy == 0 && state.idle > 0 {
            self.0.changed.notify_all();
        }
    }
}
