//! Compression of images to the members of an initramfs, by several threads.
//!
//! ```text
//! segments ─▶ items, cut in order ─┬─▶ thread: gather ─▶ in the cache? ─▶ compress ─┐
//!             (pieces of segments) ├─▶ thread                                       ├─▶ in order: head, pieces, tail ─▶ out
//!                                  └─▶ thread                                       ┘
//! ```
//!
//! [`initramfs::codec`] decides the lengths of pieces and the framing around them from the segments
//! alone. So the bytes are the same for every number of threads, and with or without a cache.
//! Memory use is bounded by the threads and the codec's longest piece: an item is only begun if
//! there is room for it, except the one that the output waits for.
//!
//! After a failure, the error is the one nearest the start.

mod emit;
mod gather;
mod items;
mod member;
mod pack;
mod pipeline;

use std::io::Write;
use std::path::Path;

use initramfs::codec::Codec;

use super::destination::{Destination, Place};
use super::file::AtomicFile;
use super::stream;
use crate::blob::Identified;
use crate::error::{Error, Result};
use emit::Emitter;
use items::Items;
use pack::Packer;

pub use member::{CompressOptions, Member};

/// The statistics of a compressed output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compressed {
    /// The length of the members before compression, in bytes.
    pub image_bytes: u64,
    /// The number of bytes written.
    pub written_bytes: u64,
    /// The number of pieces found in the cache.
    pub cache_hits: u64,
    /// The number of pieces not found in the cache and compressed.
    pub cache_misses: u64,
}

/// Writes the members to `destination`, one after the other.
///
/// A file appears once it is complete, and a failed or killed run leaves nothing, as with
/// [`file::write`](super::file::write); everything else is written front to back.
///
/// # Errors
/// The errors of [`file::write`](super::file::write) and of the compression library.
pub fn write<C: Identified>(
    members: &[Member<'_, C>],
    codec: &Codec,
    destination: &Destination,
    options: &CompressOptions<'_>,
) -> Result<Compressed> {
    let path = destination.path();
    match &destination.place {
        Place::File(place) => {
            let output = AtomicFile::create(place, options.write.interrupt.cleanups())?;
            let refused = |error| Error::io(path, error);
            let mut file = output.file();
            let compressed =
                emit(members, codec, options, &mut |bytes| file.write_all(bytes).map_err(refused))?;
            options.write.interrupt.check()?;
            output.publish().map_err(refused)?;
            Ok(compressed)
        }
        Place::Device(device) => {
            let mut file = device.file();
            let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(|error| device.refused(error));
            emit(members, codec, options, &mut put)
                .and_then(|compressed| device.finish().map(|()| compressed))
                .map_err(|error| device.with_incomplete(error))
        }
        Place::Stream(found) => stream(members, codec, &mut destination.open_stream(found)?, path, options),
        Place::Open(file) => stream(members, codec, &mut &*file, path, options),
    }
}

/// Writes the members one after the other to `out`, named `name` in errors.
///
/// # Errors
/// The errors of [`write()`]. Bytes written before the error stay written.
pub fn stream<C: Identified>(
    members: &[Member<'_, C>],
    codec: &Codec,
    out: &mut dyn Write,
    name: &Path,
    options: &CompressOptions<'_>,
) -> Result<Compressed> {
    let refused = |error| stream::refused(name, error);
    let compressed = emit(members, codec, options, &mut |bytes| out.write_all(bytes).map_err(refused))?;
    out.flush().map_err(refused)?;
    Ok(compressed)
}

/// Calls `sink` with consecutive slices of the whole output.
fn emit<C: Identified>(
    members: &[Member<'_, C>],
    codec: &Codec,
    options: &CompressOptions<'_>,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Compressed> {
    let packer = Packer::new(codec, options);
    let mut emitter = Emitter::new(codec, options, sink);
    pipeline::run(Items::of(members, codec), &packer, codec, options, &mut emitter)?;
    let (image_bytes, written_bytes) = emitter.lengths();
    let (cache_hits, cache_misses) = packer.cache_use();
    Ok(Compressed { image_bytes, written_bytes, cache_hits, cache_misses })
}

#[cfg(test)]
mod tests;
