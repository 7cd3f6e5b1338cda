//! `struct ext4_group_desc` (`filesystems/ext4/group_descr.rst`): 64 bytes, of which only the first
//! 32 exist without the feature `64bit`.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromZeros, Immutable, IntoBytes};

use super::checksum::Checksum;

/// `bg_flags`: no inode of the group is in use, so its inode bitmap is not read.
pub(crate) const INODE_UNINIT: u16 = 0x1;
/// `bg_flags`: no block of the group is in use, so its block bitmap is not read.
pub(crate) const BLOCK_UNINIT: u16 = 0x2;
/// `bg_flags`: the unused part of the inode table is zeroed, so the kernel need not initialise it.
pub(crate) const INODE_ZEROED: u16 = 0x4;

/// One group descriptor, little-endian.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct GroupDesc {
    pub(crate) bg_block_bitmap_lo: U32,
    pub(crate) bg_inode_bitmap_lo: U32,
    pub(crate) bg_inode_table_lo: U32,
    pub(crate) bg_free_blocks_count_lo: U16,
    pub(crate) bg_free_inodes_count_lo: U16,
    pub(crate) bg_used_dirs_count_lo: U16,
    pub(crate) bg_flags: U16,
    pub(crate) bg_exclude_bitmap_lo: U32,
    pub(crate) bg_block_bitmap_csum_lo: U16,
    pub(crate) bg_inode_bitmap_csum_lo: U16,
    /// The number of inodes at the end of the group that were never used.
    pub(crate) bg_itable_unused_lo: U16,
    pub(crate) bg_checksum: U16,
    pub(crate) bg_block_bitmap_hi: U32,
    pub(crate) bg_inode_bitmap_hi: U32,
    pub(crate) bg_inode_table_hi: U32,
    pub(crate) bg_free_blocks_count_hi: U16,
    pub(crate) bg_free_inodes_count_hi: U16,
    pub(crate) bg_used_dirs_count_hi: U16,
    pub(crate) bg_itable_unused_hi: U16,
    pub(crate) bg_exclude_bitmap_hi: U32,
    pub(crate) bg_block_bitmap_csum_hi: U16,
    pub(crate) bg_inode_bitmap_csum_hi: U16,
    pub(crate) bg_reserved: U32,
}

const _: () = assert!(size_of::<GroupDesc>() == 64);
const _: () = assert!(std::mem::offset_of!(GroupDesc, bg_checksum) == 0x1E);

impl GroupDesc {
    /// Fills `bg_checksum`, the low half of the crc32c of the group number and the descriptor, and
    /// writes the descriptor to `out`, which may hold only its first 32 bytes.
    pub(crate) fn seal_into(mut self, filesystem: Checksum, group: u32, out: &mut [u8]) {
        self.bg_checksum = 0.into();
        let covered = &self.as_bytes()[..out.len()];
        self.bg_checksum = filesystem.update(&group.to_le_bytes()).update(covered).low().into();
        out.copy_from_slice(&self.as_bytes()[..out.len()]);
    }
}
