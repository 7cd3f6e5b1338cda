//! `struct ext4_inode` of 256 bytes (`filesystems/ext4/inodes.rst`).

use image_tree::{Device, Timestamp};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromZeros, Immutable, IntoBytes};

use super::checksum::Checksum;
use crate::BlockSize;

/// The inode number of the root directory.
pub(crate) const ROOT_INO: u32 = 2;
/// The inode that owns the blocks reserved for more group descriptors.
pub(crate) const RESIZE_INO: u32 = 7;
/// The inode number of the journal.
pub(crate) const JOURNAL_INO: u32 = 8;
/// `s_first_ino`, which is `lost+found` by convention.
pub(crate) const FIRST_INO: u32 = 11;

/// `i_flags`: a directory with a hash index.
pub(crate) const INDEX_FL: u32 = 0x1000;
/// `i_flags`: `i_blocks` counts filesystem blocks, not 512-byte sectors.
pub(crate) const HUGE_FILE_FL: u32 = 0x4_0000;
/// `i_flags`: `i_block` is the root of an extent tree.
pub(crate) const EXTENTS_FL: u32 = 0x8_0000;

/// `i_flags`: the data is the value of an extended attribute of other inodes.
pub(crate) const EA_INODE_FL: u32 = 0x20_0000;
/// `i_flags`: the data is in `i_block` and in the xattr `system.data`.
pub(crate) const INLINE_DATA_FL: u32 = 0x1000_0000;

/// The size of the fields beyond the first 128 bytes of the inode; xattrs follow.
pub(crate) const EXTRA_ISIZE: u16 = 32;
/// The space for xattrs in the inode, in bytes.
pub(crate) const IN_INODE_XATTR_SPACE: usize = 256 - 128 - 32;
/// The maximum `i_links_count`. A directory with more has 1 (`dir_nlink`).
pub(crate) const LINK_MAX: u64 = 65_000;
/// The maximum length of a target in `i_block`, which also holds its NUL; longer ones have a block.
pub(crate) const FAST_SYMLINK_MAX: usize = 59;

/// The minimum time in seconds: 32 bits, signed.
pub(crate) const TIME_MIN: i64 = i32::MIN as i64;
/// The maximum time in seconds: two epoch bits extend the 32 bits upwards.
pub(crate) const TIME_MAX: i64 = i32::MAX as i64 + (3 << 32);

/// One inode, little-endian.
#[derive(Clone, FromZeros, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Inode {
    pub(crate) i_mode: U16,
    pub(crate) i_uid: U16,
    pub(crate) i_size_lo: U32,
    pub(crate) i_atime: U32,
    pub(crate) i_ctime: U32,
    pub(crate) i_mtime: U32,
    pub(crate) i_dtime: U32,
    pub(crate) i_gid: U16,
    pub(crate) i_links_count: U16,
    pub(crate) i_blocks_lo: U32,
    pub(crate) i_flags: U32,
    pub(crate) i_version: U32,
    pub(crate) i_block: [u8; 60],
    pub(crate) i_generation: U32,
    pub(crate) i_file_acl_lo: U32,
    pub(crate) i_size_high: U32,
    pub(crate) i_obso_faddr: U32,
    pub(crate) i_blocks_high: U16,
    pub(crate) i_file_acl_high: U16,
    pub(crate) i_uid_high: U16,
    pub(crate) i_gid_high: U16,
    pub(crate) i_checksum_lo: U16,
    pub(crate) i_reserved: U16,
    pub(crate) i_extra_isize: U16,
    pub(crate) i_checksum_hi: U16,
    pub(crate) i_ctime_extra: U32,
    pub(crate) i_mtime_extra: U32,
    pub(crate) i_atime_extra: U32,
    pub(crate) i_crtime: U32,
    pub(crate) i_crtime_extra: U32,
    pub(crate) i_version_hi: U32,
    pub(crate) i_projid: U32,
    /// `ext4_xattr_ibody_header` and the entries after it, or zeros.
    pub(crate) xattrs: [u8; IN_INODE_XATTR_SPACE],
}

const _: () = assert!(size_of::<Inode>() == 256);
const _: () = assert!(std::mem::offset_of!(Inode, i_block) == 0x28);
const _: () = assert!(std::mem::offset_of!(Inode, i_checksum_lo) == 0x7C);
const _: () = assert!(std::mem::offset_of!(Inode, xattrs) == 128 + EXTRA_ISIZE as usize);

impl Inode {
    /// Sets all four times: the times of access, change and creation equal the mtime.
    pub(crate) fn set_times(&mut self, time: Timestamp) {
        let (seconds, extra) = encode_time(time);
        for field in [&mut self.i_atime, &mut self.i_ctime, &mut self.i_mtime, &mut self.i_crtime] {
            *field = seconds.into();
        }
        let extras = [
            &mut self.i_atime_extra,
            &mut self.i_ctime_extra,
            &mut self.i_mtime_extra,
            &mut self.i_crtime_extra,
        ];
        for field in extras {
            *field = extra.into();
        }
    }

