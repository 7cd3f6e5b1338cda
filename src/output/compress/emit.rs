//! Compressed items in order, with what makes them members.

use image_tree::Content;
use initramfs::codec::{self, Codec};

use super::items::{Items, Place, Work};
use super::pack::Packer;
use super::pool;
use super::{CompressOptions, Compressed, Member};
use crate::error::Result;
use crate::output::cache::Identify;

/// Calls `sink` with consecutive slices that make up the whole output.
pub(super) fn all<C: Content + Identify>(
    members: &[Member<'_, C>],
    codec: &Codec,
    options: &CompressOptions<'_>,
    sink: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Compressed> {
    let packer = Packer::new(codec, options);
    let mut emitter =
        Emitter { codec, options, sink, position: 0, after: After::Stored, member: None, image_bytes: 0 };
    pool::run(Items::of(members, codec), &packer, codec, options, &mut emitter)?;
    let (image_bytes, written_bytes) = (emitter.image_bytes, emitter.position);
    let (cache_hits, cache_misses) = packer.cache_use();
    Ok(Compressed { image_bytes, written_bytes, cache_hits, cache_misses })
}

/// Where the output is, and what it was last.
pub(super) struct Emitter<'e> {
    codec: &'e Codec,
    options: &'e CompressOptions<'e>,
    sink: &'e mut dyn FnMut(&[u8]) -> Result<()>,
    position: u64,
    after: After,
    member: Option<codec::Member>,
    image_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Stored,
    Compressed,
}

impl Emitter<'_> {
    /// Begins an item.
    pub(super) fn begin(&mut self, place: &Place) -> Result<()> {
        self.options.write.interrupt.check()?;
        if !place.first {
            return Ok(());
        }
        if place.work == Work::Store {
            let previous = if self.after == After::Compressed { self.codec.compression() } else { None };
            let gap = initramfs::gap(self.position, previous);
            return self.put(&[0; 8][..usize::try_from(gap).unwrap_or(0).min(8)]);
        }
        let member = codec::Member::new(self.codec, place.member_len);
        self.put(member.head())?;
        self.member = Some(member);
        Ok(())
    }

    /// Puts bytes of the item that was begun.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if !bytes.is_empty() {
            (self.sink)(bytes)?;
            self.position += bytes.len() as u64;
        }
        Ok(())
    }

    /// Ends the item.
    pub(super) fn end(&mut self, place: &Place, note: u64) -> Result<()> {
        self.after = if place.work == Work::Store { After::Stored } else { After::Compressed };
        if let Some(member) = &mut self.member {
            member.add(place.len, note);
            if place.last {
                let tail = member.tail();
                self.member = None;
                self.put(&tail)?;
            }
        }
        self.image_bytes += place.len;
        self.options.write.progress.add(place.len);
        Ok(())
    }

    /// Fails once a signal came.
    pub(super) fn check(&self) -> Result<()> {
        self.options.write.interrupt.check()
    }
}
