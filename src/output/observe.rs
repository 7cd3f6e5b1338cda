//! Reading of an image for an observer only.

use std::sync::Mutex;

use image_runs::Image;

use super::chunks::read_ahead::{self, ReadPosition};
use super::chunks::{Chunk, Chunks};
use super::observer::Observer;
use super::options::WriteOptions;
use crate::blob::ReadAhead;
use crate::error::{Error, Result};
use crate::threads::Failures;

/// Reads an image, and passes it to an observer only.
///
/// # Errors
/// The first error of the image's contents or of the observer, or an interrupt.
pub fn observe<C: ReadAhead>(
    image: &dyn Image<C>,
    observer: &dyn Observer,
    options: &WriteOptions<'_>,
) -> Result<()> {
    let threads = options.threads;
    read_ahead::with_read_ahead(Chunks::of(image), options.interrupt, |position_read| {
        let chunks = Mutex::new(Chunks::of(image));
        let reader = Reader { chunks, failures: Failures::default(), observer, position_read, options };
        threads.run(threads.count(), || reader.read_chunks())?;
        reader.failures.into_result()
    })
}

/// The state shared by the threads.
struct Reader<'r, 'a, C> {
    chunks: Mutex<Chunks<'a, C>>,
    failures: Failures,
    observer: &'r dyn Observer,
    position_read: &'r ReadPosition,
    options: &'r WriteOptions<'r>,
}

impl<C: ReadAhead> Reader<'_, '_, C> {
    /// Passes on chunks until there are none left or a thread failed.
    fn read_chunks(&self) {
        let mut chunk = Chunk::new();
        loop {
            match self.take(&mut chunk) {
                Ok(true) => {}
                Ok(false) => return,
                Err((position, error)) => return self.failures.add(position, error),
            }
            if let Err(error) = chunk.gather().and_then(|()| chunk.observe(self.observer)) {
                return self.failures.add(chunk.start, error);
            }
            self.options.progress.add(chunk.hole + chunk.bytes().len() as u64);
        }
    }
}

impl<'a, C> Reader<'_, 'a, C> {
    /// Takes the next chunk, if there is one and no thread failed.
    fn take(&self, chunk: &mut Chunk<'a, C>) -> Result<bool, (u64, Error)> {
        self.options.interrupt.check().map_err(|error| (0, error))?;
        // OK to unwrap: it is poisoned if the image panicked in another thread, and this one then
        // panics too.
        let mut chunks = self.chunks.lock().expect("the image's runs can be listed");
        let taken =
            !self.failures.stopped() && chunks.take(chunk).map_err(|error| (chunks.position(), error))?;
        self.position_read.advance(chunks.position());
        Ok(taken)
    }
}
