//! Extended attributes (`struct erofs_xattr_entry`, `struct erofs_xattr_ibody_header`).
//!
//! ```text
//! inode:   {name_filter u32, shared_count u8, 7 zeros} ids of shared ones u32 … entries …
//! entry:   {name_len u8, name_index u8, value_size u16} name value, padded to 4 bytes
//! ```

use image_tree::{XattrName, acl};

/// The length of the header in an inode, in bytes.
pub(crate) const HEADER_LEN: usize = 12;
/// The unit of ids and lengths, in bytes.
pub(crate) const ALIGN: usize = 4;
/// The length of the id of a shared attribute, in bytes.
pub(crate) const ID_LEN: usize = 4;
/// The length of an entry without name and value, in bytes.
const ENTRY_LEN: usize = 4;
/// The maximum number of shared attributes of an inode.
pub(crate) const MAX_SHARED: usize = u8::MAX as usize;
/// The maximum length of the attributes in an inode, in bytes: `i_xattr_icount` has 16 bits.
pub(crate) const MAX_BODY_LEN: usize = HEADER_LEN + (u16::MAX as usize - 1) * ALIGN;
/// The maximum length of a value, in bytes.
pub(crate) const MAX_VALUE_LEN: usize = u16::MAX as usize;
/// The bit of the index of a prefix that is in the table of the filesystem.
pub(crate) const LONG_PREFIX: u8 = 0x80;

/// The index of a prefix, and the prefix.
const PREFIXES: [(u8, &[u8]); 3] = [(1, b"user."), (4, b"trusted."), (6, b"security.")];
/// The index and the name of the attributes that have an index of their own.
const WHOLE: [(u8, &[u8]); 2] = [(2, acl::ACCESS), (3, acl::DEFAULT)];

/// Returns the index of the prefix of a name and the rest of the name; `None` if the format has no
/// index for it, or nothing follows the prefix.
pub(crate) fn split(name: &XattrName) -> Option<(u8, &[u8])> {
    let name = name.as_bytes();
    if let Some((index, _)) = WHOLE.iter().find(|(_, whole)| *whole == name) {
        return Some((*index, &[]));
    }
    let (index, rest) = split_prefix(name)?;
    (!rest.is_empty()).then_some((index, rest))
}

/// Returns the index of the prefix at the start of a name, and what follows it.
pub(crate) fn split_prefix(name: &[u8]) -> Option<(u8, &[u8])> {
    PREFIXES.iter().find_map(|(index, prefix)| Some((*index, name.strip_prefix(*prefix)?)))
}

/// Returns the padded length of an entry, in bytes.
pub(crate) const fn entry_len(name: &[u8], value: &[u8]) -> usize {
    (ENTRY_LEN + name.len() + value.len()).next_multiple_of(ALIGN)
}

/// Appends an entry.
///
/// # Panics
/// Panics if the name or the value is too long.
pub(crate) fn write_entry(index: u8, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let end = out.len() + entry_len(name, value);
    out.push(u8::try_from(name.len()).expect("names have at most 255 bytes"));
    out.push(index);
    out.extend_from_slice(&u16::try_from(value.len()).expect("longer values are refused").to_le_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.resize(end, 0);
}

/// Returns `i_xattr_icount` for attributes of a length in bytes.
///
/// # Panics
/// Panics if the length is more than [`MAX_BODY_LEN`].
pub(crate) fn icount(body_len: usize) -> u16 {
    let count = match body_len {
        0 => 0,
        len => (len - HEADER_LEN) / ALIGN + 1,
    };
    u16::try_from(count).expect("more are refused")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> Option<(u8, Vec<u8>)> {
        let name = XattrName::new(name).expect("a valid name");
        super::split(&name).map(|(index, rest)| (index, rest.to_vec()))
    }

    #[test]
    fn names_are_split_at_the_prefixes_of_the_kernel() {
        assert_eq!(split("user.a.b"), Some((1, b"a.b".to_vec())));
        assert_eq!(split("trusted.overlay.opaque"), Some((4, b"overlay.opaque".to_vec())));
        assert_eq!(split("security.capability"), Some((6, b"capability".to_vec())));
        assert_eq!(split("system.posix_acl_access"), Some((2, Vec::new())));
        assert_eq!(split("system.posix_acl_default"), Some((3, Vec::new())));
        for name in ["user.", "system.nfs4_acl", "system.posix_acl_access2", "btrfs.x", "users.a", "user"] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    #[test]
    fn the_longest_body_fits_its_count() {
        assert_eq!((icount(0), icount(16), icount(MAX_BODY_LEN)), (0, 2, u16::MAX));
        assert_eq!(MAX_BODY_LEN, 262_148);
    }
}
