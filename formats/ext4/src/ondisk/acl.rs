//! POSIX ACLs: conversion from the format of `getxattr(2)`, which all sources use, to that of ext4.
//!
//! ```text
//! getxattr   version 2 (u32), then per entry: tag (u16) permissions (u16) id (u32)
//! ext4       version 1 (u32), then per entry: tag (u16) permissions (u16), and id (u32) of named users and groups
//! ```
//!
//! Kernel sources, `fs/ext4/acl.h`.

use image_tree::acl::{Acl, AclError, Entry};

/// `EXT4_ACL_VERSION`: the version of the format of ext4.
const EXT4_ACL_VERSION: u32 = 1;

/// Converts the value of `system.posix_acl_access` or `system.posix_acl_default`.
///
/// # Errors
/// Returns an error if the value is not a valid ACL.
pub(crate) fn to_disk(value: &[u8]) -> Result<Vec<u8>, AclError> {
    let acl = Acl::from_xattr(value)?;
    let mut disk = EXT4_ACL_VERSION.to_le_bytes().to_vec();
    for Entry { tag, permissions, id } in acl.entries() {
        disk.extend_from_slice(&tag.0.to_le_bytes());
        disk.extend_from_slice(&permissions.to_le_bytes());
        if tag.has_id() {
            disk.extend_from_slice(&id.to_le_bytes());
        }
    }
    Ok(disk)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    use image_tree::acl::Tag;

    /// Returns a valid ACL in the format of `getxattr(2)`.
    pub(crate) fn acl(entries: &[(u16, u16, u32)]) -> Box<[u8]> {
        let entry = |&(tag, permissions, id): &(u16, u16, u32)| Entry { tag: Tag(tag), permissions, id };
        Acl::new(entries.iter().map(entry).collect()).expect("a valid list").to_xattr()
    }

    const NONE: u32 = u32::MAX;

    #[test]
    fn only_entries_of_named_users_and_groups_have_ids() {
        let entries = [
            (1, 6, NONE),
            (2, 4, 1000),
            (2, 7, 1001),
            (4, 4, NONE),
            (8, 5, 50),
            (0x10, 7, NONE),
            (0x20, 0, NONE),
        ];
        let disk = b"\x01\0\0\0\x01\0\x06\0\x02\0\x04\0\xe8\x03\0\0\x02\0\x07\0\xe9\x03\0\0\
                     \x04\0\x04\0\x08\0\x05\0\x32\0\0\0\x10\0\x07\0\x20\0\0\0";
        assert_eq!(to_disk(&acl(&entries)).unwrap(), disk);
    }

    #[test]
    fn invalid_lists_are_rejected() {
        assert_eq!(to_disk(b""), Err(AclError::Length(0)));
        let owner_only = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff";
        assert_eq!(to_disk(owner_only), Err(AclError::Missing("owning group")));
    }
}
