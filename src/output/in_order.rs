//! The bytes of an image from front to back, read by several threads.
//!
//! Each worker gathers the next span in a buffer, which it gets back once the caller has passed the
//! bytes on, see [`Pipeline`].

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use image_runs::Image;

use super::WriteOptions;
use super::read_ahead::{self, Reached};
use super::spans::{Span, Spans};
use crate::blob::ReadAhead;
use crate::error::Result;
use crate::threads::{Pipeline, Promise};

/// The buffer for zeros. As large as a pipe's buffer, small enough to stay in the L2 cache.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Buffers per worker: one being filled and one waiting for the sink.
const BUFFERS_PER_WORKER: u64 = 2;

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
    read_ahead::beside(Spans::of(image), options.interrupt, |reached| match options.threads.count() - 1 {
        0 => alone(image, reached, &mut emitter),
        workers => with_workers(image, workers, reached, &mut emitter),
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

fn with_workers<C: ReadAhead>(
    image: &dyn Image<C>,
    workers: usize,
    reached: &Reached,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    let (stop, threads) = (AtomicBool::new(false), emitter.options.threads);
    let limit = BUFFERS_PER_WORKER.saturating_mul(workers as u64);
    let pipeline = Pipeline { threads, workers, limit, stop: &stop };
    let mut spans = Spans::of(image);
    let emitted: Mutex<Vec<Span<'_, C>>> = Mutex::default();
    let emitted = || emitted.lock().unwrap_or_else(PoisonError::into_inner);
    pipeline.run(
        || {
            let mut span = emitted().pop().unwrap_or_else(Span::new);
            let taken = spans.take(&mut span);
            reached.advance(spans.position());
            Ok(taken?.then_some((span, 1)))
        },
        |mut span, (): &mut (), promise: &Promise<_>, _| promise.fulfil(span.gather().map(|()| span)),
        |span, room| {
            emitter.emit(&span)?;
            emitted().push(span);
            room.release(1);
            Ok(())
        },
    )
}
