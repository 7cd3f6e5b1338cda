//! Preallocation of the output's pages while the tree is still being read.
//!
//! ```text
//! reading the tree   ├── bytes found ──┬───────────── planning ─────┤
//!                                      ▼                            │
//! a thread more        └─ fallocate ─ fallocate ─ fallocate ─ ... ──┤ finish
//! the output's file    │ pages with nothing in them                 ├── writing ──────▶
//! ```
//!
//! Most of the time of a write to a file on tmpfs is page allocation, which the kernel does for one
//! thread at a time. The pages can be allocated before there is data, and then a write is a copy.
//! The amount of data in the tree is known long before its layout, and nearly all of it will be in
//! the output; so one more thread preallocates room for the bytes found so far. On other
//! filesystems allocation is cheap and writing is not, and nothing is preallocated.
//!
//! None of this affects the output. Preallocated ranges that turn out to be zeros become holes
//! again, and the part beyond the end is truncated. It never fails: the rest is allocated when it
//! is written.
//!
//! The measurements are in `docs/performance.md`, section "Writing sparse files".

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::fs::FallocateFlags;
use rustix::process::{Resource, getrlimit};

use super::atomic::AtomicFile;
use crate::interrupt::Cleanups;
use crate::output::destination::{Destination, Place};
use crate::progress::Progress;
use crate::threads::Watched;

/// The step of preallocation, in bytes, which limits the wait at the end.
pub(in crate::output) const STEP: u64 = 1 << 20;

/// The maximum length to preallocate, in bytes; at most a quarter of the free space is preallocated
/// as well. The tree may hold much that is not part of the output, and until then others lack the
/// space.
pub(in crate::output) const MAX_LEN: u64 = 1 << 30;

/// `TMPFS_MAGIC`.
const TMPFS: u64 = 0x0102_1994;

/// A future output, with room preallocated for the bytes that were reported. It leaves nothing on
/// drop.
pub struct Preallocation {
    demand: Arc<Watched<Demand>>,
    /// The thread that returns the file and its preallocated range; `None` once it was joined.
    thread: Option<JoinHandle<Preallocated>>,
}

/// A file to write to.
pub(in crate::output) struct Preallocated {
    pub(in crate::output) output: AtomicFile,
    /// The preallocated range in bytes. It reads as zeros.
    pub(in crate::output) range: Range<u64>,
}

impl Preallocation {
    /// Creates the file for `destination`, if that helps: if it will be a regular file on tmpfs.
    /// Nothing is preallocated before the byte `start`, where the output may hold little data.
    ///
    /// Errors are left for writing to report.
    #[must_use]
    pub fn begin(destination: &Destination, start: u64) -> Option<Self> {
        let Place::File(place) = &destination.place else { return None };
        // A file with a hidden name is removed again below.
        let output = AtomicFile::create(place, &Cleanups::default()).ok()?;
        let filesystem = rustix::fs::fstatfs(output.file()).ok()?;
        // A hidden name would remain if the program is killed, for longer than without this.
        if u64::try_from(filesystem.f_type) != Ok(TMPFS) || output.has_hidden_name() {
            return None;
        }
        let free = filesystem.f_bavail.saturating_mul(u64::try_from(filesystem.f_bsize).ok()?);
        Self::of(output, allowed(start, free)?)
    }

    /// Preallocates bytes within a range, on any filesystem.
    pub(in crate::output) fn of(output: AtomicFile, within: Range<u64>) -> Option<Self> {
        // Beyond this limit the kernel returns EFBIG, and sends SIGXFSZ first.
        let limit = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        let within = within.start..within.end.min(limit);
        let demand = Arc::new(Watched::default());
        let thread = {
            let demand = Arc::clone(&demand);
            let preallocate =
                move || Preallocated { range: preallocate(&demand, output.file(), within), output };
            thread::Builder::new().spawn(preallocate).ok()?
        };
        Some(Self { demand, thread: Some(thread) })
    }

    /// Stops, and returns the file; `None` if the thread panicked.
    pub(in crate::output) fn finish(mut self) -> Option<Preallocated> {
        self.end();
        self.thread.take()?.join().ok()
    }

    fn end(&self) {
        self.demand.lock().done = true;
        self.demand.notify();
    }
}

/// The range from `start` on that may be preallocated with `free` bytes of free space.
pub(in crate::output) fn allowed(start: u64, free: u64) -> Option<Range<u64>> {
    Some(start..start.checked_add(MAX_LEN.min(free / 4))?)
}

impl Progress for Preallocation {
    /// Reports that `bytes` more will be in the output.
    fn add(&self, bytes: u64) {
        let mut demand = self.demand.lock();
        demand.found = demand.found.saturating_add(bytes);
        if demand.found >= demand.awaited {
            self.demand.notify();
        }
    }
}

impl Drop for Preallocation {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            // OK to ignore: the panic was reported, and nothing depends on the thread.
            let _ = thread.join();
        }
    }
}

#[derive(Default)]
struct Demand {
    /// The known minimum length of the output, in bytes.
    found: u64,
    /// The length in bytes that is required for the next step.
    awaited: u64,
    /// Set once nothing more is to be preallocated.
    done: bool,
}

/// Preallocates bytes of a file, step by step from the start of a range, and returns the
/// preallocated range.
fn preallocate(demand: &Watched<Demand>, file: &File, within: Range<u64>) -> Range<u64> {
    let Range { start, mut end } = within.start..within.start;
    while within.end.saturating_sub(end) >= STEP && wait_for(demand, end - start + STEP) {
        if rustix::fs::fallocate(file, FallocateFlags::empty(), end, STEP).is_err() {
            break;
        }
        end += STEP;
    }
    start..end
}

/// Waits until that many bytes were found. Returns false if nothing more is to be preallocated.
fn wait_for(demand: &Watched<Demand>, bytes: u64) -> bool {
    let waits = |demand: &mut Demand| {
        demand.awaited = bytes;
        !demand.done && demand.found < bytes
    };
    !demand.wait_while(waits).done
}
