//! The planned filesystem as an image.

use image_runs::{Image, Render, Run, Source};
use image_tree::{Content, Tree};

use crate::emit::{self, Data, Piece};
use crate::error::Error;
use crate::options::{Options, Size};
use crate::plan::{self, Plan};

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
    /// Blocks that nothing uses.
    pub free_blocks: u64,
    /// All inodes.
    pub inodes: u32,
    /// Inodes that no file uses.
    pub free_inodes: u32,
    /// Block groups.
    pub groups: u32,
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
pub fn plan<'t, C: Content>(tree: &'t Tree<C>, options: &Options) -> Result<Layout<'t, C>, Error> {
    let plan = plan::plan(tree, options)?;
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
            inodes: geometry.inodes(),
            free_inodes: geometry.inodes() - inodes.last(),
            groups: geometry.groups(),
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
