//! Images become the compressed members of an initramfs, by several threads.
//!
//! ```text
//! segments ─▶ items, cut in order ─┬─▶ thread: gather ─▶ in the cache? ─▶ compress ─┐
//!             (pieces of segments) ├─▶ thread                                       ├─▶ in order: head, pieces, tail ─▶ out
//!                                  └─▶ thread                                       ┘
//! ```
//!
//! What is compressed at once, and what the pieces are put together with, is [`initramfs::codec`]'s to say; it depends on the
//! segments alone. So the bytes are the same for every number of threads, and with or without a cache. The memory taken is
//! bounded by the threads and the codec's longest piece: an item is only begun when there is room for it, except the one that
//! the output waits for.
//!
//! When something fails, the error is the one nearest the start.

mod emit;
mod gather;
mod items;
mod pack;
mod pool;

use std::io::Write;
use std::path::Path;

use image_runs::Image;
use image_tree::Content;
use initramfs::codec::Codec;
use initramfs::{Segment, Storage};

use super::atomic_file::AtomicFile;
use super::cache::Cache;
use super::destination::{Destination, Place};
use super::{WriteOptions, stream};
use crate::error::{Error, Result};
use emit::Emitter;
use items::Items;
use pack::Packer;

/// One segment: what becomes one member, or is stored as it is.
pub struct Member<'a, C> {
    /// Its bytes.
    pub image: &'a dyn Image<C>,
    /// Whether it is to be compressed; otherwise it is stored at the next multiple of 4 bytes.
    pub compress: bool,
}

impl<'a, C: Content> Member<'a, C> {
    /// The member that a segment of an archive becomes.
    #[must_use]
    pub fn of(segment: &'a Segment<'_, '_, C>) -> Self {
        Self { image: segment, compress: segment.storage() == Storage::Compressed }
    }
}

/// How members are written; nothing here shows in the bytes.
#[derive(Clone, Copy)]
pub struct CompressOptions<'a> {
    /// How many threads compress; one more writes when there are several. Progress is in bytes before compression.
    pub write: WriteOptions<'a>,
    /// Where compressed pieces are looked for and left.
    pub cache: Option<&'a Cache>,
}

/// What became of the members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compressed {
    /// The members' bytes before compression.
    pub image_bytes: u64,
    /// The bytes written.
    pub written_bytes: u64,
    /// Pieces that were found in the cache.
    pub cache_hits: u64,
    /// Pieces that were looked for in the cache and compressed.
    pub cache_misses: u64,
}

/// Makes `destination` have the members one after the other.
///
/// A file appears when it is whole, and a failed or killed run leaves nothing, as with
/// [`sparse_file::write`](super::sparse_file::write); everything else is written front to back.
///
/// # Errors
/// What [`sparse_file::write`](super::sparse_file::write) gives, and what the compressing library says.
pub fn write<C: Content>(
    members: &[Member<'_, C>],
    codec: &Codec,
    destination: &Destination,
    options: &CompressOptions<'_>,
) -> Result<Compressed> {
    let path = destination.path();
    match &destination.place {
        Place::File(place) => {
            let output = AtomicFile::create(place, options.write.interrupt.removals())?;
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
                .map_err(|error| device.in_part(error))
        }
        Place::Stream(found) => stream(members, codec, &mut destination.open_stream(found)?, path, options),
        Place::Open(file) => stream(members, codec, &mut &*file, path, options),
    }
}

/// Writes the members one after the other to `out`, which errors call `name`.
///
/// # Errors
/// What [`write()`] gives. What was written before stays written.
pub fn stream<C: Content>(
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

/// Calls `sink` with consecutive slices that make up the whole output.
fn emit<C: Content>(
    members: &[Member<'_, C>],
    codec: &Codec,
    options: &CompressOptions<'_>,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Compressed> {
    let packer = Packer::new(codec, options);
    let mut emitter = Emitter::new(codec, options, sink);
    pool::run(Items::of(members, codec), &packer, codec, options, &mut emitter)?;
    let (image_bytes, written_bytes) = emitter.lengths();
    let (cache_hits, cache_misses) = packer.cache_use();
    Ok(Compressed { image_bytes, written_bytes, cache_hits, cache_misses })
}

#[cfg(test)]
mod tests;
