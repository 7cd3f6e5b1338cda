//! Extended attributes: in the unused space of an inode, and in a separate block.
//!
//! Kernel documentation, `filesystems/ext4/attributes.rst`; the hashes are specified only by
//! `fs/ext4/xattr.c`.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::Checksum;

/// `EXT4_XATTR_MAGIC`: `h_magic` of both headers.
pub(crate) const EXT4_XATTR_MAGIC: u32 = 0xEA02_0000;

/// `EXT4_XATTR_REFCOUNT_MAX`: the maximum number of inodes that share a block.
pub(crate) const EXT4_XATTR_REFCOUNT_MAX: u32 = 1024;

/// `struct ext4_xattr_ibody_header`: precedes the entries in an inode.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IbodyHeader {
    /// [`EXT4_XATTR_MAGIC`].
    pub(crate) h_magic: U32,
}
const _: () = assert!(size_of::<IbodyHeader>() == 4);

/// `struct ext4_xattr_header`: precedes the entries in a block.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrHeader {
    /// [`EXT4_XATTR_MAGIC`].
    pub(crate) h_magic: U32,
    /// The number of inodes that use this block: 1 to [`EXT4_XATTR_REFCOUNT_MAX`].
    pub(crate) h_refcount: U32,
    /// Always 1.
    pub(crate) h_blocks: U32,
    /// Hash of all entries, see [`block_hash`].
    pub(crate) h_hash: U32,
    /// Checksum of the block's number and of the block with 0 here, chained to the filesystem's.
    pub(crate) h_checksum: U32,
    /// Always 0.
    pub(crate) h_reserved: [U32; 3],
}
const _: () = assert!(size_of::<XattrHeader>() == 32);

/// `struct ext4_xattr_entry`: precedes the name, which is padded to a multiple of 4 bytes.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct XattrEntry {
    /// The length of the name without the prefix represented by `e_name_index`, in bytes.
    pub(crate) e_name_len: u8,
    /// The prefix of the name.
    pub(crate) e_name_index: NameIndex,
    /// The offset of the value, in bytes from the start of the block, or from the first entry in an
    /// inode. 0 for an empty value, and for one in a separate inode.
    pub(crate) e_value_offs: U16,
    /// The inode with the value; 0 if there is none.
    pub(crate) e_value_inum: U32,
    /// The length of the value, which is padded to a multiple of 4 bytes.
    pub(crate) e_value_size: U32,
    /// [`entry_hash`] in a block; 0 in an inode, except for a value in a separate inode.
    pub(crate) e_hash: U32,
}
const _: () = assert!(size_of::<XattrEntry>() == 16);

/// `EXT4_XATTR_SYSTEM_DATA`: the name after `system.` of the attribute with the inline data beyond
/// `i_block`.
pub(crate) const INLINE_DATA: &[u8] = b"data";

/// The number of zero bytes that end the entries.
pub(crate) const END_OF_ENTRIES_LEN: usize = 4;

/// `e_name_index`: the start of a name, or all of it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(transparent)]
pub(crate) struct NameIndex(pub(crate) u8);

impl NameIndex {
    /// `user.`
    pub(crate) const USER: Self = Self(1);
    /// `system.posix_acl_access`, the whole name.
    pub(crate) const POSIX_ACL_ACCESS: Self = Self(2);
    /// `system.posix_acl_default`, the whole name.
    pub(crate) const POSIX_ACL_DEFAULT: Self = Self(3);
    /// `trusted.`
    pub(crate) const TRUSTED: Self = Self(4);
    /// `security.`
    pub(crate) const SECURITY: Self = Self(6);
    /// `system.`
    pub(crate) const SYSTEM: Self = Self(7);
    /// `system.richacl`, the whole name.
    pub(crate) const RICHACL: Self = Self(8);

