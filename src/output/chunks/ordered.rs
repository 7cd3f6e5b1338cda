//! The bytes of an image from front to back, read by several threads.
//!
//! Each worker gathers the next chunk in a buffer, which it gets back once the caller has passed
//! the bytes on, see [`Pipeline`].

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use image_runs::Image;

use super::read_ahead::{self, ReadPosition};
use super::{Chunk, Chunks};
use crate::blob::ReadAhead;
use crate::error::Result;
use crate::output::observer::Observer;
use crate::output::options::WriteOptions;
use crate::threads::{Pipeline, Promise};
use crate::zeros;

/// Buffers per worker: one being filled and one waiting for the sink.
const BUFFERS_PER_WORKER: u64 = 2;

/// Calls `sink` with consecutive slices that make up the whole image. The threads that gather them
/// pass them to the observer first, if there is one.
///
/// # Errors
/// The first error of the image's contents, of the observer or of `sink` in the order of the image,
/// or an interrupt.
pub(in crate::output) fn for_each_slice<C: ReadAhead>(
    image: &dyn Image<C>,
    options: &WriteOptions<'_>,
    observer: Option<&dyn Observer>,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut emitter = Emitter { options, observer, sink };
    read_ahead::with_read_ahead(Chunks::of(image), options.interrupt, |position_read| {
        match options.threads.count() - 1 {
            0 => alone(image, position_read, &mut emitter),
            workers => with_workers(image, workers, position_read, &mut emitter),
        }
    })
}

struct Emitter<'s> {
    options: &'s WriteOptions<'s>,
    observer: Option<&'s dyn Observer>,
    sink: &'s mut dyn FnMut(&[u8]) -> Result<()>,
}

impl Emitter<'_> {
    fn emit<C>(&mut self, chunk: &Chunk<'_, C>) -> Result<()> {
        zeros::pieces(chunk.hole).try_for_each(|piece| self.emit_slice(piece))?;
        self.emit_slice(chunk.bytes())
    }

    fn emit_slice(&mut self, bytes: &[u8]) -> Result<()> {
        self.options.interrupt.check()?;
        (self.sink)(bytes)?;
        self.options.progress.add(bytes.len() as u64);
        Ok(())
    }
}

fn alone<C: ReadAhead>(
    image: &dyn Image<C>,
    position_read: &ReadPosition,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    let mut chunks = Chunks::of(image);
    let mut chunk = Chunk::new();
    while chunks.take(&mut chunk)? {
        position_read.advance(chunks.position());
        gather(&mut chunk, emitter.observer)?;
        emitter.emit(&chunk)?;
    }
    Ok(())
}

fn gather<C: ReadAhead>(chunk: &mut Chunk<'_, C>, observer: Option<&dyn Observer>) -> Result<()> {
    chunk.gather()?;
    observer.map_or(Ok(()), |observer| chunk.observe(observer))
}

fn with_workers<C: ReadAhead>(
    image: &dyn Image<C>,
    workers: usize,
    position_read: &ReadPosition,
    emitter: &mut Emitter<'_>,
) -> Result<()> {
    let (stop, threads, observer) = (AtomicBool::new(false), emitter.options.threads, emitter.observer);
    let limit = BUFFERS_PER_WORKER.saturating_mul(workers as u64);
    let pipeline = Pipeline { threads, workers, limit, stop: &stop };
    let mut chunks = Chunks::of(image);
    let emitted: Mutex<Vec<Chunk<'_, C>>> = Mutex::default();
    let emitted = || emitted.lock().unwrap_or_else(PoisonError::into_inner);
    pipeline.run(
        || {
            let mut chunk = emitted().pop().unwrap_or_else(Chunk::new);
            let taken = chunks.take(&mut chunk);
            position_read.advance(chunks.position());
            Ok(taken?.then_some((chunk, 1)))
        },
        |mut chunk, (): &mut (), promise: &Promise<_>, _| {
            promise.fulfil(gather(&mut chunk, observer).map(|()| chunk))
        },
        |chunk, room| {
            emitter.emit(&chunk)?;
            emitted().push(chunk);
            room.release(1);
            Ok(())
        },
    )
}
