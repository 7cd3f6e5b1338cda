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

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use image_runs::Image;
use image_tree::Content;
use initramfs::codec::Codec;
use initramfs::{Segment, Storage};

use super::WriteOptions;
use super::atomic_file::AtomicFile;
use super::cache::Cache;
use super::sparse_file::{Target, target};
use super::stream::Streamed;
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

/// Makes `path` a file with the members one after the other.
///
/// The file appears when it is whole, and a failed or killed run leaves nothing, as with
/// [`sparse_file::write`](super::sparse_file::write); a named pipe or character device is written to.
///
/// # Errors
/// What [`sparse_file::write`](super::sparse_file::write) gives, and what the compressing library says.
pub fn write<C: Content>(
    members: &[Member<'_, C>],
    codec: &Codec,
    path: &Path,
    options: &CompressOptions<'_>,
) -> Result<Compressed> {
    match target(path)? {
        Target::Regular(target) => {
            let output = AtomicFile::create(&target)?;
            let refused = |error| Error::io(path, error);
            let mut file = output.file();
            let compressed =
                emit(members, codec, options, &mut |bytes| file.write_all(bytes).map_err(refused))?;
            options.write.interrupt.check()?;
            output.publish().map_err(refused)?;
            Ok(compressed)
        }
        Target::Stream => {
            let mut out = File::options().write(true).open(path).map_err(|error| Error::io(path, error))?;
            match stream(members, codec, &mut out, path, options)? {
                (Streamed::Whole, compressed) => Ok(compressed),
                (Streamed::ReaderGone, _) => Err(Error::io(path, io::Error::from(io::ErrorKind::BrokenPipe))),
            }
        }
    }
}

/// Writes the members one after the other to `out`, which errors call `name`.
///
/// # Errors
/// What [`write()`] gives, but for a broken pipe. What was written before stays written.
pub fn stream<C: Content>(
    members: &[Member<'_, C>],
    codec: &Codec,
    out: &mut dyn Write,
    name: &Path,
    options: &CompressOptions<'_>,
) -> Result<(Streamed, Compressed)> {
    let mut reader_gone = false;
    let mut put = |result: io::Result<()>| {
        result.map_err(|error| {
            reader_gone = error.kind() == io::ErrorKind::BrokenPipe;
            Error::io(name, error)
        })
    };
    let written = emit(members, codec, options, &mut |bytes| put(out.write_all(bytes)));
    match written.and_then(|compressed| put(out.flush()).map(|()| compressed)) {
        Ok(compressed) => Ok((Streamed::Whole, compressed)),
        Err(_) if reader_gone => Ok((Streamed::ReaderGone, Compressed::default())),
        Err(error) => Err(error),
    }
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
