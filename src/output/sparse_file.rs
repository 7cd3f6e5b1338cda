//! An image as a file, with holes where it is zero.
//!
//! Each thread gathers a span and writes it with as few calls as its holes allow, or shares it with
//! the source, see `clone_range`. The file appears under its name once it is complete; until then
//! an existing file is unchanged, and a run that fails or is killed leaves nothing.
//!
//! # Cost
//!
//! Measured on two processors, sources in the page cache, output on tmpfs unless ext4 is named:
//!
//! * One thread takes as long as a plain loop of 1 MiB reads and writes. Two threads take 0.6 of
//!   that for 12,000 files of 250 MB together, and 0.9 for one file of 2 GiB: then nearly all of
//!   the time is writing, which the kernel does for one thread at a time.
//! * With two threads, spans of 256 KiB to 4 MiB differ by at most an eighth, 1 MiB is within 4 %
//!   of the fastest; spans of 64 KiB take at least 1.1 times as long.
//! * Threads that wait for the file in the kernel spin: for the file of 2 GiB, two threads took 1.6
//!   to 1.9 times the processor time of one. A user-space lock around the writes was only compared
//!   on a busy machine: two threads took a fifth to all of the processor time without it, and as
//!   long for the small files.
//! * Two threads are bound by writing: of the 0.11 s that 12,000 files of 250 MB take on tmpfs, one
//!   thread or the other is in `pwrite` for 0.107 s, and the other mostly waits. Holding up to four
//!   spans until the lock is free changed nothing there and took 1.1 times as long for one file of
//!   2 GiB (11 and 9 interleaved runs); waiting in the kernel changed only the processor time.
//!   Mapping the output and reading into it, with the pages populated by `MADV_POPULATE_WRITE`,
//!   needs no lock and copies once, but took 1.3 times as long, as the kernel zeroes each page
//!   first (a file of 512 MiB, 4 interleaved runs); with copying into the map it was 1.2.
//!   `sendfile` and `splice` take 0.94 of the processor time, but all of it under the lock.
//! * `io_uring` was tried on 120,000 files of 2 KiB, reading only: 64 chains of open, read into a
//!   registered buffer and close in flight per thread, against the loop of open, read, stat and
//!   close. Medians of five interleaved runs in the page cache on a busy machine: with one thread
//!   0.76 of the processor time and 0.54 of the time (0.3 to 0.9), with two 0.84 and 0.94 (0.7 to
//!   1.2). It omits the stat, which the program needs. With the pages, but not the inodes, dropped
//!   before, three runs: two threads 2.1 to 2.7 s instead of 7.0 to 7.3, one 2.8 to 3.5 instead of
//!   12 to 15. Whole runs of the program with `read_ahead` take about as long, without a change of
//!   the loop.
//! * A hole of 4 KiB between data costs ext4 twice the processor time of writing it, and tmpfs as
//!   much as writing it. From 16 KiB on, a hole costs neither of them more than writing, hence the
//!   value of `MIN_HOLE` in `data_ranges`.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

use image_runs::{Image, Run};
use rustix::fs::FallocateFlags;

use super::WriteOptions;
use super::atomic_file::AtomicFile;
use super::clone_range::{Cloned, Cloner, Reflink};
use super::data_ranges::data_ranges;
use super::destination::{Destination, Place};
use super::device::{self, Device};
use super::read_ahead::{self, Reached};
use super::reserve::{Reservation, Reserved};
use super::spans::{SPAN_SIZE, Span, Spans, split};
use super::stream;
use crate::blob::{CloneSource, ReadAhead};
use crate::error::{Error, ErrorKind, Result};
use crate::threads::Failures;