    const WHOLE_NAMES: [(&'static [u8], Self); 3] = [
        (b"system.posix_acl_access", Self::POSIX_ACL_ACCESS),
        (b"system.posix_acl_default", Self::POSIX_ACL_DEFAULT),
        (b"system.richacl", Self::RICHACL),
    ];
    const PREFIXES: [(&'static [u8], Self); 4] = [
        (b"user.", Self::USER),
        (b"trusted.", Self::TRUSTED),
        (b"security.", Self::SECURITY),
        (b"system.", Self::SYSTEM),
    ];

    /// Splits a name into the index of its prefix and the rest. Returns `None` if the format does
    /// not define the prefix, or if nothing follows it.
    pub(crate) fn split(name: &[u8]) -> Option<(Self, &[u8])> {
        let whole =
            Self::WHOLE_NAMES.iter().find(|(whole, _)| *whole == name).map(|&(_, index)| (index, &b""[..]));
        let prefixed = || {
            Self::PREFIXES
                .iter()
                .find_map(|&(prefix, index)| Some((index, name.strip_prefix(prefix)?)))
                .filter(|(_, rest)| !rest.is_empty())
        };
        whole.or_else(prefixed)
    }

    /// Returns true if values are POSIX ACLs, which ext4 stores in its own format.
    pub(crate) fn is_posix_acl(self) -> bool {
        matches!(self, Self::POSIX_ACL_ACCESS | Self::POSIX_ACL_DEFAULT)
    }
}

/// Returns `e_hash` of an attribute. `name` is without the prefix represented by its index, and
/// `value` is as stored.
///
/// Bytes of a name from 0x80 up are negative, as `char` is on x86. Linux 6.2 and e2fsprogs 1.46.6
/// write hashes with unsigned bytes, but accept both; e2fsck before that, on x86, accepts only
/// this.
pub(crate) fn entry_hash(name: &[u8], value: &[u8]) -> u32 {
    let of_name = name
        .iter()
        .fold(0_u32, |hash, byte| hash.rotate_left(5) ^ i32::from(byte.cast_signed()).cast_unsigned());
    value.chunks(4).fold(of_name, |hash, chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        hash.rotate_left(16) ^ u32::from_le_bytes(word)
    })
}

/// Returns `h_hash` of a block, from the hashes of its entries. 0 means that the block is not
/// shared.
pub(crate) fn block_hash(entry_hashes: impl Iterator<Item = u32> + Clone) -> u32 {
    if entry_hashes.clone().any(|hash| hash == 0) {
        return 0;
    }
    entry_hashes.fold(0_u32, |hash, entry| hash.rotate_left(16) ^ entry)
}

/// Writes the header of a block whose entries and values are in place. `seed` is the checksum seed
/// of the filesystem.
pub(crate) fn write_header(block: &mut [u8], refcount: u32, hash: u32, block_number: u64, seed: Checksum) {
    let blank = XattrHeader {
        h_magic: U32::new(EXT4_XATTR_MAGIC),
        h_refcount: U32::new(refcount),
        h_blocks: U32::new(1),
        h_hash: U32::new(hash),
        h_checksum: U32::ZERO,
        h_reserved: [U32::ZERO; 3],
    };
    let (header, rest) = block.split_at_mut(size_of::<XattrHeader>());
    let checksum = seed.update(&block_number.to_le_bytes()).update(blank.as_bytes()).update(rest);
    header.copy_from_slice(XattrHeader { h_checksum: U32::new(checksum.value()), ..blank }.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_known_prefixes() {
        let cases: [(&str, Option<(u8, &str)>); 12] = [
            ("user.a", Some((1, "a"))),
            ("user.a.b", Some((1, "a.b"))),
            ("trusted.overlay.opaque", Some((4, "overlay.opaque"))),
            ("security.selinux", Some((6, "selinux"))),
            ("system.posix_acl_access", Some((2, ""))),
            ("system.posix_acl_default", Some((3, ""))),
            ("system.posix_acl_defaults", Some((7, "posix_acl_defaults"))),
            ("system.richacl", Some((8, ""))),
            ("user.", None),
            ("user", None),
            ("os2.x", None),
            ("", None),
        ];
        for (name, expected) in cases {
            let expected = expected.map(|(index, rest)| (NameIndex(index), rest.as_bytes()));
            assert_eq!(NameIndex::split(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn hashes_equal_those_computed_by_hand() {
        assert_eq!(entry_hash(b"", b""), 0);
        assert_eq!(entry_hash(b"ab", b""), (0x61 << 5) ^ 0x62);
        assert_eq!(entry_hash(b"", b"\x01\x02\x03\x04\x05"), (0x0403_0201_u32.rotate_left(16)) ^ 5);
        assert_eq!(entry_hash(b"\xe9", b""), 0xFFFF_FFE9);
        assert_eq!(block_hash([1, 2].into_iter()), 0x0001_0002);
        assert_eq!(block_hash([1, 0, 2].into_iter()), 0);
    }
}
