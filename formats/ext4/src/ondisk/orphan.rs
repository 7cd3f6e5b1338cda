//! The orphan file, in which the kernel lists inodes to be deleted or truncated after a crash
//! (`filesystems/ext4/orphan.rst`).
//!
//! ```text
//! block:  inode number, inode number, … 0 where free │ ob_magic │ ob_checksum
//! ```

use zerocopy::little_endian::U32;
use zerocopy::{Immutable, IntoBytes};

use super::checksum::Checksum;

/// The inode of the orphan file: the first free one when mke2fs creates it. It is stored in
/// `s_orphan_file_inum`.
pub(crate) const ORPHAN_FILE_INO: u32 = super::inode::FIRST_INO + 1;
/// `ob_magic`.
const EXT4_ORPHAN_BLOCK_MAGIC: u32 = 0x0B10_CA04;

/// `struct ext4_orphan_block_tail`: the last 8 bytes of each block of the orphan file.
#[derive(Clone, Copy, Immutable, IntoBytes)]
#[repr(C)]
struct OrphanBlockTail {
    /// [`EXT4_ORPHAN_BLOCK_MAGIC`].
    ob_magic: U32,
    /// Checksum of the block's number in the filesystem and of all entries, chained to the file's
    /// inode.
    ob_checksum: U32,
}
const _: () = assert!(size_of::<OrphanBlockTail>() == 8);

/// Writes a block that lists no inode into `out`, which is zeroed. `seed` is the checksum seed of
/// the file's inode.
pub(crate) fn write_empty_block(out: &mut [u8], block_number: u64, seed: Checksum) {
    let (entries, tail) = out.split_at_mut(out.len() - size_of::<OrphanBlockTail>());
    let checksum = seed.update(&block_number.to_le_bytes()).update(entries);
    let fields =
        OrphanBlockTail { ob_magic: EXT4_ORPHAN_BLOCK_MAGIC.into(), ob_checksum: checksum.value().into() };
    tail.copy_from_slice(fields.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_known_bytes() {
        let mut block = [0; 1024];
        write_empty_block(&mut block, 0x0102_0304_0506, Checksum::START);
        assert!(block[..1016].iter().all(|byte| *byte == 0));
        assert_eq!(block[1016..1020], *b"\x04\xca\x10\x0b");
        let covered = [&b"\x06\x05\x04\x03\x02\x01\0\0"[..], &[0; 1016]].concat();
        assert_eq!(block[1020..], Checksum::START.update(&covered).value().to_le_bytes());
    }
}
