//! The compressed bytes of an item, from the cache or by compression.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use image_runs::Source;
use initramfs::codec::{Codec, CompressedPiece, LongFrame, Piece};

use super::gather::{for_each_slice, gather};
use super::items::{Item, Work};
use super::member::CompressOptions;
use crate::blob::{Certainty, Identified};
use crate::cache::{Cache, Key, KeyBuilder};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt::Interrupt;
use crate::output::chunks::in_memory;
use crate::output::observer::Observer;

/// The slice length for feeding a long frame, in bytes.
const SLICE_LEN: u64 = 1 << 20;

/// Compresses items.
pub(super) struct Packer<'p> {
    codec: &'p Codec,
    interrupt: &'p Interrupt,
    threads: u32,
    cache: Option<&'p Cache>,
    observer: Option<&'p dyn Observer>,
    /// The identity of the codec and its libraries, for keys.
    identity: String,
    stop: AtomicBool,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A thread's buffer.
#[derive(Default)]
pub(super) struct Scratch(Vec<u8>);

impl<'p> Packer<'p> {
    pub(super) fn new(codec: &'p Codec, options: &CompressOptions<'p>) -> Self {
        Self {
            codec,
            interrupt: options.write.interrupt,
            threads: u32::try_from(options.write.threads.count()).unwrap_or(u32::MAX),
            cache: options.cache,
            observer: options.observer,
            identity: codec.identity(),
            stop: AtomicBool::new(false),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Set once the results are no longer needed.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// The numbers of cache hits and misses.
    pub(super) fn cache_use(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// Returns the compressed bytes of an item that is not a long frame.
    pub(super) fn pack<C: Identified>(
        &self,
        item: &Item<'_, C>,
        scratch: &mut Scratch,
    ) -> Result<CompressedPiece> {
        let Scratch(buffer) = scratch;
        if item.place.work == Work::Store {
            let mut bytes = Vec::new();
            gather(&item.parts, item.gathered_len(), &mut bytes)?;
            self.observe(item.place.offset, &bytes)?;
            return Ok(CompressedPiece { bytes, note: 0 });
        }
        let identity = self.cache.map_or(Ok(None), |_| self.identity_key(item))?;
        if let Some(packed) = self.found_key(identity.as_ref()).and_then(|(cache, key)| cache.find(&key)) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(packed);
        }
        gather(&item.parts, item.gathered_len(), buffer)?;
        self.observe(item.place.offset, &buffer[in_memory(item.context_len)..])?;
        let Some(cache) = self.cache else { return self.compress(item, buffer) };
        let mut content = self.key("content", item);
        content.bytes(buffer);
        let content = content.finish();
        remember(cache, identity, &content);
        if let Some(packed) = cache.find(&content) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(packed);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let packed = self.compress(item, buffer)?;
        cache.put(&content, &packed);
        Ok(packed)
    }

    fn compress<C>(&self, item: &Item<'_, C>, gathered: &[u8]) -> Result<CompressedPiece> {
        let (context, bytes) = gathered.split_at(in_memory(item.context_len));
        let is_whole = item.place.first && item.place.last;
        self.codec
            .compress(Piece { context, bytes, is_whole }, &|| self.goes_on())
            .map_err(|error| self.cannot_compress(error))
    }

    fn observe(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.observer.map_or(Ok(()), |observer| observer.bytes_at(offset, bytes))
    }

    /// Returns true as long as the results are needed.
    fn goes_on(&self) -> bool {
        !self.interrupt.is_set() && !self.stop.load(Ordering::Relaxed)
    }

    fn cannot_compress(&self, error: io::Error) -> Error {
        match self.interrupt.check() {
            Err(interrupted) => interrupted,
            Ok(()) => Error::new(ErrorKind::Io, error),
        }
    }

    /// Calls `sink` with the bytes of a long frame.
    pub(super) fn pack_long<C: Identified>(
        &self,
        item: &Item<'_, C>,
        sink: &mut dyn FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let Some(cache) = self.cache else {
            let mut offset = item.place.offset;
            let mut read = |bytes: &[u8]| {
                let here = offset;
                offset += bytes.len() as u64;
                self.observe(here, bytes)
            };
            return self.compress_long(item, &mut read, sink);
        };
        let identity = self.identity_key(item)?;
        let found = self.found_key(identity.as_ref()).and_then(|(cache, key)| cache.open_entry(&key));
        if let Some(entry) = found {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return entry.for_each_slice(sink);
        }
        let content = self.long_content_key(item)?;
        remember(cache, identity, &content);
        if let Some(entry) = cache.open_entry(&content) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return entry.for_each_slice(sink);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        self.compress_long_into(cache, &content, item, sink)
    }

    fn compress_long_into<C: Identified>(
        &self,
        cache: &Cache,
        content: &Key,
        item: &Item<'_, C>,
        sink: &mut dyn FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let mut entry = cache.begin(content);
        let mut read_again = self.key("content", item);
        let mut read = |bytes: &[u8]| {
            read_again.bytes(bytes);
            Ok(())
        };
        self.compress_long(item, &mut read, &mut |slice| {
            if let Some(entry) = &mut entry {
                entry.push(&slice);
            }
            sink(slice)
        })?;
        // The second read may have returned different bytes in spite of all checks; then they do
        // not match the key.
        if let Some(entry) = entry.filter(|_| read_again.finish() == *content) {
            cache.keep(entry, 0);
        }
        Ok(())
    }

    fn compress_long<C: Identified>(
        &self,
        item: &Item<'_, C>,
        read: &mut dyn FnMut(&[u8]) -> Result<()>,
        sink: &mut dyn FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let cannot = |error| self.cannot_compress(error);
        let mut frame = LongFrame::new(self.codec, item.place.len, self.threads).map_err(cannot)?;
        for_each_slice(&item.parts, SLICE_LEN, &mut |bytes| {
            if !self.goes_on() {
                return Err(cannot(io::ErrorKind::Interrupted.into()));
            }
            read(bytes)?;
            let mut out = Vec::new();
            frame.push(bytes, &mut out).map_err(cannot)?;
            if out.is_empty() { Ok(()) } else { sink(out) }
        })?;
        let mut out = Vec::new();
        frame.finish(&mut out).map_err(cannot)?;
        sink(out)
    }

    fn long_content_key<C: Identified>(&self, item: &Item<'_, C>) -> Result<Key> {
        let mut key = self.key("content", item);
        let mut offset = item.place.offset;
        for_each_slice(&item.parts, SLICE_LEN, &mut |bytes| {
            self.interrupt.check()?;
            key.bytes(bytes);
            let here = offset;
            offset += bytes.len() as u64;
            self.observe(here, bytes)
        })?;
        Ok(key.finish())
    }

    /// Returns the cache and the key that it has for an identity, if nobody observes the bytes.
    fn found_key(&self, identity: Option<&(Key, Certainty)>) -> Option<(&'p Cache, Key)> {
        let ((identity, _), cache) = (identity?, self.cache?);
        if self.observer.is_some() {
            return None;
        }
        Some((cache, cache.find_key(identity)?))
    }

    /// Returns the identity of an item's bytes, without reading contents, and its certainty; `None` if
    /// it is not known, or if there are no contents to read.
    fn identity_key<C: Identified>(&self, item: &Item<'_, C>) -> Result<Option<(Key, Certainty)>> {
        let mut key = self.key("verified", item);
        let (mut certainty, mut has_contents, mut buffer) = (Certainty::Certain, false, Vec::new());
        for part in &item.parts {
            key.number(part.len);
            match part.run().map(|run| run.source) {
                Some(Source::Content { content, offset }) => {
                    has_contents = true;
                    key.number(0);
                    certainty = certainty.min(content.identify(&mut |bytes| key.bytes(bytes)));
                    if certainty == Certainty::Unknown {
                        return Ok(None);
                    }
                    key.number(offset);
                }
                Some(Source::Zeros) => key.number(1),
                Some(Source::Bytes(_) | Source::Rendered { .. }) | None => {
                    key.number(2);
                    gather(std::slice::from_ref(part), part.len, &mut buffer)?;
                    key.bytes(&buffer);
                }
            }
        }
        Ok(has_contents.then(|| (key.finish(), certainty)))
    }

    /// Returns the beginning of a key of a kind, before the item's bytes.
    fn key<C>(&self, kind: &str, item: &Item<'_, C>) -> KeyBuilder {
        let mut key = KeyBuilder::new(kind);
        key.text(&self.identity);
        key.number(match item.place.work {
            Work::CompressLong => 2,
            _ => u64::from(item.place.first && item.place.last),
        });
        key.number(item.context_len);
        key.number(item.place.len);
        key
    }
}

/// Stores the key of bytes by their identity, if it is certain that they have it.
fn remember(cache: &Cache, identity: Option<(Key, Certainty)>, content: &Key) {
    if let Some((identity, Certainty::Certain)) = identity {
        cache.put_key(&identity, content);
    }
}
