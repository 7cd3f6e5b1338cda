//! Lists all directories of a tree once, with several threads.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::fs::OFlags;
use rustix::io::Errno;

use image_tree::MAX_DEPTH;

use super::error::{Location, changed};
use super::list::{Batch, Lister};
use super::listing::{Entry, Found, Listing, Status};
use crate::blob::{HostDirectory, Root};
use crate::error::cannot_start_thread;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::xattr_filter::Filter;

/// The largest number of threads. More would only wait for the host's filesystem, and each needs up
/// to four descriptors.
const MAX_THREADS: usize = 32;

/// Returns true for directories to be listed, by their paths relative to the root.
pub(super) type Wanted<'w> = &'w (dyn Fn(&[u8]) -> bool + Sync);

/// The options of a scan.
pub(super) struct ScanOptions<'m> {
    pub(super) threads: usize,
    /// The directories to be listed; all if there is none.
    pub(super) wanted: Option<Wanted<'m>>,
    /// Receives the number of bytes in files.
    pub(super) found: &'m dyn Progress,
    /// True if the entries of directories that are mount points beneath the root are left out.
    pub(super) one_file_system: bool,
    /// The filter for xattrs.
    pub(super) filter: &'m Filter,
    /// Checked at each entry.
    pub(super) interrupt: &'m Interrupt,
}

impl ScanOptions<'_> {
    fn wants(&self, place: &HostDirectory) -> bool {
        self.wanted.is_none_or(|wanted| wanted(&place.path_of(b"")))
    }
}

/// Lists the root and every wanted directory beneath it, in no particular order. One that is not
/// wanted has an empty listing. Directories deeper than [`MAX_DEPTH`] are not listed; they are an
/// error when the tree is assembled.
pub(super) fn scan(root: &Arc<Root>, options: &ScanOptions<'_>) -> Result<Vec<Listing>> {
    let queue = Queue::new(HostDirectory::top(Arc::clone(root)));
    let workers = options.threads.clamp(1, MAX_THREADS);
    let results: Vec<_> = thread::scope(|scope| {
        let spawn = || thread::Builder::new().spawn_scoped(scope, || work(root, &queue, options));
        let mut spawned = vec![spawn().map_err(cannot_start_thread)?];
        // A smaller number of threads finds the same.
        spawned.extend((1..workers).map_while(|_| spawn().ok()));
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        Ok::<_, Error>(spawned.into_iter().map(join).collect())
    })?;
    let mut all = Part::default();
    for part in results {
        let Part { mut listings, mut further } = part?;
        all.listings.append(&mut listings);
        all.further.append(&mut further);
    }
    Ok(all.whole())
}

/// The results of one thread.
#[derive(Default)]
struct Part {
    listings: Vec<Listing>,
    /// Entries of long directories that another thread lists, with the directories.
    further: Vec<(Arc<HostDirectory>, Vec<Entry>)>,
}

impl Part {
    /// Returns the listings with all of their entries.
    fn whole(self) -> Vec<Listing> {
        let Self { mut listings, further } = self;
        if further.is_empty() {
            return listings;
        }
        let mut by_place: HashMap<*const HostDirectory, Vec<Entry>> = HashMap::new();
        for (place, mut entries) in further {
            by_place.entry(Arc::as_ptr(&place)).or_default().append(&mut entries);
        }
        for listing in &mut listings {
            if let Some(mut entries) = by_place.remove(&Arc::as_ptr(&listing.place)) {
                listing.entries.append(&mut entries);
            }
        }
        listings
    }
}

