//! An image as a file, with holes where it is zero.
//!
//! Each thread gathers a chunk and writes it with as few calls as its holes allow, or shares it
//! with the source, see `clone_range`. The file appears under its name once it is complete; until
//! then an existing file is unchanged, and a run that fails or is killed leaves nothing.
//!
//! The measurements behind the number of threads, the length of chunks and the shortest hole are in
//! `docs/performance.md`, section "Writing sparse files".

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

use image_runs::{Image, Run};
use rustix::fs::FallocateFlags;

use super::atomic::AtomicFile;
use super::clone_range::{Cloned, Cloner};
use super::data_ranges::data_ranges;
use super::preallocation::{Preallocated, Preallocation};
use super::unpublished::{Unpublished, Written};
use crate::blob::{CloneSource, ReadAhead};
use crate::error::{Error, ErrorKind, Result};
use crate::output::chunks::read_ahead::{self, ReadPosition};
use crate::output::chunks::{CHUNK_SIZE, Chunk, Chunks, split};
use crate::output::destination::{Destination, Device, Place, zero};
use crate::output::observer::Observer;
use crate::output::options::{Reflink, WriteOptions};
use crate::output::stream;
use crate::threads::Failures;

/// The message about an output that is not a regular file, if everything is to be cloned.
pub(in crate::output) const NOT_CLONABLE: &str =
    "is not a regular file, so nothing can be cloned into it: leave out --reflink=always";

/// Writes the image's bytes to `destination`.
///
/// A regular file is replaced by a new one, as by `mv`, which keeps its mode. A named pipe, a
/// character device and standard output are written front to back, a block device in place, without
/// holes.
///
/// # Errors
/// [`Usage`](ErrorKind::Usage) if everything is to be cloned and the output does not support that,
/// [`DoesNotFit`](ErrorKind::DoesNotFit) if a block device is too small, [`Io`](ErrorKind::Io)
/// naming the output if it cannot be written, the errors of reading the image's contents,
/// [`Verification`](ErrorKind::Verification) if the image's runs violate the contract of [`Image`],
/// and [`Interrupted`](ErrorKind::Interrupted).
pub fn write<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    destination: &Destination,
    options: &WriteOptions<'_>,
) -> Result<Written> {
    let path = destination.path();
    let stream = |mut out: File| {
        stream::write(image, &mut out, path, options)?;
        Ok(Written::all(image.len()))
    };
    match &destination.place {
        Place::File(place) => {
            let output = AtomicFile::create(place, options.interrupt.cleanups())?;
            write_file(image, path, Preallocated { output, range: 0..0 }, options)
        }
        _ if options.reflink == Reflink::Always => Err(Error::at(ErrorKind::Usage, path, NOT_CLONABLE)),
        Place::Device(device) => write_device(image, path, device, options),
        Place::Stream(found) => stream(destination.open_stream(found)?),
        Place::Open(file) => stream(file.try_clone().map_err(|error| Error::io(path, error))?),
    }
}

/// Same as [`write()`], into the file that was preallocated for `destination`.
///
/// # Errors
/// Same as [`write()`].
pub fn write_preallocated<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    destination: &Destination,
    preallocation: Preallocation,
    options: &WriteOptions<'_>,
) -> Result<Written> {
    match preallocation.finish() {
        Some(preallocated) => write_file(image, destination.path(), preallocated, options),
        None => write(image, destination, options),
    }
}

fn write_file<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    path: &Path,
    preallocated: Preallocated,
    options: &WriteOptions<'_>,
) -> Result<Written> {
    let (output, tally) = fill(image, path, preallocated, None, options)?;
    options.interrupt.check()?;
    Unpublished::new(path, Some(output), tally.of_file(image.len())).publish()
}

