//! What the bytes are: structures named and laid out as the kernel's documentation has them.

pub(crate) mod acl;
pub(crate) mod checksum;
pub(crate) mod dir_entry;
pub(crate) mod extent;
pub(crate) mod features;
pub(crate) mod group_desc;
pub(crate) mod htree;
pub(crate) mod inode;
pub(crate) mod jbd2;
pub(crate) mod superblock;
pub(crate) mod xattr;

/// Bytes of a block.
pub(crate) const BLOCK_SIZE: u64 = 4096;
/// [`BLOCK_SIZE`] for lengths in memory.
pub(crate) const BLOCK_LEN: usize = 4096;
const _: () = assert!(BLOCK_LEN as u64 == BLOCK_SIZE);
/// Blocks of a group: as many as a block has bits.
pub(crate) const BLOCKS_PER_GROUP: u64 = BLOCK_SIZE * 8;
/// Inodes of a block of an inode table.
pub(crate) const INODES_PER_BLOCK: u64 = BLOCK_SIZE / 256;
/// Group descriptors of a block.
pub(crate) const DESCS_PER_BLOCK: u64 = BLOCK_SIZE / 64;
