//! POSIX ACLs: from the form of `getxattr(2)`, which every source has, to ext4's own.
//!
//! ```text
//! getxattr   version 2 (u32), then per entry: tag (u16) permissions (u16) id (u32)
//! ext4       version 1 (u32), then per entry: tag (u16) permissions (u16), and id (u32) of named users and groups
//! ```
//!
//! Kernel sources, `include/uapi/linux/posix_acl_xattr.h` and `fs/ext4/acl.h`; what makes a list valid is
//! `posix_acl_valid` of `fs/posix_acl.c`.

use thiserror::Error;

/// `POSIX_ACL_XATTR_VERSION`: the version of the form of `getxattr(2)`.
const POSIX_ACL_XATTR_VERSION: u32 = 2;
/// `EXT4_ACL_VERSION`: the version of ext4's form.
const EXT4_ACL_VERSION: u32 = 1;
/// `ACL_UNDEFINED_ID`: no user and no group.
const ACL_UNDEFINED_ID: u32 = u32::MAX;
/// `ACL_READ | ACL_WRITE | ACL_EXECUTE`.
const ALL_PERMISSIONS: u16 = 7;

/// Whom an entry is about. The order of the numbers is the order of entries in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tag(u16);

impl Tag {
    const ACL_USER_OBJ: Self = Self(0x01);
    const ACL_USER: Self = Self(0x02);
    const ACL_GROUP_OBJ: Self = Self(0x04);
    const ACL_GROUP: Self = Self(0x08);
    const ACL_MASK: Self = Self(0x10);
    const ACL_OTHER: Self = Self(0x20);

    /// Whether the entry is about one user or group by number. There can be several such entries.
    fn has_id(self) -> bool {
        matches!(self, Self::ACL_USER | Self::ACL_GROUP)
    }

    fn is_known(self) -> bool {
        self.has_id()
            || matches!(self, Self::ACL_USER_OBJ | Self::ACL_GROUP_OBJ | Self::ACL_MASK | Self::ACL_OTHER)
    }
}

/// Why the value of an ACL xattr is not a POSIX ACL. The kernel would refuse it too.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AclError {
    /// The value is not a header of 4 bytes and entries of 8.
    #[error("an ACL has 4 bytes and 8 for every entry, this one has {0}")]
    Length(usize),
    /// The version is not that of `getxattr(2)`.
    #[error("an ACL has version {POSIX_ACL_XATTR_VERSION}, this one has {0}")]
    Version(u32),
    /// An entry is about nobody known.
    #[error("an ACL entry has the unknown tag {0:#06x}")]
    Tag(u16),
    /// An entry grants more than reading, writing and executing.
    #[error("an ACL entry with tag {tag:#06x} has permissions {permissions:#06x}, the highest are 0x0007")]
    Permissions {
        /// Whom the entry is about.
        tag: u16,
        /// What it grants.
        permissions: u16,
    },
    /// Entries are not in the order owner, users, group, groups, mask, others, or one of them occurs twice.
    #[error(
        "an ACL entry with tag {0:#06x} is out of order or a second one; \
         the order is owner, users, owning group, groups, mask, others"
    )]
    Order(u16),
    /// An entry is about user or group number 4294967295, who is nobody.
    #[error("an ACL entry with tag {0:#06x} is about user or group 4294967295, which does not exist")]
    UndefinedId(u16),
    /// An entry every list must have is missing; a mask is needed only beside users and groups.
    #[error("an ACL has no entry for the {0}")]
    Missing(&'static str),
}

