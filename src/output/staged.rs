//! Images of which some bytes depend on the others, such as a hash tree on the data before it.
//!
//! ```text
//! first stage     known image, zeros where bytes depend on others ─┬─▶ output, not complete yet
//!                                                                  └─▶ observer
//! second stage    the bytes that depend on them, zeros elsewhere ────▶ the same output
//! ```
//!
//! A file and a device are filled in at the second stage. A stream, and the digest of one, go on
//! behind the known bytes; if bytes in front of the others depend on these, the first stage only
//! reads, and the second one passes on the whole image.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use image_runs::Image;
use sha2::{Digest as _, Sha256};

use super::chunks::ordered;
use super::destination::{Destination, Device, Place};
use super::file::{self, AtomicFile, Preallocated, Preallocation, Tally, Unpublished, Written};
use super::observe::observe;
use super::observer::Observer;
use super::options::{Reflink, WriteOptions};
use super::stream::refused;
use crate::blob::{CloneSource, ReadAhead};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Silent;

/// The known part of an image.
#[derive(Clone, Copy)]
pub struct Known<'k, C> {
    /// The image, with zeros in place of the bytes that depend on others.
    pub image: &'k dyn Image<C>,
    /// The offset of the first byte that depends on others.
    pub end: u64,
    /// The receiver of all bytes before that, and of the zeros.
    pub observer: &'k dyn Observer,
}

/// The bytes that depend on others, once these are known.
#[derive(Clone, Copy)]
pub struct Dependent<'d, C> {
    /// The bytes at their offsets, with zeros elsewhere.
    pub image: &'d dyn Image<C>,
    /// The whole image.
    pub whole: &'d dyn Image<C>,
}

/// An output of which the known bytes are written.
pub struct Begun<'d> {
    path: &'d Path,
    output: Output<'d>,
}

enum Output<'d> {
    File(AtomicFile, Tally),
    Device(&'d Device),
    Sequential(Sequential),
}

/// An output that is written from front to back.
struct Sequential {
    sink: Sink,
    /// The number of bytes that were passed to the sink.
    position: u64,
}

enum Sink {
    Stream(File),
    Digest(Sha256),
}

/// A complete output.
pub enum Completed<'d> {
    /// It was written.
    Written(Unpublished<'d>),
    /// The SHA-256 of the image.
    Digest([u8; 32]),
}

/// Writes the known bytes of an image to a destination, or digests them if there is none, and
/// passes them to the observer.
///
/// # Errors
/// As [`file::write()`], and those of the observer.
pub fn begin<'d, C: CloneSource + ReadAhead>(
    known: &Known<'_, C>,
    destination: Option<&'d Destination>,
    preallocation: Option<Preallocation>,
    options: &WriteOptions<'_>,
) -> Result<Begun<'d>> {
    let path = destination.map_or(Path::new("standard output"), Destination::path);
    let sequential = |sink| begin_sequential(known, sink, path, options);
    let output = match destination.map(|destination| &destination.place) {
        None => sequential(Sink::Digest(Sha256::new()))?,
        Some(Place::File(place)) => {
            let preallocated = match preallocation.and_then(Preallocation::finish) {
                Some(preallocated) => preallocated,
                None => {
                    let output = AtomicFile::create(place, options.interrupt.cleanups())?;
                    Preallocated { output, range: 0..0 }
                }
            };
            let (file, tally) = file::fill(known.image, path, preallocated, Some(known.observer), options)?;
            Output::File(file, tally)
        }
        Some(_) if options.reflink == Reflink::Always => {
            return Err(Error::at(ErrorKind::Usage, path, file::NOT_CLONABLE));
        }
        Some(Place::Device(device)) => {
            file::fill_device(known.image, path, device, Some(known.observer), options)?;
            Output::Device(device)
        }
        Some(Place::Stream(found)) => {
            let opened = destination.map(|destination| destination.open_stream(found)).transpose()?;
            // OK to unwrap: there is a destination.
            sequential(Sink::Stream(opened.expect("a destination")))?
        }
        Some(Place::Open(file)) => {
            sequential(Sink::Stream(file.try_clone().map_err(|error| Error::io(path, error))?))?
        }
    };
    Ok(Begun { path, output })
}

fn begin_sequential<'d, C: ReadAhead>(
    known: &Known<'_, C>,
    sink: Sink,
    path: &Path,
    options: &WriteOptions<'_>,
) -> Result<Output<'d>> {
    let mut output = Sequential { sink, position: 0 };
    if known.end == 0 {
        observe(known.image, known.observer, options)?;
    } else {
        output.pass(known.image, 0..known.end, Some(known.observer), path, options)?;
    }
    Ok(Output::Sequential(output))
}

impl Sequential {
    /// Passes a range of an image to the sink, and all of it to the observer.
    fn pass<C: ReadAhead>(
        &mut self,
        image: &dyn Image<C>,
        range: std::ops::Range<u64>,
        observer: Option<&dyn Observer>,
        path: &Path,
        options: &WriteOptions<'_>,
    ) -> Result<()> {
        let mut position = 0;
        let sink = &mut self.sink;
        let passed = &mut self.position;
        ordered::for_each_slice(image, options, observer, &mut |bytes| {
            let len = bytes.len() as u64;
            let index =
                |at: u64| usize::try_from(at.saturating_sub(position).min(len)).unwrap_or(bytes.len());
            let part = &bytes[index(range.start)..index(range.end)];
            position += len;
            *passed += part.len() as u64;
            sink.write(part).map_err(|error| refused(path, error))
        })
    }
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stream(file) => file.write_all(bytes),
            Self::Digest(digest) => {
                digest.update(bytes);
                Ok(())
            }
        }
    }
}

impl<'d> Begun<'d> {
    /// Writes the bytes that depend on the others.
    ///
    /// # Errors
    /// As [`begin`].
    pub fn complete<C: CloneSource + ReadAhead>(
        self,
        dependent: &Dependent<'_, C>,
        options: &WriteOptions<'_>,
    ) -> Result<Completed<'d>> {
        let Self { path, output } = self;
        let len = dependent.whole.len();
        // The first stage counted every byte of the image.
        let options = &WriteOptions { progress: &Silent, ..*options };
        let written = |file, written| Ok(Completed::Written(Unpublished::new(path, file, written)));
        match output {
            Output::File(file, tally) => {
                let tally = tally.plus(file::fill_in(dependent.image, path, file.file(), options)?);
                options.interrupt.check()?;
                written(Some(file), tally.of_file(len))
            }
            Output::Device(device) => {
                let filled = file::fill_in(dependent.image, path, device.file(), options);
                filled.map_err(|error| device.with_incomplete(error))?;
                file::finish_device(device, options)?;
                written(None, Written::all(len))
            }
            Output::Sequential(mut output) => {
                let image = if output.position == 0 { dependent.whole } else { dependent.image };
                output.pass(image, output.position..len, None, path, options)?;
                match output.sink {
                    Sink::Digest(digest) => Ok(Completed::Digest(digest.finalize().into())),
                    Sink::Stream(mut file) => {
                        file.flush().map_err(|error| refused(path, error))?;
                        written(None, Written::all(len))
                    }
                }
            }
        }
    }
}
