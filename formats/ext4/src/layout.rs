//! The planned filesystem as an image.

use std::collections::BTreeMap;

use image_runs::{Image, Render, Run, Source};
use image_tree::{Content, InodeId, Tree};

use crate::emit::{self, Data, Piece};
use crate::error::Error;
use crate::options::{Options, Size};
use crate::plan::{self, Plan, room};

/// A planned ext4 filesystem: every byte has its place, none is written yet.
#[derive(Debug)]
pub struct Layout<'t, C> {
    plan: Plan<'t, C>,
    descriptors: Vec<u8>,
    pieces: Vec<Piece>,
    len: u64,
}

/// What a planned filesystem has and what of it is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of a block.
    pub block_size: u32,
    /// All blocks.
    pub blocks: u64,
    /// Blocks that nothing uses: `f_bfree` of statfs.
    pub free_blocks: u64,
    /// Blocks of these that every user may fill once it is mounted: `f_bavail` of statfs. The kernel withholds a 50th of all
    /// blocks or 4096, whichever is less, and keeps [`Options::reserved_percent`] for root.
    pub available_blocks: u64,
    /// All inodes.
    pub inodes: u32,
    /// Inodes that no file uses.
    pub free_inodes: u32,
    /// Block groups.
    pub groups: u32,
    /// Files that have the blocks of another.
    pub shared_files: u32,
    /// Blocks that these files would have of their own.
    pub shared_blocks: u64,
    /// Files with holes.
    pub sparse_files: u32,
    /// Blocks of these files that are in holes, and so not among [`Summary::blocks`].
    pub hole_blocks: u64,
    /// Blocks of the journal; 0 for none.
    pub journal_blocks: u32,
    /// Directories, `lost+found` among them.
    pub directories: u32,
    /// Files of every kind, each counted once whatever its names; not the root, and not `lost+found`.
    pub files: u32,
}

/// Plans a filesystem that holds `tree`, and gives the same layout for the same tree and options. It reads no file, but
/// with [`Features::inline_data`](crate::Features::inline_data) those short enough to lie in their inodes: checksums of
/// inodes cover what is in them.
///
/// # Errors
/// When ext4 cannot hold a file of the tree, the options do not fit it, or a file that is to lie in its inode cannot be read.
///
/// # Panics
/// When the [`Content::data_ranges`] of a file are not in order, not within its length, or empty.
pub fn plan<'t, C: Content>(tree: &'t Tree<C>, options: &Options) -> Result<Layout<'t, C>, Error> {
    plan_sharing(tree, options, &BTreeMap::new())
}

/// Plans a filesystem that holds `tree`, in which files have the blocks of others: each file in `shared` those of the file
/// it leads to, which is the first in the order of the tree's walk of all that have them. Whoever calls this has made sure
/// that they have the same bytes.
///
/// A filesystem with shared blocks has `RO_COMPAT_SHARED_BLOCKS`, a feature of e2fsprogs. Linux does not know it, and so
/// mounts it for reading only; `e2fsck -E unshare_blocks` gives each file blocks of its own, where there are enough free.
/// Without shared blocks the layout is that of [`plan`].
///
/// # Errors
/// Those of [`plan`]. Also [`Error::Unshareable`] when files differ in length, are not regular or not in that order, and
/// [`Error::Conflict`] when the filesystem has `resize_inode` or `orphan_file`, which are for one that is written to.
///
/// # Panics
/// When an id in `shared` is another tree's, or the [`Content::data_ranges`] of a file are not as they have to be.
pub fn plan_sharing<'t, C: Content>(
    tree: &'t Tree<C>,
    options: &Options,
    shared: &BTreeMap<InodeId, InodeId>,
) -> Result<Layout<'t, C>, Error> {
    let plan = plan::plan(tree, options, shared)?;
    let filesystem = options.block_size.offset(plan.geometry.blocks);
    let len = match options.size {
        // A rest too short for a block or a group of its own belongs to the image all the same.
        Size::Total { bytes } => bytes.max(filesystem),
        Size::Smallest | Size::Free { .. } | Size::FreePercent(_) => filesystem,
    };
    let descriptors = emit::descriptors(&plan);
    let pieces = emit::pieces(&plan);
    Ok(Layout { plan, descriptors, pieces, len })
}

impl<C> Layout<'_, C> {
    /// What the filesystem has and what of it is free.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let Plan { geometry, placement, inodes, .. } = &self.plan;
        Summary {
            block_size: u32::try_from(geometry.block_size.bytes()).expect("at most 4096"),
            blocks: geometry.blocks,
            free_blocks: placement.free_blocks(geometry),
            available_blocks: room::available(placement, geometry, &self.plan.options),
            inodes: geometry.inodes(),
            free_inodes: geometry.inodes() - inodes.last(),
            groups: geometry.groups(),
            shared_files: u32::try_from(self.plan.sharing.iter().count()).expect("no more than inodes"),
            shared_blocks: self.plan.shared_blocks(),
            sparse_files: self.plan.holes.files,
            hole_blocks: self.plan.holes.blocks,
            journal_blocks: geometry.journal_blocks,
            directories: inodes.directories,
            files: inodes.files(),
        }
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
        emit::render(&self.plan, &self.descriptors, piece, out);
    }
}

/// Pieces, and zeros between them.
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
            None => Source::Rendered { by: self.layout, key: self.next as u64 },
            Some(Data::Target(target)) => Source::Bytes(target),
            Some(Data::Content(content, offset)) => Source::Content { content, offset },
        };
        self.position += piece.len;
        self.next += 1;
        Some(Run { len: piece.len, source })
    }
}
