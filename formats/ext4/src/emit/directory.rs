//! The blocks of a directory.

use zerocopy::IntoBytes;
use zerocopy::little_endian::U32;

use crate::ondisk::checksum::Checksum;
use crate::ondisk::dir_entry::{DOT_REC_LEN, FileType, write_entries, write_entry, write_tail};
use crate::ondisk::htree::{
    DX_HASH_HALF_MD4, DxEntry, DxRootInfo, NODE_HEADER_LEN, ROOT_HEADER_LEN, write_index,
};
use crate::plan::directories::{Block, DirectoryPlan};

/// Writes block `block_index` of a directory into `out`, which is one zeroed block. `inode_seed` is
/// the checksum seed of the directory's inode.
///
/// # Panics
/// Panics if the directory does not have this block, or `out` is not a block.
pub(crate) fn render_block(
    plan: &DirectoryPlan<'_>,
    own_inode: u32,
    parent_inode: u32,
    inode_seed: Checksum,
    block_index: u32,
    out: &mut [u8],
) {
    assert_eq!(out.len(), plan.block_size(), "a directory is written block by block");
    let index_entries = plan
        .index_entries(block_index)
        .map(|entry| DxEntry { hash: U32::new(entry.key), block: U32::new(entry.block) });
    match plan.block(block_index) {
        Block::Entries { dots, entries } => {
            let room = &mut out[..plan.block_capacity()];
            match (dots, entries) {
                (true, []) => write_dots(room, own_inode, parent_inode),
                (true, _) => {
                    let (dots, rest) = room.split_at_mut(2 * DOT_REC_LEN);
                    write_dots(dots, own_inode, parent_inode);
                    write_entries(rest, entries);
                }
                (false, _) => write_entries(room, entries),
            }
            write_tail(out, inode_seed);
        }
        Block::Root { indirect_levels } => {
            // `..` extends to the end of the block, so that readers without support for the index
            // skip it.
            write_dots(out, own_inode, parent_inode);
            let info = DxRootInfo {
                reserved_zero: U32::ZERO,
                hash_version: DX_HASH_HALF_MD4,
                info_length: 8,
                indirect_levels,
                unused_flags: 0,
            };
            out[2 * DOT_REC_LEN..ROOT_HEADER_LEN].copy_from_slice(info.as_bytes());
            write_index(out, ROOT_HEADER_LEN, index_entries, inode_seed);
        }
        Block::Node => {
            write_entry(out, 0, FileType::UNKNOWN, b"");
            write_index(out, NODE_HEADER_LEN, index_entries, inode_seed);
        }
    }
}

/// Writes `.` and `..`, the latter extending to the end of `room`.
fn write_dots(room: &mut [u8], own_inode: u32, parent_inode: u32) {
    let (own, parent) = room.split_at_mut(DOT_REC_LEN);
    write_entry(own, own_inode, FileType::DIR, b".");
    write_entry(parent, parent_inode, FileType::DIR, b"..");
}

#[cfg(test)]
mod tests;
