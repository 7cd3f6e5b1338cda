//! Units of compression: the bytes that one thread reads and compresses at once.
//!
//! ```text
//! files     ├ small ┼ small ┼───── large ─────┼ small ┤       tails ├─┼──┼─┼────┼─┤
//! segments  ├───────┼───────┼──────┼──────┼───┼───────┤             ├────────┼────┤ zeros
//! units     ├───────────────┼─────────────────┼───────┤             ├─────────────┤
//! ```
//!
//! A segment is compressed by itself. So its result depends on its bytes and the codec alone. A unit
//! is some segments, so that a cache has few entries; where units end depends on the lengths of the
//! files nearby, so that a file that gets longer changes few of them.

use std::io;

use image_tree::{Content, InodeId, Kind, Tree};

/// The length of a unit in bytes, beyond which no segment is added.
const UNIT_LEN: u64 = 1 << 20;

/// The length in bytes from which a segment begins or ends a unit.
const LARGE: u64 = 128 << 10;

/// A range of a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The file.
    pub inode: InodeId,
    /// The offset in the file, in bytes.
    pub offset: u64,
    /// The length in bytes.
    pub len: u64,
}

/// The file that a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file, by its position in the list.
    File(usize),
    /// The packed inode, of fragments.
    Fragments,
}

/// Bytes that are compressed by themselves.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) target: Target,
    pub(super) ranges: Vec<Range>,
    /// The length in bytes; beyond the ranges, it is filled with zeros.
    pub(super) len: u64,
    /// True if it ends its file, and what becomes of its end may be stored behind the inode.
    pub(super) may_be_inline: bool,
}

/// Segments that one thread reads and compresses at once.
#[derive(Clone, Debug)]
pub struct Unit {
    pub(super) segments: Vec<Segment>,
}

impl Unit {
    /// The number of bytes to compress.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Returns true if the unit has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the bytes to compress into `buffer`, in place of what it contains.
    ///
    /// # Errors
    /// The first error of a content, or [`io::ErrorKind::OutOfMemory`].
    pub fn read<C: Content>(&self, tree: &Tree<C>, buffer: &mut Vec<u8>) -> io::Result<()> {
        let len = in_memory(self.len());
        buffer.clear();
        buffer.try_reserve(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        buffer.resize(len, 0);
        let mut rest = &mut buffer[..];
        for segment in &self.segments {
            let (mut out, behind) = rest.split_at_mut(in_memory(segment.len));
            rest = behind;
            for range in &segment.ranges {
                let (part, behind) = out.split_at_mut(in_memory(range.len));
                out = behind;
                if let Kind::Regular(content) = &tree.get(range.inode).kind {
                    content.read_at(part, range.offset)?;
                }
            }
        }
        Ok(())
    }

    /// Returns a text with everything about the unit, except its bytes, that affects the result.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut text = String::new();
        for Segment { target, len, may_be_inline, .. } in &self.segments {
            let kind = match (target, may_be_inline) {
                (Target::Fragments, _) => 'f',
                (Target::File(_), true) => 't',
                (Target::File(_), false) => 's',
            };
            text.push_str(&format!("{kind}{len} "));
        }
        text
    }
}

/// Gathers segments to units.
#[derive(Default)]
pub(super) struct Gatherer {
    done: Vec<Unit>,
    open: Vec<Segment>,
    open_len: u64,
}

impl Gatherer {
    pub(super) fn add(&mut self, segment: Segment) {
        let same_file = matches!(
            (self.open.last().map(|last| last.target), segment.target),
            (Some(Target::File(last)), Target::File(this)) if last == this
        );
        let large = segment.len >= LARGE && !same_file;
        if large || self.open_len + segment.len > UNIT_LEN {
            self.end();
        }
        let last_of_large = same_file && segment.len < LARGE;
        let ends = last_of_large || ends_unit(&segment);
        self.open_len += segment.len;
        self.open.push(segment);
        if ends {
            self.end();
        }
    }

    pub(super) fn finish(mut self) -> Vec<Unit> {
        self.end();
        self.done
    }

    fn end(&mut self) {
        if !self.open.is_empty() {
            self.done.push(Unit { segments: std::mem::take(&mut self.open) });
            self.open_len = 0;
        }
    }
}

/// Returns true for about one in eight of the segments, by its length.
fn ends_unit(segment: &Segment) -> bool {
    chosen(segment.len, 8)
}

/// Returns true for about one in `one_in` lengths.
pub(super) fn chosen(len: u64, one_in: u64) -> bool {
    (len.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).is_multiple_of(one_in)
}

/// Returns a length of what is held in memory, which is at most some MiB.
pub(super) fn in_memory(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
