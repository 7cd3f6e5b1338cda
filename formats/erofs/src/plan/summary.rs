//! The properties of a plan.

use image_tree::Kind;

use super::data::Data;
use super::{MAX_NARROW_BLOCKS, Plan, packed};
use crate::BlockSize;
use crate::kernel::Need;
use crate::layout::Summary;

/// Returns the properties of a plan.
pub(crate) fn of<C>(plan: &Plan<'_, C>) -> Summary {
    let block_size = plan.options.block_size;
    let count = |count: usize| u32::try_from(count).expect("ids of inodes have 32 bits");
    let inodes = count(plan.inodes.numbers().count());
    let regular = |number: &u32| matches!(plan.tree.get(plan.inodes.get(*number).id).kind, Kind::Regular(_));
    let shared = || {
        plan.inodes.numbers().filter(|number| {
            plan.sharing.first(*number).is_some() && plan.data[*number as usize].blocks() > 0
        })
    };
    let holes = plan.inodes.numbers().filter_map(|number| match &plan.data[number as usize] {
        Data::Chunks(chunks) => {
            Some(plan.inodes.get(number).size.saturating_sub(block_size.offset(chunks.blocks())))
        }
        Data::None | Data::Flat { .. } | Data::Packed(_) => None,
    });
    let inline =
        plan.inodes.numbers().filter(regular).filter(|number| plan.data[*number as usize].tail() > 0);
    let compressed = plan.data.iter().filter(|data| matches!(data, Data::Packed(_)));
    let directories = count(plan.directories.len());
    Summary {
        block_size: u32::try_from(block_size.bytes()).expect("at most 64 KiB"),
        blocks: plan.blocks,
        metadata_blocks: plan.metadata_blocks,
        inodes,
        compact_inodes: count(plan.inodes.all().filter(|inode| !inode.extended).count()),
        directories,
        files: inodes - 1,
        inline_files: count(inline.count()),
        compressed_files: count(compressed.count()),
        shared_files: count(shared().count()),
        shared_blocks: shared().map(|number| plan.data[number as usize].blocks()).sum(),
        sparse_files: count(holes.clone().count()),
        hole_bytes: holes.sum(),
        needs: needs(plan),
    }
}

/// Returns what the kernel needs to have.
pub(crate) fn needs<C>(plan: &Plan<'_, C>) -> Vec<Need> {
    let has_chunks = plan.data.iter().any(|data| matches!(data, Data::Chunks(_)));
    let packed = packed::needs(plan.packed.as_ref());
    let needs = [
        (Need::Erofs, true),
        (Need::Xattrs, !plan.xattrs.is_empty()),
        (Need::Acls, plan.xattrs.has_acls),
        (Need::SecurityXattrs, plan.xattrs.has_security),
        (Need::Chunks, has_chunks),
        (Need::BlockSize, plan.options.block_size != BlockSize::B4096),
        (Need::XattrPrefixes, plan.xattrs.table().0 > 0),
        (Need::WideBlocks, plan.blocks > MAX_NARROW_BLOCKS),
    ];
    let needs = needs.into_iter().filter(|(_, needed)| *needed).map(|(need, _)| need);
    let mut needs: Vec<Need> = needs.chain(packed).collect();
    needs.sort_unstable();
    needs
}
