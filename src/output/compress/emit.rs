//! Compressed items in order, with the framing that makes them members.

use initramfs::codec::{self, Codec};

use super::items::{Place, Work};
use super::member::CompressOptions;
use crate::error::Result;

/// The position in the output, and the kind of its last item.
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

impl<'e> Emitter<'e> {
    /// Returns an emitter at the start of an output, which it passes to `sink` in consecutive
    /// slices.
    pub(super) fn new(
        codec: &'e Codec,
        options: &'e CompressOptions<'e>,
        sink: &'e mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Self {
        Self { codec, options, sink, position: 0, after: After::Stored, member: None, image_bytes: 0 }
    }

    /// Begins an item.
    pub(super) fn begin(&mut self, place: &Place) -> Result<()> {
        self.options.write.interrupt.check()?;
        if !place.first {
            return Ok(());
        }
        if place.work == Work::Store {
            let previous = if self.after == After::Compressed { self.codec.compression() } else { None };
            // OK to unwrap: the padding has at most 7 bytes.
            let padding =
                usize::try_from(initramfs::archive_padding(self.position, previous)).expect("at most 7");
            return self.put(&[0; 7][..padding]);
        }
        let member = codec::Member::new(self.codec, place.member_len);
        self.put(member.head())?;
        self.member = Some(member);
        Ok(())
    }

    /// Writes bytes of the current item.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if !bytes.is_empty() {
            (self.sink)(bytes)?;
            self.position += bytes.len() as u64;
        }
        Ok(())
    }

    /// Ends the current item.
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

    /// The lengths in bytes of all items before compression, and of the output.
    pub(super) fn lengths(&self) -> (u64, u64) {
        (self.image_bytes, self.position)
    }

    /// Fails once a signal was received.
    pub(super) fn check(&self) -> Result<()> {
        self.options.write.interrupt.check()
    }
}
