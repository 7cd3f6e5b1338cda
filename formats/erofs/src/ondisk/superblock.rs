//! `struct erofs_super_block`.

use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// The offset of the superblock, in bytes. The bytes before are free for boot loaders.
pub(crate) const OFFSET: u64 = 1024;
/// The length of the superblock, in bytes.
pub(crate) const LEN: u64 = size_of::<Superblock>() as u64;
/// `magic`.
pub(crate) const MAGIC: u32 = 0xE0F5_E1E2;

/// The superblock.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Superblock {
    pub(crate) magic: U32,
    /// crc32c from the superblock to the end of its block, with this field 0.
    pub(crate) checksum: U32,
    pub(crate) feature_compat: U32,
    /// The binary logarithm of the block size.
    pub(crate) blkszbits: u8,
    /// The number of 16-byte slots behind this structure.
    pub(crate) sb_extslots: u8,
    /// The root's nid, or with 48-bit addresses the upper bits of the number of blocks.
    pub(crate) rb: U16,
    pub(crate) inos: U64,
    /// The time of compact inodes, in seconds since 1970.
    pub(crate) epoch: I64,
    /// The nanoseconds of that time.
    pub(crate) fixed_nsec: U32,
    pub(crate) blocks_lo: U32,
    pub(crate) meta_blkaddr: U32,
    pub(crate) xattr_blkaddr: U32,
    pub(crate) uuid: [u8; 16],
    pub(crate) volume_name: [u8; 16],
    pub(crate) feature_incompat: U32,
    /// The bitmap of algorithms, or the maximum distance of lz4.
    pub(crate) u1: U16,
    pub(crate) extra_devices: U16,
    pub(crate) devt_slotoff: U16,
    pub(crate) dirblkbits: u8,
    pub(crate) xattr_prefix_count: u8,
    /// The offset of the table of prefixes, in units of 4 bytes.
    pub(crate) xattr_prefix_start: U32,
    pub(crate) packed_nid: U64,
    pub(crate) xattr_filter_reserved: u8,
    pub(crate) reserved: [u8; 3],
    /// The time of the build, in seconds since `epoch`.
    pub(crate) build_time: U32,
    pub(crate) rootnid_8b: U64,
    pub(crate) reserved2: U64,
}

const _: () = assert!(LEN == 128);

/// Returns the checksum of the bytes from the superblock on, in which the field is 0.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    // The crc32c crate inverts before and after; EROFS does neither.
    !crc32c::crc32c(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_begins_as_that_of_erofs_utils() {
        let mut start = MAGIC.to_le_bytes().to_vec();
        start.extend_from_slice(&[0; 4]);
        assert_eq!(checksum(&start), 0x5045_B54A);
    }
}
