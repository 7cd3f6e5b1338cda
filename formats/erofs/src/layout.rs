//! The planned filesystem as an image.

use std::collections::BTreeMap;

use image_runs::{Image, Render, Run, Source};
use image_tree::{Content, InodeId, Tree};

use crate::emit::{self, Data, Piece};
use crate::error::Error;
use crate::kernel::{KernelVersion, Need};
use crate::options::Options;
use crate::pack::Packed;
use crate::plan::{self, Plan};

/// A planned EROFS filesystem: the offset of every byte is known, and no byte has been written.
#[derive(Debug)]
pub struct Layout<'t, C> {
    plan: Plan<'t, C>,
    pieces: Vec<Piece>,
    superblock: Vec<u8>,
    len: u64,
}

/// The properties of a planned filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The block size, in bytes.
    pub block_size: u32,
    /// The number of blocks.
    pub blocks: u64,
    /// The number of blocks before those of directories and files.
    pub metadata_blocks: u64,
    /// The number of inodes.
    pub inodes: u32,
    /// The number of inodes of 32 bytes, without a time of their own.
    pub compact_inodes: u32,
    /// The number of directories, including the root.
    pub directories: u32,
    /// The number of files of every kind, independent of the number of their names, without the
    /// root.
    pub files: u32,
    /// The number of regular files with a tail behind their inode.
    pub inline_files: u32,
    /// The number of files with compressed data or fragments.
    pub compressed_files: u32,
    /// The number of files that share the blocks of another.
    pub shared_files: u32,
    /// The number of blocks saved by sharing.
    pub shared_blocks: u64,
    /// The number of files with holes.
    pub sparse_files: u32,
    /// The number of bytes in holes.
    pub hole_bytes: u64,
    /// The properties that a kernel needs to have, in the order of [`Need`].
    pub needs: Vec<Need>,
}

impl Summary {
    /// The oldest version of the kernel that reads every file.
    #[must_use]
    pub fn oldest_kernel(&self) -> KernelVersion {
        let needs = self.needs.iter().copied();
        needs.map(Need::version).max().unwrap_or_else(|| Need::Erofs.version())
    }
}

/// Plans a filesystem of `tree`, and returns the same layout for the same tree and options. It
/// reads no file.
///
/// # Errors
/// Returns an error if EROFS cannot represent a file of the tree, or the options are not valid for
/// it.
///
/// # Panics
/// Panics if the [`Content::data_ranges`] of a file are not in order, not within its length, or
/// empty.
pub fn plan<'t, C: Content>(tree: &'t Tree<C>, options: &Options) -> Result<Layout<'t, C>, Error> {
    plan_sharing(tree, options, &BTreeMap::new())
}

/// Plans a filesystem of `tree` in which files share blocks: each key of `shared` has the blocks of
/// the file in its value, which is the first of all files with these blocks in the order of the
/// tree's walk. The caller ensures that their contents are equal.
///
/// Every kernel reads such a filesystem. Without shared blocks the layout is that of [`plan`].
///
/// # Errors
/// The errors of [`plan`]. Also [`Error::Unshareable`] if files differ in length, are not regular
/// or not in that order.
///
/// # Panics
/// Panics if an id in `shared` belongs to another tree, or the [`Content::data_ranges`] of a file
/// are invalid.
pub fn plan_sharing<'t, C: Content>(
    tree: &'t Tree<C>,
    options: &Options,
    shared: &BTreeMap<InodeId, InodeId>,
) -> Result<Layout<'t, C>, Error> {
    planned(tree, options, shared, None)
}

/// Plans a filesystem of `tree` like [`plan_sharing`], in which the files of `packed` are stored as
/// they were packed. It reads no file.
///
/// # Errors
/// The errors of [`plan_sharing`]. Also [`Error::BlockSize`] if blocks have another length than 4096
/// bytes, as no kernel before 6.8 reads compressed data in them, and [`Error::TooManyBlocks`] if
/// there are more than 32 bits can number.
///
/// # Panics
/// The panics of [`plan_sharing`]. Also panics if the packed files are not those of the tree.
pub fn plan_packed<'t, C: Content>(
    tree: &'t Tree<C>,
    options: &Options,
    shared: &BTreeMap<InodeId, InodeId>,
    packed: Packed<C>,
) -> Result<Layout<'t, C>, Error> {
    planned(tree, options, shared, Some(packed))
}

fn planned<'t, C: Content>(
    tree: &'t Tree<C>,
    options: &Options,
    shared: &BTreeMap<InodeId, InodeId>,
    packed: Option<Packed<C>>,
) -> Result<Layout<'t, C>, Error> {
    let plan = plan::plan(tree, options, shared, packed)?;
    let needed = options.block_size.offset(plan.blocks);
    let len = options.len.unwrap_or(needed);
    if let Some(missing_bytes) = needed.checked_sub(len).filter(|missing| *missing > 0) {
        return Err(Error::TooSmall { size_bytes: len, needed_bytes: needed, missing_bytes });
    }
    let pieces = emit::pieces(&plan);
    let superblock = emit::superblock(&plan, &pieces);
    Ok(Layout { plan, pieces, superblock, len })
}

impl<C> Layout<'_, C> {
    /// Returns the properties of the filesystem.
    #[must_use]
    pub fn summary(&self) -> Summary {
        plan::summary::of(&self.plan)
    }
}

impl<C: Content> Image<C> for Layout<'_, C> {
    fn len(&self) -> u64 {
        self.len
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        Box::new(Runs { layout: self, position: 0, next: 0 })
    }
}

impl<C: Content> Render for Layout<'_, C> {
    fn render(&self, key: u64, out: &mut [u8]) {
        let piece = &self.pieces[usize::try_from(key).expect("keys are positions in memory")];
        emit::render(&self.plan, piece, out);
    }
}

/// An iterator over the pieces, and the zeros between them.
struct Runs<'l, 't, C> {
    layout: &'l Layout<'t, C>,
    position: u64,
    next: usize,
}

impl<'l, C: Content> Iterator for Runs<'l, '_, C> {
    type Item = Run<'l, C>;

    fn next(&mut self) -> Option<Run<'l, C>> {
        let piece = self.layout.pieces.get(self.next);
        let until = piece.map_or(self.layout.len, |piece| piece.offset);
        if self.position < until {
            let zeros = Run::zeros(until - self.position);
            self.position = until;
            return Some(zeros);
        }
        let piece = piece?;
        let source = match emit::data(&self.layout.plan, piece) {
            Data::Superblock => Source::Bytes(&self.layout.superblock),
            Data::Rendered => Source::Rendered { by: self.layout, key: self.next as u64 },
            Data::Bytes(bytes) => Source::Bytes(bytes),
            Data::Content(content, offset) => Source::Content { content, offset },
        };
        self.position += piece.len;
        self.next += 1;
        Some(Run { len: piece.len, source })
    }
}
