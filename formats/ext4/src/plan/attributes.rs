//! Inline data and extended attributes of every inode.

pub(crate) mod ea_inodes;
pub(super) mod inline;
mod xattrs;

use std::collections::BTreeMap;

use image_tree::{Content, Kind, Tree};

use super::inodes::Inodes;
use crate::error::Error;
use crate::ondisk::checksum::Checksum;
use crate::ondisk::inode::{IN_INODE_XATTR_SPACE, ROOT_INO};
use crate::options::Options;
use ea_inodes::EaInodes;
use inline::InlineData;
use xattrs::{Room, SharedBlocks, Sorted};

/// Inline data, and extended attributes: in inodes, and in blocks shared by identical sets.
#[derive(Debug)]
pub(crate) struct Xattrs {
    /// Inline data by inode number. The part that does not fit in `i_block` is the xattr
    /// `system.data`.
    pub(crate) inline: BTreeMap<u32, InlineData>,
    /// The bytes at the end of the inode, by inode number.
    pub(crate) in_inode: BTreeMap<u32, Vec<u8>>,
    /// The index of the shared block, by inode number.
    pub(crate) block: BTreeMap<u32, usize>,
    pub(crate) shared: SharedBlocks,
    /// Values in separate inodes.
    pub(crate) ea_inodes: EaInodes,
    /// The number of blocks of these values that count as blocks of the file, by its inode number.
    pub(crate) ea_blocks: BTreeMap<u32, u64>,
}

/// Chooses the files with inline data, and places xattrs.
pub(crate) fn plan_xattrs<C: Content>(
    tree: &Tree<C>,
    inodes: &Inodes,
    options: &Options,
) -> Result<Xattrs, Error> {
    let block_size = options.block_size;
    let ea_inodes = options.features.ea_inode;
    let room = Room { in_inode: IN_INODE_XATTR_SPACE, block: block_size.len(), ea_inodes };
    // If this overflows, there are already too many inodes for any more.
    let first_of_values = inodes.last().saturating_add(1);
    let mut planned = Xattrs {
        inline: BTreeMap::new(),
        in_inode: BTreeMap::new(),
        block: BTreeMap::new(),
        shared: SharedBlocks::new(block_size.len()),
        ea_inodes: EaInodes::new(first_of_values, block_size, checksum_of_uuid(options)),
        ea_blocks: BTreeMap::new(),
    };
    for number in ROOT_INO..=inodes.last() {
        let Some(id) = inodes.id(number) else { continue };
        let inode = tree.get(id);
        let xattrs = &inode.metadata.xattrs;
        let data = if options.features.inline_data { inline::candidate(tree, inodes, id)? } else { None };
        if xattrs.is_empty() && data.is_none() {
            continue;
        }
        let refused = |reason| Error::unrepresentable(tree.path_of(id), reason);
        let mut sorted = None;
        // The value is in the inode once it is placed.
        let divided = data.as_deref().map(InlineData::divide);
        if let Some((own, value)) = divided {
            sorted = xattrs::sort_with_data(xattrs, value, room).map_err(refused)?;
            // e2fsck does not look for the xattr block of a symlink with inline data, and would
            // free it.
            if matches!(inode.kind, Kind::Symlink(_)) {
                sorted = sorted.filter(|sorted| !sorted.has_block());
            }
            if sorted.is_some() {
                planned.inline.insert(number, own);
            }
        }
        let sorted = match sorted {
            Some(sorted) => sorted,
            None => xattrs::sort(xattrs, room).map_err(refused)?,
        };
        planned.place(number, sorted);
    }
    Ok(planned)
}

impl Xattrs {
    /// Places the attributes of an inode.
    fn place(&mut self, number: u32, sorted: Sorted<'_>) {
        let placed = sorted.place(&mut self.ea_inodes);
        if !placed.in_inode.is_empty() {
            self.in_inode.insert(number, placed.in_inode);
        }
        placed.ea_inodes.into_iter().for_each(|number| self.ea_inodes.refer(number));
        if placed.ea_blocks > 0 {
            self.ea_blocks.insert(number, placed.ea_blocks);
        }
        if let Some(block) = placed.block {
            let values = block.ea_inodes().to_vec();
            let before = self.shared.len();
            self.block.insert(number, self.shared.add(block));
            // An existing block already refers to its values.
            if self.shared.len() > before {
                values.into_iter().for_each(|number| self.ea_inodes.refer(number));
            }
        }
    }
}

/// Returns the seed of checksums, and of hashes of xattr values in inodes, which exist even without
/// checksums.
pub(crate) fn checksum_of_uuid(options: &Options) -> Checksum {
    Checksum::of_filesystem(options.uuid.as_bytes())
}
