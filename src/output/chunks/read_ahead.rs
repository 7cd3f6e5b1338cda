//! Readahead of the sources.
//!
//! ```text
//! image      ├── written ──┬ taken ┬────────── WINDOW ──────────┬────────────
//!                          │       │ cold chunks: the kernel     │
//!                   threads at     │ was asked, reads them now   ▲ one thread more, which waits
//!                   work on these  └────────────────────────────┘ until the others come nearer
//! ```
//!
//! A thread that gathers a chunk of small files waits for the disk once for each of them, so the
//! queue depth of the disk is the number of threads. One more thread, which sleeps most of the
//! time, starts the kernel's readahead of the following chunks, up to [`WINDOW`].
//!
//! For each chunk it first checks if the first of its files is in the page cache, and skips the
//! chunk if it is. Ranges that the output shares with their sources are skipped, since they are
//! never read. Errors are ignored here: the later read reports them.
//!
//! The measurements are in `docs/performance.md`, section "Reading sources".

use std::thread;

use super::{CHUNK_SIZE, Chunk, Chunks};
use crate::blob::ReadAhead;
use crate::interrupt::Interrupt;
use crate::threads::Watched;

/// The maximum distance of readahead beyond the taken chunks, in bytes of the image.
pub(in crate::output) const WINDOW: u64 = 16 * CHUNK_SIZE;

/// The progress of the reading threads.
#[derive(Default)]
pub(in crate::output) struct ReadPosition(Watched<State>);

#[derive(Default)]
struct State {
    /// The end of the taken chunks, in bytes of the image.
    position: u64,
    /// The position at which the readahead thread is to be woken.
    awaited: u64,
    /// Set once nothing more will be read.
    done: bool,
}

/// Calls `work`, which reports its progress, while a thread reads ahead in the same chunks.
pub(in crate::output) fn with_read_ahead<C: ReadAhead, T>(
    chunks: Chunks<'_, C>,
    interrupt: &Interrupt,
    work: impl FnOnce(&ReadPosition) -> T,
) -> T {
    let position_read = ReadPosition::default();
    thread::scope(|scope| {
        let stop = StopOnDrop(&position_read);
        let ahead =
            thread::Builder::new().spawn_scoped(scope, || position_read.read_ahead(chunks, interrupt));
        let result = work(&position_read);
        drop(stop);
        if let Ok(ahead) = ahead {
            // OK to ignore: an image that panics does so for `work` too.
            let _ = ahead.join();
        }
        result
    })
}

/// Ends the thread, also if the work panics.
struct StopOnDrop<'r>(&'r ReadPosition);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.lock().done = true;
        self.0.0.notify();
    }
}

impl ReadPosition {
    /// Reports that the taken chunks end at `position` or later.
    pub(in crate::output) fn advance(&self, position: u64) {
        let mut state = self.0.lock();
        state.position = state.position.max(position);
        if state.position >= state.awaited {
            self.0.notify();
        }
    }

    fn read_ahead<C: ReadAhead>(&self, mut chunks: Chunks<'_, C>, interrupt: &Interrupt) {
        let mut chunk = Chunk::new();
        while let Ok(true) = chunks.take(&mut chunk) {
            let is_over = || interrupt.is_set() || self.0.lock().done;
            let Some(position) = self.wait_until_near(chunk.start) else { return };
            if chunk.start < position || !is_cold(&chunk) {
                continue;
            }
            for (content, offset, len) in chunk.contents() {
                if is_over() {
                    return;
                }
                content.start_readahead(offset, len);
            }
        }
    }

    /// Waits until `start` is within the window, and returns the progress of the others; `None` if
    /// there is nothing more to do.
    fn wait_until_near(&self, start: u64) -> Option<u64> {
        let mut state = self.0.lock();
        if start > state.position.saturating_add(WINDOW) {
            // Half the window at a time, so as to be woken seldom.
            state.awaited = start.saturating_sub(WINDOW / 2);
            drop(state);
            state = self.0.wait_while(|state| !state.done && state.position < state.awaited);
            state.awaited = u64::MAX;
        }
        (!state.done).then_some(state.position)
    }
}

fn is_cold<C: ReadAhead>(chunk: &Chunk<'_, C>) -> bool {
    chunk.contents().next().is_some_and(|(content, offset, _)| content.is_cold(offset))
}
