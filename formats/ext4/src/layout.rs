//! The planned filesystem as an image.

use std::collections::BTreeMap;

use image_runs::{Image, Render, Run, Source};
use image_tree::{Content, InodeId, Tree};

use crate::emit::{self, Data, Piece};
use crate::error::Error;
use crate::options::{Options, Size};
use crate::plan::size::free_space;
use crate::plan::{self, Plan};

/// A planned ext4 filesystem: the offset of every byte is known, and no byte has been written.
#[derive(Debug)]
pub struct Layout<'t, C> {
    plan: Plan<'t, C>,
    descriptors: Vec<u8>,
    pieces: Vec<Piece>,
    len: u64,
}

/// The total and free resources of a planned filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The block size, in bytes.
    pub block_size: u32,
    /// The number of blocks.
    pub blocks: u64,
    /// The number of unused blocks: `f_bfree` of statfs.
    pub free_blocks: u64,
    /// The number of free blocks available to unprivileged users after mounting: `f_bavail` of
    /// statfs. The kernel withholds a 50th of all blocks or 4096, whichever is less, and
    /// [`Options::reserved_percent`] are reserved for root.
    pub available_blocks: u64,
    /// The number of inodes.
    pub inodes: u32,
    /// The number of unused inodes.
    pub free_inodes: u32,
    /// The number of block groups.
    pub groups: u32,
    /// The number of files that share the blocks of another.
    pub shared_files: u32,
    /// The number of blocks saved by sharing.
    pub shared_blocks: u64,
    /// The number of files with holes.
    pub sparse_files: u32,
    /// The number of blocks in holes, which are not included in [`Summary::blocks`].
    pub hole_blocks: u64,
    /// The number of blocks of the journal; 0 for none.
    pub journal_blocks: u32,
    /// The number of directories, including `lost+found`.
    pub directories: u32,
    /// The number of files of every kind, independent of the number of their names, without the
    /// root and `lost+found`.
    pub files: u32,
}

/// Plans a filesystem of `tree`, and returns the same layout for the same tree and options. It
/// reads no file, except, with [`Features::inline_data`](crate::Features::inline_data), those short
/// enough to be stored in their inodes: checksums of inodes cover this data.
///
/// # Errors
/// Returns an error if ext4 cannot represent a file of the tree, the options are not valid for it,
/// or a file for inline data cannot be read.
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
/// A filesystem with shared blocks has `RO_COMPAT_SHARED_BLOCKS`, a feature of e2fsprogs. Linux
/// does not support it, and so mounts the filesystem read-only; `e2fsck -E unshare_blocks`
/// duplicates the blocks, if enough are free. Without shared blocks the layout is that of [`plan`].
///
/// # Errors
/// The errors of [`plan`]. Also [`Error::Unshareable`] if files differ in length, are not regular
/// or not in that order, and [`Error::Conflict`] if the filesystem has `resize_inode` or
/// `orphan_file`, which are only useful if it is writable.
///
/// # Panics
/// Panics if an id in `shared` belongs to another tree, or the [`Content::data_ranges`] of a file
/// are invalid.
pub fn plan_sharing<'t, C: Content>(
    tree: &'t Tree<C>,
    options: &Options,
    shared: &BTreeMap<InodeId, InodeId>,
) -> Result<Layout<'t, C>, Error> {
    let plan = plan::plan(tree, options, shared)?;
    let filesystem = options.block_size.offset(plan.geometry.blocks);
    let len = match options.size {
        // A remainder too short for a block or a group is part of the image too.
        Size::Total { bytes } => bytes.max(filesystem),
        Size::Smallest | Size::Free { .. } | Size::FreePercent(_) => filesystem,
    };
    let descriptors = emit::descriptors(&plan);
    let pieces = emit::pieces(&plan);
    Ok(Layout { plan, descriptors, pieces, len })
}

impl<C> Layout<'_, C> {
    /// Returns the total and free resources of the filesystem.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let Plan { geometry, placement, inodes, .. } = &self.plan;
        Summary {
            block_size: u32::try_from(geometry.block_size.bytes()).expect("at most 4096"),
            blocks: geometry.blocks,
            free_blocks: placement.free_blocks(geometry),
            available_blocks: free_space::available(placement, geometry, &self.plan.options),
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
            None => Source::Rendered { by: self.layout, key: self.next as u64 },
            Some(Data::Target(target)) => Source::Bytes(target),
            Some(Data::Content(content, offset)) => Source::Content { content, offset },
        };
        self.position += piece.len;
        self.next += 1;
        Some(Run { len: piece.len, source })
    }
}
