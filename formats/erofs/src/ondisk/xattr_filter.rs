//! The filter of the names of an inode's xattrs: a bit for each of 32 hashes that no name has.

use twox_hash::XxHash32;

/// `EROFS_XATTR_FILTER_SEED`.
const SEED: u32 = 0x25BB_E08F;

/// The filter of an inode without xattrs.
pub(crate) const EMPTY: u32 = u32::MAX;

/// Returns the bit of a name without its prefix, with the index of the prefix.
pub(crate) fn bit(index: u8, name: &[u8]) -> u32 {
    1 << (XxHash32::oneshot(SEED + u32::from(index), name) & 31)
}
