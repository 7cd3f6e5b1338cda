//! The planned archive and its segments as images.

mod unsupported;

use std::ops::Range;

use image_runs::{Image, Run, Source};
use image_tree::Content;

#[cfg(doc)]
use crate::Options;
pub use unsupported::{MetadataKind, UnsupportedMetadata};

/// A planned archive: the offset of every byte is known, and no byte has been written.
///
/// As an [`Image`] it is the whole uncompressed archive. [`Layout::segments`] returns the units for
/// a compressor.
#[derive(Debug)]
pub struct Layout<'t, C> {
    /// Headers, names, symlink targets and padding, in the order of the archive.
    pub(crate) bytes: Vec<u8>,
    pub(crate) pieces: Vec<Piece<'t, C>>,
    pub(crate) segments: Vec<Record>,
    pub(crate) unsupported: Vec<UnsupportedMetadata>,
    pub(crate) summary: Summary,
    pub(crate) len: u64,
}

/// Consecutive bytes of the archive.
#[derive(Debug)]
pub(crate) enum Piece<'t, C> {
    /// A range of [`Layout::bytes`].
    Bytes(Range<usize>),
    /// Padding of a name that aligns the data after it.
    Zeros(u64),
    /// The content of a whole file.
    Content(&'t C),
}

/// One segment: the range of its pieces, and of its bytes in the archive.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) storage: Storage,
    pub(crate) pieces: Range<usize>,
    pub(crate) range: Range<u64>,
}

/// The storage of the bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// Uncompressed.
    Plain,
    /// Compressed, unless the archive is not compressed at all.
    Compressed,
}

/// A summary of the contents of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The number of names, including the root's `.`, without the early archive and the trailers.
    /// Directories of both already compressed and other files count twice.
    pub entries: u64,
    /// The number of files, independent of the number of their names.
    pub inodes: u32,
    /// The total length of the data of all files, in bytes.
    pub data_bytes: u64,
    /// The number of long files that could not be aligned, because their names would have been
    /// longer than `PATH_MAX` with the padding.
    pub unaligned: u64,
}

impl<'t, C> Layout<'t, C> {
    /// The segments in order: they cover the archive, and each ends at the end of an entry. Plain
    /// ones come first.
    ///
    /// They depend only on the tree and the options. A segment may be much longer than
    /// [`Options::segment_len`] if one file is: it then consists of that file and its header only,
    /// except for the trailer in the last segment.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = Segment<'_, 't, C>> + use<'_, 't, C> {
        self.segments.iter().map(|record| Segment { layout: self, record })
    }

    /// The metadata that the archive cannot represent, in the order of the walk.
    #[must_use]
    pub fn unsupported_metadata(&self) -> &[UnsupportedMetadata] {
        &self.unsupported
    }

    /// Returns the summary of the contents.
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

/// Consecutive entries of an archive as a separate image.
#[derive(Debug)]
pub struct Segment<'l, 't, C> {
    layout: &'l Layout<'t, C>,
    record: &'l Record,
}

impl<C> Segment<'_, '_, C> {
    /// The storage of its bytes.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.record.storage
    }

    /// The range of its bytes in the uncompressed archive. Both ends are multiples of 4.
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

// References are `Copy` for any `C`; a derive would require `C: Copy`.
impl<C> Clone for Segment<'_, '_, C> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<C> Copy for Segment<'_, '_, C> {}
