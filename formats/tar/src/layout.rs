//! The planned archive and its segments as images.

use std::ops::Range;

use image_runs::{Image, MAX_RENDERED, Render, Run, Source};
use image_tree::{Content, InodeId, Kind, Name, Tree};

use crate::head;
use crate::header::{END, padding};
use crate::options::Options;
use crate::sparse;

/// A planned archive: the offset of every byte is known, and no byte has been written.
///
/// It takes about 40 bytes for each name of the tree: headers are rendered when they are written.
#[derive(Debug)]
pub struct Layout<'t, C> {
    tree: &'t Tree<C>,
    options: Options,
    /// Every name in the order of the walk, the root first.
    pub(crate) entries: Vec<Entry<'t>>,
    /// The position of the first name of each inode in the entries, by its index.
    pub(crate) first: Vec<u32>,
    /// The length of the archive in bytes.
    pub(crate) len: u64,
    pub(crate) summary: Summary,
}

/// One name of a file.
#[derive(Debug)]
pub(crate) struct Entry<'t> {
    pub(crate) id: InodeId,
    /// The position of its directory; the root's is its own.
    pub(crate) parent: u32,
    /// The name; none for the root.
    pub(crate) name: Option<&'t Name>,
    /// The offset of its head, in bytes.
    pub(crate) start: u64,
    /// The length of all before its data, in bytes; 0 if it is not in the archive.
    pub(crate) head_len: u64,
}

/// Consecutive bytes of an archive, as an image.
#[derive(Debug)]
pub struct Segment<'l, 't, C> {
    layout: &'l Layout<'t, C>,
    range: Range<u64>,
}

impl<C> Segment<'_, '_, C> {
    /// The range of its bytes in the archive.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }
}

impl<C: Content> Image<C> for Segment<'_, '_, C> {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        self.layout.runs_of(self.range.clone())
    }
}

/// A summary of the contents of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The number of entries.
    pub entries: u64,
    /// The number of stored bytes of files, in bytes, without padding.
    pub data_bytes: u64,
}

/// The number of bits of a key for the part of a head.
const PART_BITS: u32 = 24;

impl<'t, C> Layout<'t, C> {
    pub(crate) fn empty(tree: &'t Tree<C>, options: Options) -> Self {
        let first = vec![0; tree.inode_count()];
        Self { tree, options, entries: Vec::new(), first, len: 0, summary: Summary::default() }
    }

    /// Returns the summary of the contents.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// Returns the path in the archive of the entry at a position.
    fn path(&self, position: u32) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = position;
        while let Some(name) = self.entry(at).name {
            names.push(name.as_bytes());
            at = self.entry(at).parent;
        }
        if names.is_empty() {
            return b"./".to_vec();
        }
        names.reverse();
        let mut path = names.join(&b'/');
        if matches!(self.tree.get(self.entry(position).id).kind, Kind::Directory(_)) {
            path.push(b'/');
        }
        path
    }

    fn entry(&self, position: u32) -> &Entry<'t> {
        &self.entries[position as usize]
    }
}

impl<'t, C: Content> Layout<'t, C> {
    /// Returns the archive in segments of `segment_len` bytes, at least 512: they cover it in
    /// order.
    ///
    /// A segment ends at a multiple of `segment_len`, or, where that is within a header, at the end
    /// of the header. So the ends depend only on the archive and `segment_len`.
    pub fn segments(&self, segment_len: u64) -> impl Iterator<Item = Segment<'_, 't, C>> {
        let segment_len = segment_len.max(512);
        let mut start = 0;
        std::iter::from_fn(move || {
            if start >= self.len {
                return None;
            }
            let next = (start / segment_len + 1).saturating_mul(segment_len);
            let end = self.end_of_head(next).min(self.len);
            let range = std::mem::replace(&mut start, end)..end;
            Some(Segment { layout: self, range })
        })
    }

    /// Returns the end of the head that a position is within, or the position itself.
    fn end_of_head(&self, position: u64) -> u64 {
        let entry = self.entries[..self.entries_before(position)].last();
        entry.map_or(position, |entry| position.max(entry.start + entry.head_len))
    }

