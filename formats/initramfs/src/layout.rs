//! The planned archive as an image, and its segments as images of their own.

use std::ops::Range;

use image_runs::{Image, Run, Source};
use image_tree::Content;

use crate::Lost;
#[cfg(doc)]
use crate::Options;

/// A planned archive: every byte has its place, none is written yet.
///
/// As an [`Image`] it is the whole, uncompressed. [`Layout::segments`] gives the pieces that a compressor takes one by one.
#[derive(Debug)]
pub struct Layout<'t, C> {
    /// Headers, names, symlink targets and padding, in the order of the archive.
    pub(crate) bytes: Vec<u8>,
    pub(crate) pieces: Vec<Piece<'t, C>>,
    pub(crate) segments: Vec<Record>,
    pub(crate) lost: Vec<Lost>,
    pub(crate) summary: Summary,
    pub(crate) len: u64,
}

/// Consecutive bytes of the archive.
#[derive(Debug)]
pub(crate) enum Piece<'t, C> {
    /// A range of [`Layout::bytes`].
    Bytes(Range<usize>),
    /// Padding of a name that aligns what follows.
    Zeros(u64),
    /// A whole file.
    Content(&'t C),
}

/// One segment: which pieces, and which bytes of the whole.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) storage: Storage,
    pub(crate) pieces: Range<usize>,
    pub(crate) range: Range<u64>,
}

/// How the bytes of a segment are to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// As they are.
    Plain,
    /// Compressed, if anything is.
    Compressed,
}

/// What an archive holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Names, the root's `.` among them, without the early archive and the ends of archives. Directories of files that are
    /// compressed and of files that are not count twice.
    pub entries: u64,
    /// Files, each counted once whatever its names.
    pub inodes: u32,
    /// Bytes of all files' data.
    pub data_bytes: u64,
    /// Long files that could not be aligned, because their names would have been longer than `PATH_MAX` with the padding.
    pub unaligned: u64,
}

impl<'t, C> Layout<'t, C> {
    /// The segments in order: they cover the whole, and each ends where an entry ends. Plain ones come first.
    ///
    /// They depend on the tree and the options alone. A segment may be longer than [`Options::segment_len`] by far when
    /// one file is: then that file and its header are all there is in it, but
    /// for the end of the archive in the last.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = Segment<'_, 't, C>> + use<'_, 't, C> {
        self.segments.iter().map(|record| Segment { layout: self, record })
    }

    /// What the archive cannot say of the tree's files, in the order of the walk.
    #[must_use]
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// What the archive holds.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    fn runs_of(&self, pieces: Range<usize>) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_>
    where
        C: Content,
    {
        Box::new(self.pieces[pieces].iter().map(|piece| match piece {
            Piece::Bytes(range) => {
                Run { len: range.len() as u64, source: Source::Bytes(&self.bytes[range.clone()]) }
            }
            Piece::Zeros(len) => Run::zeros(*len),
            Piece::Content(content) => {
                Run { len: content.len(), source: Source::Content { content: *content, offset: 0 } }
            }
        }))
    }
}

impl<C: Content> Image<C> for Layout<'_, C> {
    fn len(&self) -> u64 {
        self.len
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        self.runs_of(0..self.pieces.len())
    }
}

/// Consecutive entries of an archive, as an image of their own.
#[derive(Debug)]
pub struct Segment<'l, 't, C> {
    layout: &'l Layout<'t, C>,
    record: &'l Record,
}

impl<C> Segment<'_, '_, C> {
    /// How its bytes are to be stored.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.record.storage
    }

    /// Which bytes of the whole it has, when nothing is compressed. Both ends are multiples of 4.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.record.range.clone()
    }
}

impl<C: Content> Image<C> for Segment<'_, '_, C> {
    fn len(&self) -> u64 {
        self.record.range.end - self.record.range.start
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        self.layout.runs_of(self.record.pieces.clone())
    }
}

// References copy whatever `C` is; a derive would ask for `C: Copy`.
impl<C> Clone for Segment<'_, '_, C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Segment<'_, '_, C> {}