fn work(root: &Arc<Root>, queue: &Queue, options: &ScanOptions<'_>) -> Result<Part> {
    let mut lister =
        Lister::for_own_thread(root)?.with_progress(options.found).with_interrupt(options.interrupt);
    lister = lister.with_filter(options.filter);
    if options.one_file_system {
        lister = lister.on_one_filesystem()?;
    }
    let mut part = Part::default();
    while let Some((task, _busy)) = queue.take() {
        let done = match task {
            Task::Directory(place) => descend(root, queue, &mut lister, options, place, &mut part.listings),
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
    queue.add(directories(&batch.place, &entries).cloned());
    part.further.push((batch.place, entries));
    Ok(())
}

/// Lists a directory, then the first one in it, and so on to the bottom; all other directories are
/// added to the queue.
///
/// So a chain of directories is walked with one descriptor at a time, and not from the root for
/// each of them.
fn descend(
    root: &Root,
    queue: &Queue,
    lister: &mut Lister<'_>,
    options: &ScanOptions<'_>,
    place: Arc<HostDirectory>,
    listings: &mut Vec<Listing>,
) -> Result<()> {
    let mut place = place;
    let mut opened = open(root, root.fd(), &place.path_of(b""), &place)?;
    loop {
        options.interrupt.check()?;
        let (directory, listing) = match opened {
            OpenedDirectory::Readable(directory) | OpenedDirectory::Place(directory)
                if !options.wants(&place) =>
            {
                let listing = lister.without_entries(&directory, &place, Status::Unlisted)?;
                (Arc::new(directory), listing)
            }
            OpenedDirectory::Readable(directory) => {
                let directory = Arc::new(directory);
                let listing = lister.list(&directory, &place, &mut |batch| queue.offer(batch))?;
                (directory, listing)
            }
            OpenedDirectory::Place(directory) => {
                let listing = lister.without_entries(&directory, &place, Status::Unreadable)?;
                (Arc::new(directory), listing)
            }
        };
        let mut further = directories(&place, &listing.entries).cloned();
        let first = further.next();
        queue.add(further);
        listings.push(listing);
        let Some(next) = first else { return Ok(()) };
        opened = open(root, directory.as_fd(), next.name(), &next)?;
        place = next;
    }
}

enum OpenedDirectory {
    Readable(OwnedFd),
    /// A directory that may not be read, opened with `O_PATH`.
    Place(OwnedFd),
}

/// Opens the directory at `place`, whose path beneath an open one is `relative`.
fn open(
    root: &Root,
    from: BorrowedFd<'_>,
    relative: &[u8],
    place: &HostDirectory,
) -> Result<OpenedDirectory> {
    let refused = |errno| cannot_open(place, errno);
    match root.open_from(from, relative, OFlags::RDONLY | OFlags::DIRECTORY) {
        Ok(directory) => Ok(OpenedDirectory::Readable(directory)),
        Err(Errno::ACCESS) => {
            let place = root.open_from(from, relative, OFlags::PATH | OFlags::DIRECTORY);
            place.map(OpenedDirectory::Place).map_err(refused)
        }
        Err(errno) => Err(refused(errno)),
    }
}

fn cannot_open(place: &HostDirectory, errno: Errno) -> Error {
    let at = Location::directory(place);
    match errno {
        Errno::NOENT => changed(at, "it was listed as a directory and is gone"),
        Errno::NOTDIR | Errno::LOOP => changed(at, "it was listed as a directory and is none now"),
        _ => Error::io(at.host_path(), errno),
    }
}

/// Returns the directories among the entries of a directory; none where they are deeper than a tree
/// may be.
fn directories<'e>(
    place: &HostDirectory,
    entries: &'e [Entry],
) -> impl Iterator<Item = &'e Arc<HostDirectory>> {
    let entries = if place.depth() < MAX_DEPTH { entries } else { &[] };
    entries.iter().filter_map(|entry| match &entry.found {
        Found::Directory(place) => Some(place),
        Found::File { .. } => None,
    })
}

/// The unit of work of a thread.
enum Task {
    /// Listing this directory and the chain of first directories beneath it.
    Directory(Arc<HostDirectory>),
    /// Examining some of the entries of a long directory.
    Batch(Batch),
}

/// The tasks that no thread has taken yet.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<Arc<HostDirectory>>,
    /// Not more than there are idle threads, as each batch holds its directory open.
    batches: Vec<Batch>,
    /// The number of threads that have a task, and so may add more.
    busy: usize,
    /// The number of threads that wait for a task. Without one, the system call that wakes them is
    /// saved.
    idle: usize,
    stopped: bool,
}

/// Marks a thread as busy until it is dropped, also by a panic.
struct Busy<'q>(&'q Queue);

impl Queue {
    /// Creates a queue of the root directory.
    fn new(top: Arc<HostDirectory>) -> Self {
        let state = State { waiting: vec![top], batches: Vec::new(), busy: 0, idle: 0, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for a task; none when there are no more or the queue was stopped.
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

    fn add(&self, places: impl Iterator<Item = Arc<HostDirectory>>) {
        let mut places = places.peekable();
        if places.peek().is_none() {
            return;
        }
        let mut state = self.lock();
        state.waiting.extend(places);
        if state.idle > 0 {
            self.changed.notify_all();
        }
    }

    /// Leaves a batch to an idle thread, or returns it.
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

    /// Locks the state. It is consistent between any two statements that hold it, so a panic
    /// other_filesystem leaves it usable.
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
