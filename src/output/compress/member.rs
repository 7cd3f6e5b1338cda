//! The members to write, and the options for it.

use image_runs::Image;
use image_tree::Content;
use initramfs::{Segment, Storage};

use crate::cache::Cache;
use crate::output::observer::Observer;
use crate::output::options::WriteOptions;

/// One segment, which becomes one member or is stored unchanged.
pub struct Member<'a, C> {
    /// The bytes of the segment.
    pub image: &'a dyn Image<C>,
    /// True if it is to be compressed; otherwise it is stored at the next multiple of 4 bytes.
    pub compress: bool,
}

impl<'a, C: Content> Member<'a, C> {
    /// Returns the member for a segment of an archive.
    #[must_use]
    pub fn of(segment: &'a Segment<'_, '_, C>) -> Self {
        Self { image: segment, compress: segment.storage() == Storage::Compressed }
    }
}

/// The options for writing members; none affects the bytes.
#[derive(Clone, Copy)]
pub struct CompressOptions<'a> {
    /// The options for reading and writing. `threads` is the number of compressing threads; with
    /// several, one more writes. Progress is in bytes before compression.
    pub write: WriteOptions<'a>,
    /// The cache of compressed pieces.
    pub cache: Option<&'a Cache>,
    /// Receives the bytes of the members before compression; offsets are those in all members.
    pub observer: Option<&'a dyn Observer>,
}