/// Writes an image to a file without publishing it.
pub(in crate::output) fn fill<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    path: &Path,
    preallocated: Preallocated,
    observer: Option<&dyn Observer>,
    options: &WriteOptions<'_>,
) -> Result<(AtomicFile, Tally)> {
    let refused = |error| cannot_hold(image, path, error);
    let Preallocated { output, range } = preallocated;
    output.file().set_len(image.len()).map_err(refused)?;
    let cloner = Cloner::new(output.file(), path, options.reflink);
    let unwritten = Unwritten { range, zero: &punch_hole };
    let tally = write_chunks(image, output.file(), &cloner, unwritten, (observer, options), &refused)?;
    Ok((output, tally))
}

/// Writes the parts of an image that are not zeros to a file that has zeros there.
pub(in crate::output) fn fill_in<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    path: &Path,
    file: &File,
    options: &WriteOptions<'_>,
) -> Result<Tally> {
    let refused = |error| cannot_hold(image, path, error);
    let cloner = Cloner::new(file, path, Reflink::Never);
    let unwritten = Unwritten { range: 0..0, zero: &punch_hole };
    write_chunks(image, file, &cloner, unwritten, (None, options), &refused)
}

/// Writes every byte of the image in place.
fn write_device<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    path: &Path,
    device: &Device,
    options: &WriteOptions<'_>,
) -> Result<Written> {
    fill_device(image, path, device, None, options)?;
    finish_device(device, options)?;
    Ok(Written::all(image.len()))
}

/// Writes every byte of the image in place, without flushing the device.
pub(in crate::output) fn fill_device<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    path: &Path,
    device: &Device,
    observer: Option<&dyn Observer>,
    options: &WriteOptions<'_>,
) -> Result<()> {
    device.check_room(image.len())?;
    let cloner = Cloner::new(device.file(), path, Reflink::Never);
    let unwritten = Unwritten { range: 0..image.len(), zero: &zero };
    let refused = |error| device.refused(error);
    let written = write_chunks(image, device.file(), &cloner, unwritten, (observer, options), &refused);
    written.map(drop).map_err(|error| device.with_incomplete(error))
}

/// Flushes a device with a complete image.
pub(in crate::output) fn finish_device(device: &Device, options: &WriteOptions<'_>) -> Result<()> {
    let checked = options.interrupt.check().and_then(|()| device.finish());
    checked.map_err(|error| device.with_incomplete(error))
}

/// The bytes of an output that are not holes, or do not read as zeros, until they are written, and
/// the function that makes holes of them.
struct Unwritten<'w> {
    range: Range<u64>,
    zero: &'w (dyn Fn(&File, Range<u64>) -> io::Result<()> + Sync),
}

fn punch_hole(file: &File, zeros: Range<u64>) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(rustix::fs::fallocate(file, flags, zeros.start, zeros.end - zeros.start)?)
}

/// Writes the chunks of an image to a file.
fn write_chunks<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    file: &File,
    cloner: &Cloner<'_>,
    unwritten: Unwritten<'_>,
    (observer, options): (Option<&dyn Observer>, &WriteOptions<'_>),
    refused: &(dyn Fn(io::Error) -> Error + Sync),
) -> Result<Tally> {
    let chunks = || Chunks::of(image).with_selector(|run, position| cloner.range(run, position));
    read_ahead::with_read_ahead(chunks(), options.interrupt, |position_read| {
        write_with_threads(Writer {
            chunks: Mutex::new(chunks()),
            position_read,
            file: Mutex::new(file),
            unwritten,
            failures: Failures::default(),
            cloner,
            observer,
            options,
            refused,
        })
    })
}

/// Returns the error of a failed write, with the required space if that is the cause.
fn cannot_hold<C>(image: &dyn Image<C>, path: &Path, error: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    if !matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull) {
        return Error::io(path, error);
    }
    let message =
        format!("no room for an image of {} bytes, up to {} of them data", image.len(), data_bytes(image));
    Error::at(ErrorKind::Io, path, NoRoom { message, source: error })
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct NoRoom {
    message: String,
    source: io::Error,
}