/// The statistics of a written image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The image's length in bytes.
    pub len: u64,
    /// The number of bytes written.
    pub written_bytes: u64,
    /// The number of bytes shared with the sources.
    pub cloned_bytes: u64,
    /// The number of bytes left as holes.
    pub hole_bytes: u64,
}

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
        Ok(Written { len: image.len(), written_bytes: image.len(), cloned_bytes: 0, hole_bytes: 0 })
    };
    match &destination.place {
        Place::File(place) => {
            let output = AtomicFile::create(place, options.interrupt.removals())?;
            write_file(image, path, Reserved { output, range: 0..0 }, options)
        }
        _ if options.reflink == Reflink::Always => {
            let message =
                "is not a regular file, so nothing can be cloned into it: leave out --reflink=always";
            Err(Error::at(ErrorKind::Usage, path, message))
        }
        Place::Device(device) => write_device(image, path, device, options),
        Place::Stream(found) => stream(destination.open_stream(found)?),
        Place::Open(file) => stream(file.try_clone().map_err(|error| Error::io(path, error))?),
    }
}

/// As [`write()`], into the file that was reserved for `destination`.
///
/// # Errors
/// As [`write()`].
pub fn write_reserved<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    destination: &Destination,
    reservation: Reservation,
    options: &WriteOptions<'_>,
) -> Result<Written> {
    match reservation.finish() {
        Some(reserved) => write_file(image, destination.path(), reserved, options),
        None => write(image, destination, options),
    }
}

fn write_file<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    path: &Path,
    reserved: Reserved,
    options: &WriteOptions<'_>,
) -> Result<Written> {
    let refused = |error| cannot_hold(image, path, error);
    let Reserved { output, range } = reserved;
    output.file().set_len(image.len()).map_err(refused)?;
    let cloner = Cloner::new(output.file(), path, options.reflink);
    let unwritten = Unwritten { range, zero: &punch_hole };
    let Tally { written_bytes, cloned_bytes } =
        write_spans(image, output.file(), &cloner, unwritten, options, &refused)?;
    options.interrupt.check()?;
    output.publish().map_err(refused)?;
    let hole_bytes = image.len() - written_bytes - cloned_bytes;
    Ok(Written { len: image.len(), written_bytes, cloned_bytes, hole_bytes })
}

