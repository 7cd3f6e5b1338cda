//! Blocks of directories.

use crate::ondisk::dirent::{Entry, write_block};
use crate::plan::Plan;
use crate::plan::directories::entries;

/// Writes blocks of a directory, from the given one on; the last may be shorter.
pub(crate) fn write_blocks<C>(plan: &Plan<'_, C>, number: u32, first: usize, out: &mut [u8]) {
    let directory = &plan.directories[&number];
    let names = entries(plan.tree, &plan.inodes, number);
    for (block, out) in (first..).zip(out.chunks_mut(plan.options.block_size.len())) {
        let names = names[directory.block(block, names.len())].iter();
        let entries = names.map(|(name, number)| Entry {
            nid: plan.nid(*number),
            file_type: plan.tree.get(plan.inodes.get(*number).id).kind.file_type(),
            name,
        });
        write_block(entries, out);
    }
}
