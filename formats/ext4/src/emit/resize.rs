//! The resize inode: it owns the blocks that are reserved for more group descriptors, so that the
//! filesystem can grow while it is mounted.
//!
//! Its only pointer is the double indirect block. It lists the reserved blocks of group 0, each at
//! the index of its descriptor block; each of those lists the same block of every other copy.

use crate::ondisk::inode::Inode;
use crate::plan::blocks::Placement;
use crate::plan::groups::Geometry;

/// The number of direct blocks before the indirect ones.
const DIRECT: u64 = 12;
/// The offset of the double indirect block in `i_block`, in bytes.
const DOUBLE_INDIRECT_AT: usize = 13 * 4;

/// Fills the inode's size, blocks and pointer.
pub(crate) fn fill_inode(inode: &mut Inode, dind: u64, geometry: &Geometry) {
    let reserve = u64::from(geometry.reserved_gdt_blocks);
    let copies = geometry.backup_groups().len() as u64;
    let addresses = geometry.block_size.addresses();
    inode.set_size(geometry.block_size.offset(DIRECT + addresses + addresses * addresses));
    inode.set_blocks(1 + reserve * copies, geometry.block_size);
    inode.i_block[DOUBLE_INDIRECT_AT..DOUBLE_INDIRECT_AT + 4].copy_from_slice(&address(dind));
}

/// Writes the double indirect block.
pub(crate) fn write_dind(geometry: &Geometry, out: &mut [u8]) {
    let gdt_blocks = u64::from(geometry.gdt_blocks());
    for index in 0..u64::from(geometry.reserved_gdt_blocks) {
        let slot = usize::try_from((gdt_blocks + index) % geometry.block_size.addresses() * 4)
            .expect("within a block");
        out[slot..slot + 4].copy_from_slice(&address(reserved_block(geometry, 0, index)));
    }
}

/// Writes reserved block `index` of group 0.
pub(crate) fn write_reserved(geometry: &Geometry, index: u64, out: &mut [u8]) {
    let copies = geometry.backup_groups().into_iter().skip(1);
    for (group, slot) in copies.zip(out.chunks_exact_mut(4)) {
        slot.copy_from_slice(&address(reserved_block(geometry, group, index)));
    }
}

/// Returns the address of a reserved block in one copy.
fn reserved_block(geometry: &Geometry, group: u32, index: u64) -> u64 {
    geometry.first_block(group) + 1 + u64::from(geometry.gdt_blocks()) + index
}

/// Returns true if the reserved blocks of group 0 list any blocks.
pub(crate) fn has_lists(geometry: &Geometry, placement: &Placement) -> bool {
    placement.resize_dind.is_some() && geometry.groups() > 1
}

fn address(block: u64) -> [u8; 4] {
    u32::try_from(block).expect("the reserve is empty where blocks have more than 32 bits").to_le_bytes()
}