/// Translates the value of `system.posix_acl_access` or `system.posix_acl_default`.
///
/// # Errors
/// When the value is not a valid ACL.
pub(crate) fn to_disk(value: &[u8]) -> Result<Vec<u8>, AclError> {
    let length = || AclError::Length(value.len());
    let (version, entries) = value.split_first_chunk().ok_or_else(length)?;
    let (entries, []) = entries.as_chunks::<8>() else { return Err(length()) };
    match u32::from_le_bytes(*version) {
        POSIX_ACL_XATTR_VERSION => {}
        other => return Err(AclError::Version(other)),
    }
    let mut disk = EXT4_ACL_VERSION.to_le_bytes().to_vec();
    let mut tags: Vec<Tag> = Vec::new();
    for &[t0, t1, p0, p1, ref id @ ..] in entries {
        let (tag, permissions) = (Tag(u16::from_le_bytes([t0, t1])), u16::from_le_bytes([p0, p1]));
        let last = tags.last().copied();
        if !tag.is_known() {
            return Err(AclError::Tag(tag.0));
        }
        if permissions > ALL_PERMISSIONS {
            return Err(AclError::Permissions { tag: tag.0, permissions });
        }
        if last.is_some_and(|last| tag < last || tag == last && !tag.has_id()) {
            return Err(AclError::Order(tag.0));
        }
        disk.extend_from_slice(&[t0, t1, p0, p1]);
        if tag.has_id() {
            if *id == ACL_UNDEFINED_ID.to_le_bytes() {
                return Err(AclError::UndefinedId(tag.0));
            }
            disk.extend_from_slice(id);
        }
        tags.push(tag);
    }
    check_complete(&tags)?;
    Ok(disk)
}

fn check_complete(tags: &[Tag]) -> Result<(), AclError> {
    let needs_mask = tags.iter().any(|tag| tag.has_id());
    let needed = [
        (Tag::ACL_USER_OBJ, true, "owner"),
        (Tag::ACL_GROUP_OBJ, true, "owning group"),
        (Tag::ACL_MASK, needs_mask, "mask, which entries for users and groups need"),
        (Tag::ACL_OTHER, true, "others"),
    ];
    match needed.iter().find(|(tag, needed, _)| *needed && !tags.contains(tag)) {
        Some((_, _, whom)) => Err(AclError::Missing(whom)),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An ACL as `getxattr(2)` gives it.
    pub(crate) fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend_from_slice(&tag.to_le_bytes());
            value.extend_from_slice(&permissions.to_le_bytes());
            value.extend_from_slice(&id.to_le_bytes());
        }
        value
    }

    const NONE: u32 = ACL_UNDEFINED_ID;

    #[track_caller]
    fn refuses(entries: &[(u16, u16, u32)], error: AclError) {
        assert_eq!(to_disk(&acl(entries)), Err(error));
    }

    #[test]
    fn ids_are_kept_where_they_mean_something() {
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
    fn a_list_without_names_needs_no_mask() {
        assert!(to_disk(&acl(&[(1, 6, NONE), (4, 4, NONE), (0x20, 4, NONE)])).is_ok());
        assert!(to_disk(&acl(&[(1, 6, NONE), (4, 4, NONE), (0x10, 4, NONE), (0x20, 4, NONE)])).is_ok());
    }

    #[test]
    fn lists_the_kernel_refuses() {
        assert_eq!(to_disk(b""), Err(AclError::Length(0)));
        assert_eq!(to_disk(b"\x02\0\0\0\x01"), Err(AclError::Length(5)));
        assert_eq!(to_disk(b"\x01\0\0\0"), Err(AclError::Version(1)));
        refuses(&[], AclError::Missing("owner"));
        refuses(&[(1, 6, NONE), (0x20, 4, NONE)], AclError::Missing("owning group"));
        refuses(&[(1, 6, NONE), (4, 4, NONE)], AclError::Missing("others"));
        refuses(&[(1, 6, NONE), (3, 4, NONE)], AclError::Tag(3));
        refuses(&[(1, 8, NONE)], AclError::Permissions { tag: 1, permissions: 8 });
        refuses(&[(1, 6, NONE), (1, 6, NONE)], AclError::Order(1));
        refuses(&[(1, 6, NONE), (4, 6, NONE), (2, 6, 0)], AclError::Order(2));
        refuses(&[(1, 6, NONE), (2, 6, NONE)], AclError::UndefinedId(2));
        let no_mask = [(1, 6, NONE), (2, 4, 1000), (4, 4, NONE), (0x20, 0, NONE)];
        refuses(&no_mask, AclError::Missing("mask, which entries for users and groups need"));
    }
}
