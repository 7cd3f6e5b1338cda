//! The sink of a product: a destination, a writer of the caller, or a digest.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use image_runs::Image;
use initramfs::codec::Codec;
use sha2::{Digest as _, Sha256};

use crate::blob::Blob;
use crate::error::Result;
use crate::output::compress::{self, CompressOptions, Compressed, Member};
use crate::output::file::{self, Written};
use crate::output::{Destination, Preallocation, WriteOptions, digest, stream};
use crate::report::{Artifact, Transfer};

/// The name of a caller's writer in errors.
pub(super) const WRITER: &str = "the writer";

/// The sink of a product.
pub(super) enum Sink<'s> {
    /// An opened output.
    Destination(&'s Destination),
    /// A writer of the caller.
    Writer(&'s mut dyn Write),
    /// Nothing is written: the bytes are digested.
    Digest,
}

impl<'s> Sink<'s> {
    /// The opened output, if it is one.
    pub(super) fn destination(&self) -> Option<&'s Destination> {
        match self {
            Self::Destination(destination) => Some(destination),
            Self::Writer(_) | Self::Digest => None,
        }
    }
}

/// The result of writing or digesting a product.
pub(super) enum Outcome {
    /// It was written, with the numbers of bytes by method.
    Written(Transfer),
    /// The SHA-256 of the product.
    Digest(String),
}

/// Returns the numbers of bytes by method, for reports.
pub(super) fn transfer(written: &Written) -> Transfer {
    let Written { cloned_bytes, written_bytes, hole_bytes, .. } = *written;
    Transfer { cloned_bytes, copied_bytes: written_bytes, hole_bytes }
}

impl Outcome {
    /// Returns the outcome of `bytes` that were written front to back.
    fn streamed(bytes: u64) -> Self {
        Self::Written(Transfer { cloned_bytes: 0, copied_bytes: bytes, hole_bytes: 0 })
    }

    /// Adds the outcome to a report.
    pub(super) fn record<L>(self, artifact: &mut Artifact<L>) {
        match self {
            Self::Written(transfer) => artifact.record_transfer(transfer),
            Self::Digest(digest) => artifact.sha256 = Some(digest),
        }
    }
}

/// Writes or digests an image.
pub(super) fn write(
    image: &dyn Image<Blob>,
    sink: Sink<'_>,
    preallocation: Option<Preallocation>,
    options: &WriteOptions<'_>,
) -> Result<Outcome> {
    match sink {
        Sink::Digest => Ok(Outcome::Digest(hex(&digest::sha256(image, options)?))),
        Sink::Writer(out) => {
            stream::write(image, out, Path::new(WRITER), options)?;
            Ok(Outcome::streamed(image.len()))
        }
        Sink::Destination(destination) => {
            let written = match preallocation {
                Some(preallocation) => file::write_preallocated(image, destination, preallocation, options),
                None => file::write(image, destination, options),
            };
            Ok(Outcome::Written(transfer(&written?)))
        }
    }
}

/// Writes or digests compressed members, and adds the results to the report.
pub(super) fn compress(
    members: &[Member<'_, Blob>],
    codec: &Codec,
    sink: Sink<'_>,
    options: &CompressOptions<'_>,
    artifact: &mut Artifact<Option<u64>>,
) -> Result<Compressed> {
    let written = |compressed: &Compressed| Outcome::streamed(compressed.written_bytes);
    let (compressed, outcome) = match sink {
        Sink::Destination(destination) => {
            let compressed = compress::write(members, codec, destination, options)?;
            (compressed, written(&compressed))
        }
        Sink::Writer(out) => {
            let compressed = compress::stream(members, codec, out, Path::new(WRITER), options)?;
            (compressed, written(&compressed))
        }
        Sink::Digest => {
            let mut digest = Digesting(Sha256::new());
            let compressed = compress::stream(members, codec, &mut digest, Path::new("the digest"), options)?;
            (compressed, Outcome::Digest(hex(&digest.0.finalize())))
        }
    };
    artifact.size = Some(compressed.written_bytes);
    outcome.record(artifact);
    Ok(compressed)
}

/// Returns bytes as hexadecimal digits.
pub(in crate::run) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // OK to ignore: writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Digests the bytes that are written.
struct Digesting(Sha256);

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