/// The number of bytes of the image that are not known to be zero.
fn data_bytes<C>(image: &dyn Image<C>) -> u64 {
    let mut chunks = Chunks::of(image);
    let mut chunk = Chunk::new();
    let mut holes = 0;
    while let Ok(true) = chunks.take(&mut chunk) {
        holes += chunk.hole;
    }
    image.len() - holes
}

/// The state shared by the threads.
struct Writer<'w, 'a, C> {
    chunks: Mutex<Chunks<'a, C>>,
    position_read: &'w ReadPosition,
    /// The kernel allows only one thread at a time to write to a file. Threads that wait for it
    /// here sleep; in the kernel they would spin and take processor time from the reading threads.
    file: Mutex<&'w File>,
    unwritten: Unwritten<'w>,
    /// After a failure the threads finish their chunk and take no other.
    failures: Failures,
    cloner: &'w Cloner<'w>,
    observer: Option<&'w dyn Observer>,
    options: &'w WriteOptions<'w>,
    refused: &'w (dyn Fn(io::Error) -> Error + Sync),
}

/// The number of bytes processed in each way.
#[derive(Clone, Copy, Default)]
pub(in crate::output) struct Tally {
    written_bytes: u64,
    cloned_bytes: u64,
}

impl Tally {
    fn written(written_bytes: u64) -> Self {
        Self { written_bytes, ..Self::default() }
    }

    /// Returns the statistics of a file of `len` bytes.
    pub(in crate::output) fn of_file(self, len: u64) -> Written {
        let Self { written_bytes, cloned_bytes } = self;
        Written { len, written_bytes, cloned_bytes, hole_bytes: len - written_bytes - cloned_bytes }
    }

    pub(in crate::output) fn plus(self, other: Self) -> Self {
        Self {
            written_bytes: self.written_bytes + other.written_bytes,
            cloned_bytes: self.cloned_bytes + other.cloned_bytes,
        }
    }
}

/// Writes every chunk.
fn write_with_threads<C: CloneSource>(writer: Writer<'_, '_, C>) -> Result<Tally> {
    let threads = writer.options.threads;
    let tallies = threads.run(threads.count(), || writer.write_chunks())?;
    // Chunks are taken in order and finished once taken, so the earliest failure is the same for
    // every number of threads.
    writer.failures.into_result()?;
    Ok(tallies.into_iter().fold(Tally::default(), Tally::plus))
}

impl<C: CloneSource> Writer<'_, '_, C> {
    /// Writes chunks until there are none left or a thread failed.
    fn write_chunks(&self) -> Tally {
        let mut chunk = Chunk::new();
        let mut tally = Tally::default();
        while let Some(bytes) = self.write_chunk(&mut chunk) {
            tally = tally.plus(bytes);
        }
        tally
    }
}

