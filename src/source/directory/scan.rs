//! Lists all directories of a tree once, with several threads.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use image_tree::MAX_DEPTH;
use rayon::{BroadcastContext, Scope, ThreadPool};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::error::{Location, changed};
use super::list::{Batch, Lister};
use super::listing::{Entry, Found, Listing, Status};
use super::xattrs::Home;
use crate::blob::{HostDirectory, Root};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::threads::{Failures, Threads};
use crate::xattr_filter::Filter;

/// Returns true for directories to be listed, by their paths relative to the root.
pub(super) type Wanted<'w> = &'w (dyn Fn(&[u8]) -> bool + Sync);

/// The options of a scan.
pub(super) struct ScanOptions<'m> {
    pub(super) threads: &'m Threads,
    /// The directories to be listed; all if there is none.
    pub(super) wanted: Option<Wanted<'m>>,
    /// Receives the number of bytes in files.
    pub(super) found: &'m dyn Progress,
    /// True if the entries of directories that are mount points beneath the root are left out.
    pub(super) one_file_system: bool,
    /// The filter for xattrs.
    pub(super) filter: &'m Filter,
    /// False if xattrs are not read.
    pub(super) xattrs: bool,
    /// Checked at each entry.
    pub(super) interrupt: &'m Interrupt,
}

impl<'m> ScanOptions<'m> {
    /// Returns a lister for any thread.
    pub(super) fn lister(&self, root: &Arc<Root>) -> Result<Lister<'m>> {
        self.apply_to(Lister::new(root)?)
    }

    fn lister_for_own_thread(&self, root: &Arc<Root>, home: &Home) -> Result<Lister<'m>> {
        self.apply_to(Lister::for_own_thread(root, home)?)
    }

    fn apply_to(&self, lister: Lister<'m>) -> Result<Lister<'m>> {
        let lister = lister.with_progress(self.found);
        let lister = lister.with_interrupt(self.interrupt).with_xattrs(self.filter, self.xattrs);
        if self.one_file_system { lister.on_one_filesystem() } else { Ok(lister) }
    }

    fn wants(&self, place: &HostDirectory) -> bool {
        self.wanted.is_none_or(|wanted| wanted(&place.path_of(b"")))
    }
}

/// Lists the root and every wanted directory beneath it, in no particular order. One that is not
/// wanted has an empty listing. Directories deeper than [`MAX_DEPTH`] are not listed; they are an
/// error when the tree is assembled.
pub(super) fn scan(root: &Arc<Root>, options: &ScanOptions<'_>) -> Result<Vec<Listing>> {
    let pool = options.threads.pool()?;
    let home = Home::hold();
    let worker = |_: BroadcastContext<'_>| {
        Ok(Mutex::new((options.lister_for_own_thread(root, &home)?, Part::default())))
    };
    let workers = pool.broadcast(worker).into_iter().collect::<Result<_>>()?;
    let (failures, batches) = (Failures::default(), AtomicUsize::new(0));
    let walk = Walk { root, options, pool, workers, failures, batches };
    let top = HostDirectory::top(Arc::clone(root));
    pool.in_place_scope(|scope| walk.add(scope, Task::Directory(top)));
    pool.broadcast(|_| home.enter());
    walk.failures.into_result()?;
    let mut all = Part::default();
    for worker in walk.workers {
        let (_, Part { mut listings, mut further }) =
            worker.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.listings.append(&mut listings);
        all.further.append(&mut further);
    }
    Ok(all.whole())
}

