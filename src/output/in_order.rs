//! The bytes of an image from front to back, read by several threads.
//!
//! ```text
//! fillers   take a buffer and the next span ─▶ gather ──┐
//!               ▲                                       ▼ in the order taken
//! caller        └──────────── buffer ─────────────── sink(bytes)
//! ```

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use image_runs::Image;

use super::WriteOptions;
use super::read_ahead::{self, Reached};
use super::spans::{Span, Spans};
use crate::blob::ReadAhead;
use crate::error::{Result, cannot_start_thread};

/// The buffer for zeros. As large as a pipe's buffer, small enough to stay in the L2 cache.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Buffers per filler: one being filled and one waiting for the sink.
const BUFFERS_PER_FILLER: usize = 2;

/// A span with its bytes, or the error of reading them.
type Filled<'a, C> = Result<Span<'a, C>>;

/// The state shared by the fillers: the remaining spans, and buffers to fill.
type Work<'a, C> = Mutex<(Spans<'a, C>, Receiver<Span<'a, C>>)>;

/// The channel for the receivers of the taken spans, in order.
type Order<'a, C> = Sender<Receiver<Filled<'a, C>>>;

/// Calls `sink` with consecutive slices that make up the whole image.
///
/// # Errors
/// The first error of the image's contents or of `sink` in the order of the image, or an interrupt.
pub(super) fn for_each_slice<C: ReadAhead>(
    image: &dyn Image<C>,
    options: &WriteOptions<'_>,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut emitter = Emitter { options, sink };
    read_ahead::beside(Spans::of(image), options.interrupt, |reached| match options.threads.get() - 1 {
        0 => alone(image, reached, &mut emitter),
        fillers => with_fillers(image, fillers, reached, &mut emitter),
    })
}

struct Emitter<'s> {
    options: &'s WriteOptions<'s>,
    sink: &'s mut dyn FnMut(&[u8]) -> Result<()>,
}

impl Emitter<'_> {
    fn emit<C>(&mut self, span: &Span<'_, C>) -> Result<()> {
        let mut gap = span.gap;
        while gap > 0 {
            let piece = &ZEROS[..ZEROS.len().min(usize::try_from(gap).unwrap_or(usize::MAX))];
            self.emit_slice(piece)?;
            gap -= piece.len() as u64;
        }
        self.emit_slice(span.bytes())
    }

    fn emit_slice(&mut self, bytes: &[u8]) -> Result<()> {
        self.options.interrupt.check()?;
        (self.sink)(bytes)?;
        self.options.progress.add(bytes.len() as u64);
        Ok(())
    }
}

fn alone<C: ReadAhead>(image: &dyn Image<C>, reached: &Reached, emitter: &mut Emitter<'_>) -> Result<()> {
    let mut spans = Spans::of(image);
    let mut span = Span::new();
    while spans.take(&mut span)? {
        reached.advance(spans.position());
        span.gather()?;
        emitter.emit(&span)?;
    }
    Ok(())
}

fn with_fillers<C: ReadAhead>(
    image: &dyn Image<C>,
    fillers: usize,
    reached: &Reached,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    let (order, slots) = channel();
    let (free, empty) = channel();
    for _ in 0..fillers.saturating_mul(BUFFERS_PER_FILLER) {
        // OK to ignore: the receiver exists right above.
        let _ = free.send(Span::new());
    }
    let work: &Work<'_, C> = &Mutex::new((Spans::of(image), empty));
    thread::scope(|scope| {
        for _ in 0..fillers {
            let order = order.clone();
            thread::Builder::new()
                .spawn_scoped(scope, move || fill_spans(work, reached, &order))
                .map_err(cannot_start_thread)?;
        }
        // The fillers hold the remaining senders: once they are done or have panicked, `slots` ends
        // too.
        drop(order);
        emit_slots(slots, free, emitter)
    })
}

/// Processes spans until there are none left, the sink is gone or reading fails.
fn fill_spans<'a, C: ReadAhead>(work: &Work<'a, C>, reached: &Reached, order: &Order<'a, C>) {
    while let Some((mut span, promise)) = take_span(work, reached, order) {
        let filled = span.gather().map(|()| span);
        let failed = filled.is_err();
        if promise.send(filled).is_err() || failed {
            return;
        }
    }
}

/// Takes the next span and promises the sink its bytes.
///
/// A filler takes its buffer before its span, so every span that is taken gets filled, and the
/// sink, which waits for the earliest of them, cannot deadlock.
fn take_span<'a, C>(
    work: &Work<'a, C>,
    reached: &Reached,
    order: &Order<'a, C>,
) -> Option<(Span<'a, C>, SyncSender<Filled<'a, C>>)> {
    // OK to unwrap: it is poisoned if the image panicked in another thread, and this one then
    // panics too.
    let mut work = work.lock().expect("the image's runs can be listed");
    let (spans, empty) = &mut *work;
    let mut span = empty.recv().ok()?;
    let (promise, slot) = sync_channel(1);
    let taken = spans.take(&mut span);
    reached.advance(spans.position());
    if matches!(taken, Ok(false)) {
        return None;
    }
    order.send(slot).ok()?;
    match taken {
        Ok(_) => Some((span, promise)),
        Err(error) => {
            // OK to ignore: without a sink there is no receiver.
            let _ = promise.send(Err(error));
            None
        }
    }
}

/// Emits each span once it is ready and returns its buffer. On return both channel ends are
/// dropped, which stops the fillers.
fn emit_slots<'a, C>(
    slots: Receiver<Receiver<Filled<'a, C>>>,
    free: Sender<Span<'a, C>>,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    for slot in slots {
        // A filler that panicked drops its sender; the scope propagates the panic.
        let Ok(filled) = slot.recv() else { break };
        let span = filled?;
        emitter.emit(&span)?;
        // OK to ignore: at the end of the image no filler waits for it.
        let _ = free.send(span);
    }
    Ok(())
}
