//! `struct erofs_inode_compact` and `struct erofs_inode_extended`.

use image_tree::Device;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// The unit of inode numbers, in bytes: an inode begins at `meta_blkaddr` and a multiple of it.
pub(crate) const SLOT: u64 = 32;
/// The length of a compact inode, in bytes.
pub(crate) const COMPACT_LEN: u64 = size_of::<Compact>() as u64;
/// The length of an extended inode, in bytes.
pub(crate) const EXTENDED_LEN: u64 = size_of::<Extended>() as u64;
/// `i_u` of a file without blocks.
pub(crate) const NO_BLOCK: u32 = u32::MAX;
/// The number of bits of a minor number.
const MINOR_BITS: u32 = 20;
/// The number of bits of a major number.
const MAJOR_BITS: u32 = 12;

/// The form in which the data of an inode is stored: bits 1 to 3 of `i_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataLayout {
    /// Consecutive blocks.
    FlatPlain = 0,
    /// Compressed, with a map of 8 bytes for each block.
    CompressedFull = 1,
    /// Consecutive blocks, and the tail behind the inode.
    FlatInline = 2,
    /// Compressed, with a map of 2 to 4 bytes for each block.
    CompressedCompact = 3,
    /// Chunks of equal length.
    Chunks = 4,
}

/// Returns `i_format`.
pub(crate) const fn format(layout: DataLayout, extended: bool) -> u16 {
    (layout as u16) << 1 | extended as u16
}

/// An inode with 32-bit length, 16-bit owners, and the time of the superblock.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Compact {
    pub(crate) i_format: U16,
    pub(crate) i_xattr_icount: U16,
    pub(crate) i_mode: U16,
    pub(crate) i_nlink: U16,
    pub(crate) i_size: U32,
    pub(crate) i_mtime: U32,
    pub(crate) i_u: U32,
    pub(crate) i_ino: U32,
    pub(crate) i_uid: U16,
    pub(crate) i_gid: U16,
    pub(crate) i_reserved: U32,
}

/// An inode that holds every value.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Extended {
    pub(crate) i_format: U16,
    pub(crate) i_xattr_icount: U16,
    pub(crate) i_mode: U16,
    /// The upper bits of the first block, with 48-bit addresses.
    pub(crate) i_nb: U16,
    pub(crate) i_size: U64,
    pub(crate) i_u: U32,
    pub(crate) i_ino: U32,
    pub(crate) i_uid: U32,
    pub(crate) i_gid: U32,
    pub(crate) i_mtime: I64,
    pub(crate) i_mtime_nsec: U32,
    pub(crate) i_nlink: U32,
    pub(crate) i_reserved: [u8; 16],
}

const _: () = assert!(COMPACT_LEN == 32 && EXTENDED_LEN == 64);

/// Returns `i_u` of a device; `None` if a number has too many bits.
pub(crate) fn device(device: Device) -> Option<u32> {
    let Device { major, minor } = device;
    let fits = major < 1 << MAJOR_BITS && minor < 1 << MINOR_BITS;
    fits.then_some(minor & 0xff | major << 8 | (minor & !0xff) << 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_encoded_as_the_kernel_decodes_them() {
        let encode = |major, minor| device(Device { major, minor });
        assert_eq!(encode(1, 3), Some(0x103));
        assert_eq!(encode(0xabc, 0x12345), Some(0x123a_bc45));
        assert_eq!(encode(4095, 1_048_575), Some(u32::MAX));
        assert_eq!((encode(4096, 0), encode(0, 1_048_576)), (None, None));
    }

    #[test]
    fn formats_have_the_layout_above_the_version() {
        assert_eq!(format(DataLayout::FlatPlain, false), 0);
        assert_eq!(format(DataLayout::FlatInline, true), 5);
        assert_eq!(format(DataLayout::Chunks, false), 8);
    }
}