/// Writes every byte of the image in place.
fn write_device<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    path: &Path,
    device: &Device,
    options: &WriteOptions<'_>,
) -> Result<Written> {
    device.check_room(image.len())?;
    let cloner = Cloner::new(device.file(), path, Reflink::Never);
    let unwritten = Unwritten { range: 0..image.len(), zero: &device::zero };
    write_spans(image, device.file(), &cloner, unwritten, options, &|error| device.refused(error))
        .and_then(|_| options.interrupt.check())
        .and_then(|()| device.finish())
        .map_err(|error| device.in_part(error))?;
    Ok(Written { len: image.len(), written_bytes: image.len(), cloned_bytes: 0, hole_bytes: 0 })
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

/// Writes the spans of an image to a file.
fn write_spans<C: CloneSource + ReadAhead>(
    image: &dyn Image<C>,
    file: &File,
    cloner: &Cloner<'_>,
    unwritten: Unwritten<'_>,
    options: &WriteOptions<'_>,
    refused: &(dyn Fn(io::Error) -> Error + Sync),
) -> Result<Tally> {
    let spans = || Spans::of(image).choosing(|run, position| cloner.range(run, position));
    read_ahead::beside(spans(), options.interrupt, |reached| {
        write_with_threads(Writer {
            spans: Mutex::new(spans()),
            reached,
            file: Mutex::new(file),
            unwritten,
            failures: Failures::default(),
            cloner,
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
    let mut spans = Spans::of(image);
    let mut span = Span::new();
    let mut gaps = 0;
    while let Ok(true) = spans.take(&mut span) {
        gaps += span.gap;
    }
    image.len() - gaps
}

/// The state shared by the threads.
struct Writer<'w, 'a, C> {
    spans: Mutex<Spans<'a, C>>,
    reached: &'w Reached,
    /// The kernel allows only one thread at a time to write to a file. Threads that wait for it
    /// here sleep; in the kernel they would spin and take processor time from the reading threads.
    file: Mutex<&'w File>,
    unwritten: Unwritten<'w>,
    /// After a failure the threads finish their span and take no other.
    failures: Failures,
    cloner: &'w Cloner<'w>,
    options: &'w WriteOptions<'w>,
    refused: &'w (dyn Fn(io::Error) -> Error + Sync),
}

/// The number of bytes processed in each way.
#[derive(Clone, Copy, Default)]
struct Tally {
    written_bytes: u64,
    cloned_bytes: u64,
}

impl Tally {
    fn written(written_bytes: u64) -> Self {
        Self { written_bytes, ..Self::default() }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            written_bytes: self.written_bytes + other.written_bytes,
            cloned_bytes: self.cloned_bytes + other.cloned_bytes,
        }
    }
}

/// Writes every span.
fn write_with_threads<C: CloneSource>(writer: Writer<'_, '_, C>) -> Result<Tally> {
    let threads = writer.options.threads;
    let tallies = threads.run(threads.count(), || writer.write_spans())?;
    // Spans are taken in order and finished once taken, so the earliest failure is the same for
    // every number of threads.
    writer.failures.into_result()?;
    Ok(tallies.into_iter().fold(Tally::default(), Tally::plus))
}

impl<C: CloneSource> Writer<'_, '_, C> {
    /// Writes spans until there are none left or a thread failed.
    fn write_spans(&self) -> Tally {
        let mut span = Span::new();
        let mut tally = Tally::default();
        while let Some(bytes) = self.write_span(&mut span) {
            tally = tally.plus(bytes);
        }
        tally
    }
}

impl<'a, C: CloneSource> Writer<'_, 'a, C> {
    /// Writes the next span, if there is one and no thread failed; reports a failure.
    fn write_span(&self, span: &mut Span<'a, C>) -> Option<Tally> {
        let written = self.options.interrupt.check().map_err(|error| (0, error)).and_then(|()| {
            {
                // OK to unwrap: it is poisoned if the image panicked in another thread, and this
                // one then panics too.
                let mut spans = self.spans.lock().expect("the image's runs can be listed");
                if self.failures.stopped() || !spans.take(span).map_err(|error| (spans.position(), error))? {
                    return Ok(None);
                }
                self.reached.advance(spans.position());
            }
            self.write_taken(span).map(Some).map_err(|error| (span.start, error))
        });
        written.unwrap_or_else(|(position, error)| {
            self.failures.add(position, error);
            None
        })
    }

    fn write_taken(&self, span: &mut Span<'a, C>) -> Result<Tally> {
        self.leave_hole(span.start - span.gap..span.start)?;
        self.options.progress.add(span.gap);
        match span.chosen.take() {
            Some(run) => self.clone_or_copy(run, span),
            None => self.copy(span),
        }
    }

    fn copy(&self, span: &mut Span<'a, C>) -> Result<Tally> {
        span.gather()?;
        let written = self.write_data(span.bytes(), span.start)?;
        self.options.progress.add(span.bytes().len() as u64);
        Ok(Tally::written(written))
    }

    /// Clones or copies a run that the cloner selected, at the start of `span`, whose buffer it may
    /// use.
    fn clone_or_copy(&self, run: Run<'a, C>, span: &mut Span<'a, C>) -> Result<Tally> {
        let mut start = span.start;
        if self.cloner.clone_run(&run, start, &self.file)? == Cloned::Shared {
            self.options.progress.add(run.len);
            return Ok(Tally { cloned_bytes: run.len, ..Tally::default() });
        }
        let mut tally = Tally::default();
        let mut rest = Some(run);
        while let Some(run) = rest {
            self.options.interrupt.check()?;
            let (piece, after) = split(run, SPAN_SIZE);
            span.refill(piece, start);
            tally = tally.plus(self.copy(span)?);
            (start, rest) = (start + piece.len, after);
        }
        Ok(tally)
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
