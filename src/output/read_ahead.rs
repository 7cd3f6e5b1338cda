//! Readahead of the sources.
//!
//! ```text
//! image      ├── written ──┬ taken ┬────────── WINDOW ──────────┬────────────
//!                          │       │ cold spans: the kernel     │
//!                   threads at     │ was told, reads them now   ▲ one thread more, which waits
//!                   work on these  └────────────────────────────┘ until the others come nearer
//! ```
//!
//! A thread that gathers a span of small files waits for the disk once for each of them, so the
//! queue depth of the disk is the number of threads. One more thread, which sleeps most of the
//! time, starts the kernel's readahead of the following spans, up to [`WINDOW`].
//!
//! For each span it first checks if the first of its files is in the page cache, and skips the span
//! if it is. Ranges that the output shares with their sources are skipped, since they are never
//! read. Errors are ignored here: the later read reports them.
//!
//! # Cost
//!
//! Measured on two busy processors with output on tmpfs, whole runs of the program, medians of the
//! ratios of interleaved runs with and without it, 7 and 5 cold ones, 25 and 15 warm ones:
//!
//! | tree                    | cold: time | processor | warm: time | processor |
//! |-------------------------|------|------|-------|-------|
//! | 9,700 files, 248 MB     | 0.59 | 0.81 | 1.008 | 1.008 |
//! | 120,000 files, 264 MB   | 0.41 | 0.62 | 1.015 | 1.012 |
//!
//! The threads of a cold run waited 3,000 to 9,000 times for the 120,000 files, and 122,000 times
//! without it.

use std::thread;

use super::spans::{SPAN_SIZE, Span, Spans};
use crate::blob::ReadAhead;
use crate::interrupt::Interrupt;
use crate::threads::Watched;

/// The maximum distance of readahead beyond the taken spans, in bytes of the image.
pub(super) const WINDOW: u64 = 16 * SPAN_SIZE;

/// The progress of the reading threads.
#[derive(Default)]
pub(super) struct Reached(Watched<State>);

#[derive(Default)]
struct State {
    /// The end of the taken spans, in bytes of the image.
    position: u64,
    /// The position at which the readahead thread is to be woken.
    awaited: u64,
    /// Set once nothing more will be read.
    done: bool,
}

/// Calls `work`, which reports its progress, while a thread reads ahead in the same spans.
pub(super) fn beside<C: ReadAhead, T>(
    spans: Spans<'_, C>,
    interrupt: &Interrupt,
    work: impl FnOnce(&Reached) -> T,
) -> T {
    let reached = Reached::default();
    thread::scope(|scope| {
        let stop = StopOnDrop(&reached);
        let ahead = thread::Builder::new().spawn_scoped(scope, || reached.read_ahead(spans, interrupt));
        let result = work(&reached);
        drop(stop);
        if let Ok(ahead) = ahead {
            // OK to ignore: an image that panics does so for `work` too.
            let _ = ahead.join();
        }
        result
    })
}

/// Ends the thread, also if the work panics.
struct StopOnDrop<'r>(&'r Reached);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.0.lock().done = true;
        self.0.0.notify();
    }
}

impl Reached {
    /// Reports that the taken spans end at `position` or later.
    pub(super) fn advance(&self, position: u64) {
        let mut state = self.0.lock();
        state.position = state.position.max(position);
        if state.position >= state.awaited {
            self.0.notify();
        }
    }

    fn read_ahead<C: ReadAhead>(&self, mut spans: Spans<'_, C>, interrupt: &Interrupt) {
        let mut span = Span::new();
        while let Ok(true) = spans.take(&mut span) {
            let is_over = || interrupt.signal().is_some() || self.0.lock().done;
            let Some(position) = self.wait_until_near(span.start) else { return };
            if span.start < position || !is_cold(&span) {
                continue;
            }
            for (content, offset, len) in span.contents() {
                if is_over() {
                    return;
                }
                content.begin_to_read(offset, len);
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

fn is_cold<C: ReadAhead>(span: &Span<'_, C>) -> bool {
    span.contents().next().is_some_and(|(content, offset, _)| content.is_cold(offset))
}
