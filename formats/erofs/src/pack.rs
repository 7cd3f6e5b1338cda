//! Data that a caller has compressed before planning.

use std::collections::BTreeMap;

use image_tree::InodeId;

/// The compressed data of a tree: the result of compression, from which
/// [`plan_packed`](crate::plan_packed) decides all offsets.
///
/// A file that is not listed is stored as it is.
#[derive(Clone, Debug)]
pub struct Packed<C> {
    /// The files whose data is compressed.
    pub files: BTreeMap<InodeId, PackedFile<C>>,
}

// A derive would require `C: Default`.
impl<C> Default for Packed<C> {
    fn default() -> Self {
        Self { files: BTreeMap::new() }
    }
}

/// The data of one file, as it was packed.
#[derive(Clone, Debug)]
pub struct PackedFile<C> {
    /// The extents, in order and without gaps: they add up to the length of the file.
    pub extents: Vec<Extent<C>>,
}

/// A range of a file that is decoded as a whole.
#[derive(Clone, Debug)]
pub struct Extent<C> {
    /// The offset in the file, in bytes.
    pub offset: u64,
    /// The length of the decoded bytes.
    pub len: u64,
    /// The form in which the bytes are stored.
    pub stored: Stored<C>,
}

/// The form in which the bytes of an extent are stored.
#[derive(Clone, Debug)]
pub enum Stored<C> {
    /// As they are in the file, of which they are read.
    Plain,
    /// Compressed by the algorithm of the filesystem.
    Compressed {
        /// The compressed bytes.
        content: C,
        /// The offset of the first of them in `content`, in bytes.
        offset: u64,
        /// The number of compressed bytes.
        len: u64,
    },
}
