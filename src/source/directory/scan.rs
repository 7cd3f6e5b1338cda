//! The directories of a tree, each listed once, by several threads.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::fs::OFlags;
use rustix::io::Errno;

use image_tree::Name;

use super::list::{Batch, Entry, Found, Lister, Listing, Seen, changed};
use crate::blob::{HostDirectory, Root};
use crate::error::{Error, Result};
use crate::report::progress::Progress;

/// More threads than this wait for the host's filesystem, and each needs up to four descriptors.
const MAX_THREADS: usize = 32;

/// Which directories are listed, by their paths relative to the root.
pub(super) type Wanted<'w> = &'w (dyn Fn(&[u8]) -> bool + Sync);

/// How directories are listed.
pub(super) struct Manner<'m> {
    pub(super) threads: usize,
    pub(super) wanted: Wanted<'m>,
    /// Hears of the bytes of files.
    pub(super) found: &'m dyn Progress,
    /// Whether the entries of directories that are mounted beneath the root are left out.
    pub(super) one_file_system: bool,
}

/// Lists the root and every wanted directory beneath it, in no particular order. One that is not wanted has an empty
/// listing.
pub(super) fn scan(root: &Arc<Root>, manner: &Manner<'_>) -> Result<Vec<Listing>> {
    let queue = Queue::new();
    let workers = manner.threads.clamp(1, MAX_THREADS);
    let results: Vec<_> = thread::scope(|scope| {
        let spawned: Vec<_> = (0..workers).map(|_| scope.spawn(|| work(root, &queue, manner))).collect();
        spawned.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut all = Part::default();
    for part in results {
        let Part { mut listings, mut further } = part?;
        all.listings.append(&mut listings);
        all.further.append(&mut further);
    }
    Ok(all.whole())
}

/// What one thread found.
#[derive(Default)]
struct Part {
    listings: Vec<Listing>,
    /// Entries of long directories that another thread lists, with the directories' paths.
    further: Vec<(Arc<HostDirectory>, Vec<Entry>)>,
}

impl Part {
    /// The listings with all of their entries.
    fn whole(self) -> Vec<Listing> {
        let Self { mut listings, further } = self;
        if further.is_empty() {
            return listings;
        }
        let mut by_path: BTreeMap<Vec<u8>, Vec<Entry>> = BTreeMap::new();
        for (place, mut entries) in further {
            by_path.entry(place.path().to_vec()).or_default().append(&mut entries);
        }
        for listing in &mut listings {
            if let Some(mut entries) = by_path.remove(&listing.path) {
                listing.entries.append(&mut entries);
            }
        }
        listings
    }
}

fn work(root: &Arc<Root>, queue: &Queue, manner: &Manner<'_>) -> Result<Part> {
    let mut lister = Lister::of_own_thread(root)?.telling(manner.found);
    if manner.one_file_system {
        lister = lister.staying()?;
    }
    let mut part = Part::default();
    while let Some((task, _busy)) = queue.take() {
        let done = match task {
            Task::Directory(path) => {
                descend(root, queue, &mut lister, manner.wanted, path, &mut part.listings)
            }
            Task::Batch(batch) => examine(queue, &mut lister, batch, &mut part),
        };
        if let Err(error) = done {
            queue.stop();
            return Err(error);
        }
    }
    Ok(part)
}

fn examine(queue: &Queue, lister: &mut Lister<'_>, batch: Batch, part: &mut Part) -> Result<()> {
    let entries = lister.batch(&batch)?;
    queue.add(directories(&entries).map(|name| join(batch.place.path(), name.as_bytes())));
    part.further.push((batch.place, entries));
    Ok(())
}

/// Lists the directory at `path`, then the first one in it, and so on to the bottom; what else is there to list goes
/// to the queue.
///
/// So a chain of directories is walked with one descriptor at a time, and not from the root for each of them.
fn descend(
    root: &Root,
    queue: &Queue,
    lister: &mut Lister<'_>,
    wanted: Wanted<'_>,
    path: Vec<u8>,
    listings: &mut Vec<Listing>,
) -> Result<()> {
    let mut path = path;
    let mut opened = open(root, root.fd(), &path, &path)?;
    loop {
        let (directory, listing) = match opened {
            Opened::Readable(directory) | Opened::Place(directory) if !wanted(&path) => {
                let listing = lister.unseen(&directory, &path, Seen::Unlisted)?;
                (Arc::new(directory), listing)
            }
            Opened::Readable(directory) => {
                let directory = Arc::new(directory);
                let listing = lister.list(&directory, &path, &mut |batch| queue.offer(batch))?;
                (directory, listing)
            }
            Opened::Place(directory) => {
                let listing = lister.unseen(&directory, &path, Seen::Unreadable)?;
                (Arc::new(directory), listing)
            }
        };
        let mut names = directories(&listing.entries);
        let first = names.next().map(|name| name.as_bytes().to_vec());
        queue.add(names.map(|name| join(&path, name.as_bytes())));
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

/// The names of the directories among entries.
fn directories(entries: &[Entry]) -> impl Iterator<Item = &Name> {
    let is_directory = |entry: &&Entry| matches!(entry.found, Found::Directory);
    entries.iter().filter(is_directory).map(|entry| &entry.name)
}

/// What a thread does at a time.
enum Task {
    /// Listing the directory at this path and what leads down from it.
    Directory(Vec<u8>),
    /// Examining some of the entries of a long directory.
    Batch(Batch),
}

/// What is to be done.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<Vec<u8>>,
    /// No more than there are idle threads, as each holds its directory open.
    batches: Vec<Batch>,
    /// How many threads do something now, and so may add more.
    busy: usize,
    /// How many threads wait for something to do. Waking nobody would be a system call for nothing.
    idle: usize,
    stopped: bool,
}

/// A thread is listing a directory, until this is dropped, be it by a panic.
struct Busy<'q>(&'q Queue);

impl Queue {
    /// A queue of the root directory, whose path is empty.
    fn new() -> Self {
        let state =
            State { waiting: vec![Vec::new()], batches: Vec::new(), busy: 0, idle: 0, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for something to do; none when there is no more or someone stopped.
    fn take(&self) -> Option<(Task, Busy<'_>)> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let batch = state.batches.pop().map(Task::Batch);
            if let Some(task) = batch.or_else(|| state.waiting.pop().map(Task::Directory)) {
                state.busy += 1;
                return Some((task, Busy(self)));
            }
            if state.busy == 0 {
                return None;
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn add(&self, paths: impl Iterator<Item = Vec<u8>>) {
        let mut paths = paths.peekable();
        if paths.peek().is_none() {
            return;
        }
        let mut state = self.lock();
        state.waiting.extend(paths);
        if state.idle > 0 {
            self.changed.notify_all();
        }
    }

    /// Leaves a batch to a thread that has nothing to do, or gives it back.
    fn offer(&self, batch: Batch) -> Option<Batch> {
        let mut state = self.lock();
        if state.batches.len() >= state.idle {
            return Some(batch);
        }
        state.batches.push(batch);
        self.changed.notify_one();
        None
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
