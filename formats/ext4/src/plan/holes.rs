//! The number of blocks in holes.

use image_tree::{Content, Kind, Tree};

use super::attributes::Xattrs;
use super::blocks::Placement;
use super::data::blocks_of;
use super::inodes::Inodes;
use crate::Options;

/// The holes of the files of a filesystem.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holes {
    /// The number of files with holes.
    pub(crate) files: u32,
    /// The number of their blocks in holes.
    pub(crate) blocks: u64,
}

impl Holes {
    pub(crate) fn of<C: Content>(
        tree: &Tree<C>,
        inodes: &Inodes,
        xattrs: &Xattrs,
        placement: &Placement,
        options: &Options,
    ) -> Self {
        let mut holes = Self::default();
        for number in 1..=inodes.last() {
            let Some(Kind::Regular(content)) = inodes.id(number).map(|id| &tree.get(id).kind) else {
                continue;
            };
            if xattrs.inline.contains_key(&number) {
                continue;
            }
            let allocated: u64 = placement.extents(number).iter().map(|extent| u64::from(extent.len)).sum();
            let missing = u64::from(blocks_of(content, options.block_size)) - allocated;
            holes.files += u32::from(missing > 0);
            holes.blocks += missing;
        }
        holes
    }
}
