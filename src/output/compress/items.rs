//! Items: the pieces of members that one thread gathers and compresses at once.

use image_runs::{Run, Source};
use initramfs::codec::{Codec, Division};

use super::gather::Part;
use super::member::Member;
use crate::error::Result;
use crate::output::chunks::runs::Runs;

/// The maximum length of an item of a stored member, in bytes.
const STORED_LEN: u64 = 1 << 20;

/// The items of all members, in order.
pub(super) struct Items<'a, C> {
    members: std::slice::Iter<'a, Member<'a, C>>,
    codec: &'a Codec,
    current: Option<Splitter<'a, C>>,
    /// The number of bytes in the members before the current one.
    before: u64,
}

/// One piece of one member.
pub(super) struct Item<'a, C> {
    pub(super) place: Place,
    /// The sources of the context, followed by those of the item's own bytes.
    pub(super) parts: Vec<Part<'a, C>>,
    /// The number of context bytes in the parts.
    pub(super) context_len: u64,
}

/// The properties of an item that the output needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) work: Work,
    /// The offset of its own bytes in all members, before compression.
    pub(super) offset: u64,
    /// The number of the item's own bytes, before compression.
    pub(super) len: u64,
    /// The number of bytes of its member, before compression.
    pub(super) member_len: u64,
    /// True if it is the first of its member.
    pub(super) first: bool,
    /// True if it is the last of its member.
    pub(super) last: bool,
}

/// The processing of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// It is stored unchanged.
    Store,
    /// It is compressed as a whole.
    Compress,
    /// It is compressed as a long frame, by streaming.
    CompressLong,
}

/// A member that is being split.
struct Splitter<'a, C> {
    runs: Runs<'a, C>,
    rest: Option<Part<'a, C>>,
    work: Work,
    piece_len: u64,
    context_len: u64,
    /// The offset of the member in all members.
    start: u64,
    len: u64,
    position: u64,
    /// The parts of the last bytes before `position`, at least as many bytes as the context, if
    /// available.
    before: Vec<Part<'a, C>>,
}

impl<'a, C> Items<'a, C> {
    pub(super) fn of(members: &'a [Member<'a, C>], codec: &'a Codec) -> Self {
        Self { members: members.iter(), codec, current: None, before: 0 }
    }

    /// Returns the next item, if any.
    ///
    /// # Errors
    /// [`Verification`](crate::error::ErrorKind::Verification) if the runs of a member violate
    /// their contract.
    pub(super) fn next(&mut self) -> Result<Option<Item<'a, C>>> {
        loop {
            if let Some(current) = &mut self.current {
                if current.position < current.len {
                    return current.next().map(Some);
                }
                // There must not be a run after the last byte.
                current.runs.next()?;
                self.before += current.len;
            }
            // A member without bytes has no items.
            let Some(member) = self.members.next() else { return Ok(None) };
            self.current = Some(Splitter::new(member, self.codec, self.before));
        }
    }
}

impl<'a, C> Splitter<'a, C> {
    fn new(member: &Member<'a, C>, codec: &Codec, start: u64) -> Self {
        let len = member.image.len();
        let division = if member.compress { codec.division(len) } else { Division::Uncompressed };
        let (work, piece_len, context_len) = match division {
            Division::Uncompressed => (Work::Store, STORED_LEN, 0),
            Division::Pieces { piece_len, context_len } => (Work::Compress, piece_len, context_len),
            Division::Long => (Work::CompressLong, u64::MAX, 0),
        };
        let runs = Runs::of(member.image);
        Self { runs, rest: None, work, piece_len, context_len, start, len, position: 0, before: Vec::new() }
    }

    fn next(&mut self) -> Result<Item<'a, C>> {
        let len = self.piece_len.min(self.len - self.position);
        let mut parts = std::mem::take(&mut self.before);
        let context_len = parts.iter().map(|part| part.len).sum();
        let own = parts.len();
        let mut missing = len;
        while missing > 0 {
            let part = self.next_part()?;
            let (part, rest) = part.split(missing);
            self.rest = rest;
            missing -= part.len;
            parts.push(part);
        }
        let first = self.position == 0;
        let offset = self.start + self.position;
        self.position += len;
        let last = self.position == self.len;
        if !last && self.context_len > 0 {
            self.before = end_of(&parts[own..], self.context_len);
        }
        let place = Place { work: self.work, offset, len, member_len: self.len, first, last };
        Ok(Item { place, parts, context_len })
    }

    fn next_part(&mut self) -> Result<Part<'a, C>> {
        if let Some(rest) = self.rest.take() {
            return Ok(rest);
        }
        let run = self.runs.next()?;
        // OK to unwrap: the runs cover the image, or `next` fails.
        let run = run.unwrap_or(Run { len: u64::MAX, source: Source::Zeros });
        Ok(Part::whole(run))
    }
}

/// Returns the parts of the last `len` bytes of some parts, which are longer than that.
fn end_of<'a, C>(parts: &[Part<'a, C>], len: u64) -> Vec<Part<'a, C>> {
    let mut end = Vec::new();
    let mut missing = len;
    for part in parts.iter().rev() {
        if missing == 0 {
            break;
        }
        let part = part.last(missing);
        missing -= part.len;
        end.push(part);
    }
    end.reverse();
    end
}

impl<C> Item<'_, C> {
    /// The number of bytes to gather, including the context.
    pub(super) fn gathered_len(&self) -> u64 {
        self.context_len + self.place.len
    }
}