impl<'a, C: CloneSource> Writer<'_, 'a, C> {
    /// Writes the next chunk, if there is one and no thread failed; reports a failure.
    fn write_chunk(&self, chunk: &mut Chunk<'a, C>) -> Option<Tally> {
        let written = self.options.interrupt.check().map_err(|error| (0, error)).and_then(|()| {
            {
                // OK to unwrap: it is poisoned if the image panicked in another thread, and this
                // one then panics too.
                let mut chunks = self.chunks.lock().expect("the image's runs can be listed");
                if self.failures.stopped()
                    || !chunks.take(chunk).map_err(|error| (chunks.position(), error))?
                {
                    return Ok(None);
                }
                self.position_read.advance(chunks.position());
            }
            self.write_taken(chunk).map(Some).map_err(|error| (chunk.start, error))
        });
        written.unwrap_or_else(|(position, error)| {
            self.failures.add(position, error);
            None
        })
    }

    fn write_taken(&self, chunk: &mut Chunk<'a, C>) -> Result<Tally> {
        self.leave_hole(chunk.start - chunk.hole..chunk.start)?;
        if let Some(observer) = self.observer {
            observer.zeros_at(chunk.start - chunk.hole, chunk.hole)?;
        }
        self.options.progress.add(chunk.hole);
        match chunk.selected.take() {
            Some(run) => self.clone_or_copy(run, chunk),
            None => self.copy(chunk),
        }
    }

    fn copy(&self, chunk: &mut Chunk<'a, C>) -> Result<Tally> {
        chunk.gather()?;
        if let Some(observer) = self.observer {
            observer.bytes_at(chunk.start, chunk.bytes())?;
        }
        let written = self.write_data(chunk.bytes(), chunk.start)?;
        self.options.progress.add(chunk.bytes().len() as u64);
        Ok(Tally::written(written))
    }

    /// Clones or copies a run that the cloner selected, at the start of `chunk`, whose buffer it
    /// may use.
    fn clone_or_copy(&self, run: Run<'a, C>, chunk: &mut Chunk<'a, C>) -> Result<Tally> {
        let start = chunk.start;
        if self.cloner.clone_run(&run, start, &self.file)? == Cloned::Shared {
            if let Some(observer) = self.observer {
                self.in_pieces(run, start, chunk, |chunk| {
                    chunk.gather()?;
                    observer.bytes_at(chunk.start, chunk.bytes())
                })?;
            }
            self.options.progress.add(run.len);
            return Ok(Tally { cloned_bytes: run.len, ..Tally::default() });
        }
        let mut tally = Tally::default();
        self.in_pieces(run, start, chunk, |chunk| {
            tally = tally.plus(self.copy(chunk)?);
            Ok(())
        })?;
        Ok(tally)
    }

    /// Calls `each` with `chunk` as each piece of a run at `start`.
    fn in_pieces(
        &self,
        run: Run<'a, C>,
        mut start: u64,
        chunk: &mut Chunk<'a, C>,
        mut each: impl FnMut(&mut Chunk<'a, C>) -> Result<()>,
    ) -> Result<()> {
        let mut rest = Some(run);
        while let Some(run) = rest {
            self.options.interrupt.check()?;
            let (piece, after) = split(run, CHUNK_SIZE);
            chunk.refill(piece, start);
            each(chunk)?;
            (start, rest) = (start + piece.len, after);
        }
        Ok(())
    }

    /// Writes the data ranges of `bytes` at `start`, and returns the number of bytes written.
    fn write_data(&self, bytes: &[u8], start: u64) -> Result<u64> {
        let mut written = 0;
        // The search for zeros is done before taking the lock.
        let ranges: Vec<Range<usize>> = data_ranges(bytes, start).collect();
        // OK to unwrap: writing does not panic.
        let file = self.file.lock().expect("the file can be written to");
        let mut hole = start;
        for range in ranges {
            let offset = start + range.start as u64;
            self.punch(&file, hole..offset)?;
            hole = offset + range.len() as u64;
            written += range.len() as u64;
            file.write_all_at(&bytes[range], offset).map_err(self.refused)?;
        }
        self.punch(&file, hole..start + bytes.len() as u64)?;
        Ok(written)
    }

    /// Ensures that a range of the image, in bytes, is a hole.
    fn leave_hole(&self, zeros: Range<u64>) -> Result<()> {
        if self.unwritten_of(&zeros).is_empty() {
            return Ok(());
        }
        // OK to unwrap: writing does not panic.
        self.punch(&self.file.lock().expect("the file can be written to"), zeros)
    }

    fn punch(&self, file: &File, zeros: Range<u64>) -> Result<()> {
        /// The maximum number of bytes zeroed at once; signals are checked in between.
        const PIECE: u64 = 256 << 20;
        let Range { mut start, end } = self.unwritten_of(&zeros);
        while start < end {
            let piece = start..end.min(start.saturating_add(PIECE));
            start = piece.end;
            (self.unwritten.zero)(file, piece).map_err(self.refused)?;
            if start < end {
                self.options.interrupt.check()?;
            }
        }
        Ok(())
    }

    /// The part of a range that is not a hole although it was not written.
    fn unwritten_of(&self, range: &Range<u64>) -> Range<u64> {
        let Range { start, end } = self.unwritten.range;
        range.start.max(start)..range.end.min(end)
    }
}
