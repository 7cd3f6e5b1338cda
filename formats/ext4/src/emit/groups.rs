//! Group descriptors and bitmaps.

use std::ops::Range;

use zerocopy::FromZeros;

use crate::ondisk::checksum::Checksum;
use crate::ondisk::group_desc::{BLOCK_UNINIT, GroupDesc, INODE_UNINIT, INODE_ZEROED};
use crate::ondisk::inode::words;
use crate::plan::Plan;

/// Returns the descriptors of all groups as bytes.
pub(crate) fn descriptors<C>(plan: &Plan<'_, C>) -> Vec<u8> {
    let desc_size = desc_size(plan);
    let mut bytes = vec![0; plan.geometry.groups() as usize * desc_size];
    let mut bitmaps = Bitmaps::new(plan);
    for (group, out) in (0..).zip(bytes.chunks_exact_mut(desc_size)) {
        bitmaps.descriptor(group).seal_into(bitmaps.seed, group, out);
    }
    bytes
}

/// Returns the size of a descriptor in bytes.
pub(crate) fn desc_size<C>(plan: &Plan<'_, C>) -> usize {
    usize::try_from(plan.geometry.desc_size).expect("32 or 64")
}

/// Returns true if no block of the group is in use, so that its bitmap need not be written: it is
/// all zeros.
///
/// The bitmap of the last group is always written, for the bits beyond the end of the filesystem.
pub(crate) fn is_block_uninit<C>(plan: &Plan<'_, C>, group: u32) -> bool {
    let whole = 0..plan.geometry.block_size.blocks_per_group();
    group + 1 < plan.geometry.groups() && plan.placement.free_in(&plan.geometry, group).eq([whole])
}

/// Returns the number of inodes of a group in use: its first ones.
pub(crate) fn used_inodes<C>(plan: &Plan<'_, C>, group: u32) -> u32 {
    let per_group = plan.geometry.inodes_per_group;
    plan.inodes.last().saturating_sub(group * per_group).min(per_group)
}

/// Writes a group's block bitmap: bits of blocks that are free are 0, those beyond the end are 1.
pub(crate) fn write_block_bitmap<C>(plan: &Plan<'_, C>, group: u32, out: &mut [u8]) {
    out.fill(0xff);
    for free in plan.placement.free_in(&plan.geometry, group) {
        clear(out, free);
    }
}

/// Writes a group's inode bitmap: bits of inodes that are free are 0, those beyond the group's
/// inodes are 1.
pub(crate) fn write_inode_bitmap<C>(plan: &Plan<'_, C>, group: u32, out: &mut [u8]) {
    out.fill(0xff);
    let used = u64::from(used_inodes(plan, group));
    clear(out, used..u64::from(plan.geometry.inodes_per_group));
}

/// Clears a range of bits, which must be within the bitmap.
fn clear(bitmap: &mut [u8], bits: Range<u64>) {
    let split = |bit: u64| (usize::try_from(bit / 8).expect("a group's bits fit in memory"), bit % 8);
    let ((first, from), (last, to)) = (split(bits.start), split(bits.end));
    let keep_low = |bits: u64| (1u8 << bits) - 1;
    if first == last {
        bitmap[first] &= keep_low(from) | !keep_low(to);
    } else {
        bitmap[first] &= keep_low(from);
        bitmap[first + 1..last].fill(0);
        if to > 0 {
            bitmap[last] &= !keep_low(to);
        }
    }
}

struct Bitmaps<'p, 't, C> {
    plan: &'p Plan<'t, C>,
    seed: Checksum,
    buffer: Vec<u8>,
    /// The checksum of the bitmap of a group without a free block, as most groups of a full
    /// filesystem are.
    full: Checksum,
}

impl<'p, 't, C> Bitmaps<'p, 't, C> {
    fn new(plan: &'p Plan<'t, C>) -> Self {
        let seed = plan.checksum_seed();
        let buffer = vec![0xff; plan.options.block_size.len()];
        Self { plan, seed, full: seed.update(&buffer), buffer }
    }

    fn descriptor(&mut self, group: u32) -> GroupDesc {
        let Plan { geometry, placement, .. } = self.plan;
        let places = &placement.groups[group as usize];
        let used_inodes = used_inodes(self.plan, group);
        let free_inodes = geometry.inodes_per_group - used_inodes;
        let free_blocks: u64 = placement.free_in(geometry, group).map(|range| range.end - range.start).sum();
        let mut desc = GroupDesc::new_zeroed();
        (desc.bg_block_bitmap_lo, desc.bg_block_bitmap_hi) = words(places.block_bitmap);
        (desc.bg_inode_bitmap_lo, desc.bg_inode_bitmap_hi) = words(places.inode_bitmap);
        (desc.bg_inode_table_lo, desc.bg_inode_table_hi) = words(places.inode_table);
        // A group has at most 32,768 of each, so the high halves stay 0.
        desc.bg_free_blocks_count_lo = u16::try_from(free_blocks).expect("at most 32,768").into();
        desc.bg_free_inodes_count_lo = u16::try_from(free_inodes).expect("at most 32,768").into();
        desc.bg_used_dirs_count_lo = u16::try_from(self.directories(group)).expect("at most 32,768").into();

        // Flags, and the omissions they allow, are valid only if the descriptor has a checksum.
        let has_flags = self.plan.options.features.metadata_csum;
        if has_flags {
            desc.bg_flags = INODE_ZEROED.into();
            desc.bg_itable_unused_lo = desc.bg_free_inodes_count_lo;
        }
        if has_flags && is_block_uninit(self.plan, group) {
            desc.bg_flags = (desc.bg_flags.get() | BLOCK_UNINIT).into();
        } else {
            let checksum = self.block_bitmap_checksum(group, free_blocks);
            desc.bg_block_bitmap_csum_lo = checksum.low().into();
            desc.bg_block_bitmap_csum_hi = checksum.high().into();
        }
        if has_flags && used_inodes == 0 {
            desc.bg_flags = (desc.bg_flags.get() | INODE_UNINIT).into();
        } else {
            write_inode_bitmap(self.plan, group, &mut self.buffer);
            let checksum = self.seed.update(&self.buffer[..geometry.inodes_per_group as usize / 8]);
            desc.bg_inode_bitmap_csum_lo = checksum.low().into();
            desc.bg_inode_bitmap_csum_hi = checksum.high().into();
        }
        desc
    }

    fn block_bitmap_checksum(&mut self, group: u32, free_blocks: u64) -> Checksum {
        if free_blocks == 0 {
            return self.full;
        }
        write_block_bitmap(self.plan, group, &mut self.buffer);
        self.seed.update(&self.buffer)
    }

    /// Returns the number of directories with their inode in a group.
    fn directories(&self, group: u32) -> usize {
        let first = u64::from(group) * u64::from(self.plan.geometry.inodes_per_group) + 1;
        let end = first + u64::from(self.plan.geometry.inodes_per_group);
        let before = |number: u64| {
            self.plan.directories.partition_point(|directory| u64::from(directory.number) < number)
        };
        before(end) - before(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_bits_are_cleared_and_no_others() {
        for (from, to) in [(0, 0), (0, 1), (3, 5), (7, 8), (8, 16), (5, 20), (0, 64), (63, 64), (9, 9)] {
            let mut bitmap = [0xff; 8];
            clear(&mut bitmap, from..to);
            let bits = u64::from_le_bytes(bitmap);
            for bit in 0..64 {
                assert_eq!(bits >> bit & 1 == 0, (from..to).contains(&bit), "bit {bit} of {from}..{to}");
            }
        }
    }
}
