//! The extent tree (`filesystems/ext4/ifork.rst`, "Extent Tree").

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// `eh_magic`.
pub(crate) const MAGIC: u16 = 0xF30A;
/// The number of entries that fit in `i_block`.
pub(crate) const ROOT_ENTRIES: u64 = 4;
/// The maximum number of blocks of an initialised extent; a greater `ee_len` means uninitialised.
pub(crate) const MAX_LEN: u64 = 32_768;

/// Returns the number of entries that fit in a block with a checksum at its end.
pub(crate) const fn block_entries(block_size: u64) -> u64 {
    (block_size - 12 - 4) / 12
}

/// `struct ext4_extent_header`.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct ExtentHeader {
    pub(crate) eh_magic: U16,
    pub(crate) eh_entries: U16,
    pub(crate) eh_max: U16,
    /// The number of levels below this node: 0 if the entries are extents.
    pub(crate) eh_depth: U16,
    pub(crate) eh_generation: U32,
}

/// `struct ext4_extent`: an entry of a leaf.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct ExtentEntry {
    pub(crate) ee_block: U32,
    pub(crate) ee_len: U16,
    pub(crate) ee_start_hi: U16,
    pub(crate) ee_start_lo: U32,
}

/// `struct ext4_extent_idx`: an entry of an inner node.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct ExtentIndex {
    /// The first logical block of the child.
    pub(crate) ei_block: U32,
    pub(crate) ei_leaf_lo: U32,
    pub(crate) ei_leaf_hi: U16,
    pub(crate) ei_unused: U16,
}

const _: () = assert!(size_of::<ExtentHeader>() == 12);
const _: () = assert!(size_of::<ExtentEntry>() == 12);
const _: () = assert!(size_of::<ExtentIndex>() == 12);
const _: () = assert!(block_entries(4096) == 340);
