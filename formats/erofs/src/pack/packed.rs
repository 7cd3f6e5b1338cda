//! Compressed files: the result of compression, from which planning decides all offsets.

use std::collections::BTreeMap;
use std::ops::Range;

use image_tree::InodeId;

use super::compress::BLOCK;
use crate::ondisk::algorithm::Algorithm;

/// The compressed data of a tree: the result of compression, from which
/// [`plan_packed`](crate::plan_packed) decides all offsets.
///
/// A file that is not listed is stored as it is. Contents of type `C` have the stored bytes.
#[derive(Clone, Debug)]
pub struct Packed<C> {
    pub(crate) algorithm: Algorithm,
    pub(crate) contents: Vec<C>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) files: BTreeMap<InodeId, PackedFile>,
    /// The packed inode.
    pub(crate) fragments: Option<PackedFile>,
    /// True if extents of several places refer to one cluster.
    pub(crate) has_shared_pieces: bool,
}

/// The stored bytes of an extent: a physical cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cluster {
    pub(crate) source: Source,
    /// True if the bytes are not compressed.
    pub(crate) plain: bool,
}

/// The place of stored bytes before they are in an image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// A range of a content of the caller's.
    Stored { content: usize, offset: u64, len: u64 },
    /// A range of a file.
    File { inode: InodeId, offset: u64, len: u64 },
}

/// A compressed file.
#[derive(Clone, Debug)]
pub(crate) struct PackedFile {
    /// The extents before the fragment, in order and without gaps.
    pub(crate) extents: Vec<PackedExtent>,
    /// The length in bytes.
    pub(crate) len: u64,
    /// The offset of the last extent, if it is a fragment, in the packed inode.
    pub(crate) fragment: Option<u64>,
    /// True if the last cluster may be behind the inode; after planning, if it is.
    pub(crate) inline: bool,
    /// The clusters that no earlier file has. They are consecutive, and in order.
    pub(crate) own: Range<u32>,
}

/// An extent of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedExtent {
    /// The length of the decoded bytes.
    pub(crate) len: u32,
    /// True if the cluster has these bytes as they are.
    pub(crate) plain: bool,
    /// The position of the cluster in the list.
    pub(crate) cluster: u32,
}

impl Source {
    /// The number of bytes.
    pub(crate) fn len(self) -> u64 {
        match self {
            Self::Stored { len, .. } | Self::File { len, .. } => len,
        }
    }
}

impl Cluster {
    /// The number of blocks.
    pub(crate) fn blocks(self) -> u64 {
        self.source.len().div_ceil(BLOCK)
    }

    /// The number of zeros between the start of the first block and the bytes.
    pub(crate) fn zeros_before(self) -> u64 {
        if self.plain { 0 } else { self.blocks() * BLOCK - self.source.len() }
    }
}

impl PackedFile {
    /// The length in bytes of what is stored in extents.
    pub(crate) fn body(&self) -> u64 {
        self.extents.iter().map(|extent| u64::from(extent.len)).sum()
    }

    /// True if all clusters are the file's own, so that they are consecutive.
    pub(crate) fn is_consecutive(&self) -> bool {
        self.own.len() == self.extents.len()
    }
}

impl<C> Packed<C> {
    pub(super) fn new(contents: Vec<C>, algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            contents,
            clusters: Vec::new(),
            files: BTreeMap::new(),
            fragments: None,
            has_shared_pieces: false,
        }
    }

    /// The algorithm by which the data is read.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The number of compressed files.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.files.len()
    }
}