    /// Returns the number of entries that begin before a position.
    fn entries_before(&self, position: u64) -> usize {
        self.entries.partition_point(|entry| entry.start < position)
    }

    /// Returns the head of the entry at a position.
    pub(crate) fn head(&self, position: u32) -> Vec<u8> {
        let entry = self.entry(position);
        let inode = self.tree.get(entry.id);
        let first = self.first[entry.id.index()];
        let target = (first != position).then(|| self.path(first));
        let path = self.path(position);
        head::head(&path, &inode.metadata, &inode.kind, target.as_deref(), &self.options)
    }

    /// Returns the runs of a range that begins and ends outside of heads, or at their ends.
    fn runs_of(&self, range: Range<u64>) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        // The entry before may have data in the range.
        let first = self.entries_before(range.start + 1).saturating_sub(1);
        let entries = self.entries[first..].iter().zip(first as u64..);
        let entries = entries.take_while({
            let end = range.end;
            move |(entry, _)| entry.start < end
        });
        let start = self.entries.get(first).map_or(0, |entry| entry.start);
        // If not every entry is taken, it is behind the range.
        let end_of_archive = std::iter::once(Run::zeros(END));
        let runs = entries.flat_map(|(entry, position)| self.runs_of_entry(entry, position));
        let mut at = start;
        Box::new(runs.chain(end_of_archive).filter_map(move |run| {
            let here = at..at + run.len;
            at = here.end;
            clip(run, &here, &range)
        }))
    }

    fn runs_of_entry<'l>(
        &'l self,
        entry: &'l Entry<'t>,
        position: u64,
    ) -> Box<dyn Iterator<Item = Run<'l, C>> + Send + 'l> {
        let parts = (0..entry.head_len.div_ceil(MAX_RENDERED)).map(move |part| {
            let len = (entry.head_len - part * MAX_RENDERED).min(MAX_RENDERED);
            Run { len, source: Source::Rendered { by: self, key: position << PART_BITS | part } }
        });
        let is_first = u64::from(self.first[entry.id.index()]) == position;
        let Kind::Regular(content) = &self.tree.get(entry.id).kind else { return Box::new(parts) };
        if !is_first {
            return Box::new(parts);
        }
        let run = |range: &Range<u64>| Run {
            len: range.end - range.start,
            source: Source::Content { content, offset: range.start },
        };
        let extents = sparse::extents(content, self.options.holes);
        let stored = extents.map_or(content.len(), sparse::stored);
        let whole = (extents.is_none() && stored > 0).then(|| run(&(0..stored)));
        let padding = Some(padding(stored)).filter(|len| *len > 0).map(Run::zeros);
        Box::new(parts.chain(whole).chain(extents.unwrap_or_default().iter().map(run)).chain(padding))
    }
}

/// Returns the part of a run at `here` that is within `range`. Rendered runs are within it or not.
fn clip<'i, C>(run: Run<'i, C>, here: &Range<u64>, range: &Range<u64>) -> Option<Run<'i, C>> {
    let (start, end) = (here.start.max(range.start), here.end.min(range.end));
    if start >= end {
        return None;
    }
    let source = match run.source {
        Source::Content { content, offset } => {
            Source::Content { content, offset: offset + (start - here.start) }
        }
        source => source,
    };
    Some(Run { len: end - start, source })
}

impl<C: Content> Render for Layout<'_, C> {
    fn render(&self, key: u64, out: &mut [u8]) {
        // OK to unwrap: keys are made of positions of entries.
        let position = u32::try_from(key >> PART_BITS).expect("a position has 32 bits");
        let part = key & ((1 << PART_BITS) - 1);
        let start = usize::try_from(part * MAX_RENDERED).expect("a head is held in memory");
        out.copy_from_slice(&self.head(position)[start..start + out.len()]);
    }
}

impl<C: Content> Image<C> for Layout<'_, C> {
    fn len(&self) -> u64 {
        self.len
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        self.runs_of(0..self.len)
    }
}
