//! The files to compress, and the units that they are cut into.

use std::collections::BTreeMap;

use image_tree::{Content, InodeId, Kind, Tree};
use sha256_lanes::Digest;

use super::compress::BLOCK;
use super::options::PackOptions;
use super::unit::{Gatherer, Range, Segment, Target, Unit, chosen};

/// The length in bytes up to which a file is not compressed, as its map would take as much.
const TINY: u64 = 64;

/// The files of a tree to compress, from their lengths alone.
#[derive(Clone, Debug)]
pub struct Packing {
    pub(super) options: PackOptions,
    pub(super) files: Vec<File>,
    pub(super) tails: Vec<Tail>,
    /// The places of the tails in the packed inode, as of [`Packing::units`].
    pub(super) fragments: Fragments,
}

/// A file to compress.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    pub(super) inode: InodeId,
    pub(super) len: u64,
    /// The number of bytes before the tail, or all.
    pub(super) body: u64,
    /// The position of the tail in the list, if the file has one.
    pub(super) tail: Option<usize>,
}

/// The end of a file, or all of it, which is stored in the packed inode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) range: Range,
    /// The position in the list of an earlier tail with the same bytes.
    pub(super) same_as: Option<usize>,
}

/// The contents of the packed inode.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragments {
    /// The offset of each tail in the packed inode, in bytes.
    pub(super) offsets: Vec<u64>,
    pub(super) len: u64,
    segments: Vec<Segment>,
}

impl Packing {
    /// Lists the files to compress: regular files for which `is_stored` returns false. Those for
    /// which it returns true are stored as they are, or share the data of another.
    ///
    /// Files of which half or more is holes
    /// ([`Content::data_ranges`](image_tree::Content::data_ranges)) are left as they are, too.
    #[must_use]
    pub fn new<C: Content>(
        tree: &Tree<C>,
        options: PackOptions,
        is_stored: impl Fn(InodeId) -> bool,
    ) -> Self {
        let mut packing =
            Self { options, files: Vec::new(), tails: Vec::new(), fragments: Fragments::default() };
        for step in tree.walk().filter(|step| step.first) {
            if let Kind::Regular(content) = &tree.get(step.id).kind
                && !is_stored(step.id)
                && !is_mostly_holes(content)
            {
                packing.add(step.id, content.len());
            }
        }
        packing
    }

    fn add(&mut self, inode: InodeId, len: u64) {
        let is_long_enough = match () {
            () if self.options.fragments => len > 0,
            () if self.options.inline => len > TINY,
            () => len > BLOCK,
        };
        if !is_long_enough {
            return;
        }
        let tail_len =
            if self.options.fragments { len % u64::from(self.options.clusters.bytes()) } else { 0 };
        let body = len - tail_len;
        let tail = (tail_len > 0).then(|| {
            let range = Range { inode, offset: body, len: tail_len };
            self.tails.push(Tail { range, same_as: None });
            self.tails.len() - 1
        });
        self.files.push(File { inode, len, body, tail });
    }

    /// Returns the tails that may have the same bytes as another, by their lengths: those whose
    /// digests [`note_digests`](Self::note_digests) needs.
    #[must_use]
    pub fn tails_to_compare(&self) -> Vec<Range> {
        let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
        for tail in &self.tails {
            *counts.entry(tail.range.len).or_default() += 1;
        }
        self.tails.iter().map(|tail| tail.range).filter(|range| counts[&range.len] > 1).collect()
    }

    /// Notes the SHA-256 of the bytes of [`tails_to_compare`](Self::tails_to_compare), in the same
    /// order: of equal tails, the first one is stored.
    pub fn note_digests(&mut self, digests: &[Digest]) {
        let mut by_inode: BTreeMap<InodeId, usize> = BTreeMap::new();
        for (index, tail) in self.tails.iter().enumerate() {
            by_inode.insert(tail.range.inode, index);
        }
        let mut first: BTreeMap<(u64, Digest), usize> = BTreeMap::new();
        for (range, digest) in self.tails_to_compare().into_iter().zip(digests) {
            // OK to unwrap: each range is that of a tail.
            let index = by_inode[&range.inode];
            let found = *first.entry((range.len, *digest)).or_insert(index);
            self.tails[index].same_as = (found != index).then_some(found);
        }
    }

    /// Returns the units to compress, in the order of the walk. The results are passed to
    /// [`assemble`](Self::assemble) in the same order.
    pub fn units(&mut self) -> Vec<Unit> {
        let mut gatherer = Gatherer::default();
        for (index, file) in self.files.iter().enumerate() {
            let mut offset = 0;
            while offset < file.body {
                let len = self.options.segment_len().min(file.body - offset);
                gatherer.add(Segment {
                    target: Target::File(index),
                    ranges: vec![Range { inode: file.inode, offset, len }],
                    len,
                    may_be_inline: self.options.inline && offset + len == file.len,
                });
                offset += len;
            }
        }
        self.fragments = Fragments::of(&self.tails, self.options.fragments_segment_len());
        for segment in std::mem::take(&mut self.fragments.segments) {
            gatherer.add(segment);
        }
        gatherer.finish()
    }

    /// The number of files to compress.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    /// The options of compression.
    #[must_use]
    pub fn options(&self) -> &PackOptions {
        &self.options
    }
}

impl Fragments {
    /// Places tails one after the other. A segment ends at the end of a tail, and is filled with
    /// zeros up to a block: so no tail is in two, and a longer tail changes few of them.
    fn of(tails: &[Tail], segment_len: u64) -> Self {
        let mut fragments = Self::default();
        let (mut ranges, mut len) = (Vec::new(), 0);
        for tail in tails {
            if let Some(same) = tail.same_as {
                fragments.offsets.push(fragments.offsets[same]);
                continue;
            }
            if len > 0 && len + tail.range.len > segment_len {
                fragments.end_segment(&mut ranges, &mut len);
            }
            fragments.offsets.push(fragments.len + len);
            ranges.push(tail.range);
            len += tail.range.len;
            if len >= segment_len / 2 && chosen(tail.range.len, 8) {
                fragments.end_segment(&mut ranges, &mut len);
            }
        }
        if len > 0 {
            fragments.end_segment(&mut ranges, &mut len);
        }
        fragments
    }

    fn end_segment(&mut self, ranges: &mut Vec<Range>, len: &mut u64) {
        let padded = len.next_multiple_of(BLOCK);
        let ranges = std::mem::take(ranges);
        self.segments.push(Segment { target: Target::Fragments, ranges, len: padded, may_be_inline: false });
        self.len += padded;
        *len = 0;
    }
}

fn is_mostly_holes<C: Content>(content: &C) -> bool {
    content.data_ranges().is_some_and(|ranges| {
        let data: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        data <= content.len() / 2
    })
}