/// Lists a single directory, and returns its listing and those of the directories in it, which are
/// not listed themselves.
pub(super) fn scan_one(
    root: &Root,
    lister: &mut Lister<'_>,
    place: &Arc<HostDirectory>,
) -> Result<(Listing, Vec<Listing>)> {
    let opened = open(root, root.fd(), &place.path_of(b""), place)?;
    let (directory, listing) = opened.list(lister, place, true, &mut Some)?;
    let unlisted = directories(place, &listing.entries).map(|place| {
        let opened = open(root, directory.as_fd(), place.name(), place)?;
        Ok(opened.list(lister, place, false, &mut Some)?.1)
    });
    let unlisted = unlisted.collect::<Result<_>>()?;
    Ok((listing, unlisted))
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

/// A walk through all directories, each of which is one task of a pool.
struct Walk<'w> {
    root: &'w Root,
    options: &'w ScanOptions<'w>,
    pool: &'w ThreadPool,
    /// The lister of each thread, and its results.
    workers: Vec<Mutex<(Lister<'w>, Part)>>,
    failures: Failures,
    /// The number of batches that were handed over and not examined yet. Each holds its directory
    /// open.
    batches: AtomicUsize,
}

/// The unit of work of a thread.
enum Task {
    /// Listing this directory and the chain of first directories beneath it.
    Directory(Arc<HostDirectory>),
    /// Examining some of the entries of a long directory.
    Batch(Batch),
}

impl Walk<'_> {
    fn add<'s>(&'s self, scope: &Scope<'s>, task: Task) {
        scope.spawn(move |scope| self.carry_out(scope, task));
    }

    fn carry_out<'s>(&'s self, scope: &Scope<'s>, task: Task) {
        let worker = self.pool.current_thread_index().and_then(|index| self.workers.get(index));
        // OK to unwrap: the tasks of a pool run on its threads.
        let worker = worker.expect("a thread of the pool");
        if self.failures.stopped() {
            return;
        }
        let (lister, part) = &mut *worker.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match task {
            Task::Directory(place) => self.descend(scope, lister, place, &mut part.listings),
            Task::Batch(batch) => self.examine(scope, lister, batch, part),
        };
        if let Err(error) = done {
            // The tasks have no order, so the first error reported is kept.
            self.failures.add(0, error);
        }
    }

    /// Leaves a batch to another thread, unless as many wait as there are others.
    fn offer<'s>(&'s self, scope: &Scope<'s>, batch: Batch) -> Option<Batch> {
        let others = self.workers.len() - 1;
        let more = |waiting| (waiting < others).then_some(waiting + 1);
        if self.batches.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            return Some(batch);
        }
        self.add(scope, Task::Batch(batch));
        None
    }

    fn examine<'s>(
        &'s self,
        scope: &Scope<'s>,
        lister: &mut Lister<'_>,
        batch: Batch,
        part: &mut Part,
    ) -> Result<()> {
        self.batches.fetch_sub(1, Ordering::Relaxed);
        let entries = lister.batch(&batch)?;
        directories(&batch.place, &entries)
            .for_each(|place| self.add(scope, Task::Directory(Arc::clone(place))));
        part.further.push((batch.place, entries));
        Ok(())
    }

    /// Lists a directory, then the first one in it, and so on to the bottom; all other directories
    /// become tasks.
    ///
    /// So a chain of directories is walked with one descriptor at a time, and not from the root for
    /// each of them.
    fn descend<'s>(
        &'s self,
        scope: &Scope<'s>,
        lister: &mut Lister<'_>,
        place: Arc<HostDirectory>,
        listings: &mut Vec<Listing>,
    ) -> Result<()> {
        let Self { root, options, .. } = *self;
        let mut place = place;
        let mut opened = open(root, root.fd(), &place.path_of(b""), &place)?;
        loop {
            options.interrupt.check()?;
            let mut hand_over = |batch| self.offer(scope, batch);
            let (directory, listing) = opened.list(lister, &place, options.wants(&place), &mut hand_over)?;
            let mut further = directories(&place, &listing.entries).cloned();
            let first = further.next();
            further.for_each(|place| self.add(scope, Task::Directory(place)));
            listings.push(listing);
            let Some(next) = first else { return Ok(()) };
            opened = open(root, directory.as_fd(), next.name(), &next)?;
            place = next;
        }
    }
}

enum OpenedDirectory {
    Readable(OwnedFd),
    /// A directory that may not be read, opened with `O_PATH`.
    Place(OwnedFd),
}

impl OpenedDirectory {
    /// Reads its metadata, and its entries if they are wanted and readable.
    fn list(
        self,
        lister: &mut Lister<'_>,
        place: &Arc<HostDirectory>,
        is_wanted: bool,
        hand_over: &mut dyn FnMut(Batch) -> Option<Batch>,
    ) -> Result<(Arc<OwnedFd>, Listing)> {
        let (directory, status) = match self {
            Self::Readable(directory) if is_wanted => {
                let directory = Arc::new(directory);
                let listing = lister.list(&directory, place, hand_over)?;
                return Ok((directory, listing));
            }
            Self::Place(directory) if is_wanted => (directory, Status::Unreadable),
            Self::Readable(directory) | Self::Place(directory) => (directory, Status::Unlisted),
        };
        let listing = lister.without_entries(&directory, place, status)?;
        Ok((Arc::new(directory), listing))
    }
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
        Errno::NOTDIR | Errno::LOOP => changed(at, "it was listed as a directory and is not one now"),
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