    /// Sets owner and group, which have separate fields for the high halves.
    pub(crate) fn set_owner(&mut self, uid: u32, gid: u32) {
        (self.i_uid, self.i_uid_high) = halves(uid);
        (self.i_gid, self.i_gid_high) = halves(gid);
    }

    /// Sets the length in bytes.
    pub(crate) fn set_size(&mut self, bytes: u64) {
        (self.i_size_lo, self.i_size_high) = words(bytes);
    }

    /// Sets the number of filesystem blocks in use, counted in 512-byte sectors if that fits in 48
    /// bits.
    pub(crate) fn set_blocks(&mut self, blocks: u64, block_size: BlockSize) {
        let sectors = block_size.offset(blocks) / 512;
        let count = if sectors >> 48 == 0 {
            sectors
        } else {
            self.i_flags = (self.i_flags.get() | HUGE_FILE_FL).into();
            blocks
        };
        let (low, high) = words(count);
        self.i_blocks_lo = low;
        self.i_blocks_high = halves(high.get()).0;
    }

    /// Sets the block of extended attributes.
    pub(crate) fn set_file_acl(&mut self, block: u64) {
        let (low, high) = words(block);
        self.i_file_acl_lo = low;
        self.i_file_acl_high = halves(high.get()).0;
    }

    /// Fills both halves of the checksum: crc32c of the inode's number, its generation and itself.
    pub(crate) fn seal(&mut self, filesystem: Checksum, number: u32) {
        (self.i_checksum_lo, self.i_checksum_hi) = (0.into(), 0.into());
        let checksum = filesystem.of_inode(number, self.i_generation.get()).update(self.as_bytes());
        self.i_checksum_lo = checksum.low().into();
        self.i_checksum_hi = checksum.high().into();
    }
}

/// Returns the seconds modulo 2³² and the `_extra` word: nanoseconds above two bits that count how
/// often the signed seconds wrapped.
///
/// The time must be within [`TIME_MIN`] and [`TIME_MAX`].
fn encode_time(time: Timestamp) -> (u32, u32) {
    let seconds = time.seconds();
    let wrapped = i64::from(low_word(seconds.cast_unsigned()).cast_signed());
    let epoch = low_word((seconds - wrapped).cast_unsigned() >> 32) & 3;
    (low_word(seconds.cast_unsigned()), (time.nanoseconds() << 2) | epoch)
}

/// Encodes a device number as the first two words of `i_block`: 8 and 8 bits in the first if they
/// fit, else 12 and 20 bits in the second.
///
/// Major is at most 12 bits, minor at most 20.
pub(crate) fn encode_device(device: Device) -> [u32; 2] {
    let Device { major, minor } = device;
    if major < 256 && minor < 256 {
        [major << 8 | minor, 0]
    } else {
        [0, minor & 0xff | major << 8 | (minor & !0xff) << 12]
    }
}

/// Returns the low and high 16 bits.
#[expect(clippy::cast_possible_truncation, reason = "each half is cut out on purpose")]
fn halves(value: u32) -> (U16, U16) {
    ((value as u16).into(), ((value >> 16) as u16).into())
}

/// Returns the low and high 32 bits.
pub(crate) fn words(value: u64) -> (U32, U32) {
    (low_word(value).into(), low_word(value >> 32).into())
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is cut out on purpose")]
fn low_word(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's `ext4_decode_extra_time`.
    fn decode((seconds, extra): (u32, u32)) -> (i64, u32) {
        (i64::from(seconds.cast_signed()) + (i64::from(extra & 3) << 32), extra >> 2)
    }

    #[test]
    fn times_read_back_as_the_kernel_reads_them() {
        let edges = [
            TIME_MIN,
            -1,
            0,
            1,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x1_7fff_ffff,
            0x1_8000_0000,
            TIME_MAX,
        ];
        for seconds in edges {
            let time = Timestamp::new(seconds, 999_999_999).expect("below a second");
            assert_eq!(decode(encode_time(time)), (seconds, 999_999_999));
        }
    }

    #[test]
    fn device_numbers_beyond_the_old_form_use_the_new_one() {
        assert_eq!(encode_device(Device { major: 255, minor: 255 }), [0xffff, 0]);
        assert_eq!(encode_device(Device { major: 256, minor: 0 }), [0, 0x1_0000]);
        // The kernel's new_encode_dev(MKDEV(0xabc, 0xdef12)).
        assert_eq!(encode_device(Device { major: 0xabc, minor: 0xdef12 }), [0, 0xdefa_bc12]);
    }

    #[test]
    fn blocks_beyond_48_bits_of_sectors_are_counted_whole() {
        let mut inode = Inode::new_zeroed();
        inode.set_blocks(1 << 45, BlockSize::B4096);
        assert_eq!(inode.i_flags.get(), HUGE_FILE_FL);
        assert_eq!((inode.i_blocks_lo.get(), inode.i_blocks_high.get()), (0, 1 << 13));
        let mut inode = Inode::new_zeroed();
        inode.set_blocks(u64::from(u32::MAX), BlockSize::B4096);
        assert_eq!(inode.i_flags.get(), 0);
        assert_eq!((inode.i_blocks_lo.get(), inode.i_blocks_high.get()), (0xffff_fff8, 7));
    }
}
