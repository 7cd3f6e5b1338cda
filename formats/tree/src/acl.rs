//! POSIX ACLs in the format of `getxattr(2)`, and the mode, which represents part of an access ACL.
//!
//! ```text
//! version 2 (u32), then per entry: tag (u16) permissions (u16) id (u32), all little-endian
//! ```
//!
//! Kernel sources: `include/uapi/linux/posix_acl_xattr.h` for the format, and `fs/posix_acl.c` for
//! the rules. `posix_acl_valid` defines a valid list. `chmod(2)` changes the access ACL
//! (`posix_acl_chmod`), setting an access ACL changes the mode (`posix_acl_update_mode`), and a
//! list equivalent to a mode is not stored (`posix_acl_equiv_mode`). [`Metadata::chmod`] and
//! [`Metadata::set_access_acl`] implement these two directions.

use thiserror::Error;

use crate::{Metadata, XattrName};

/// The xattr of the access ACL, which controls the access to a file.
pub const ACCESS: &[u8] = b"system.posix_acl_access";
/// The xattr of the default ACL, which new files in a directory inherit.
pub const DEFAULT: &[u8] = b"system.posix_acl_default";

/// `POSIX_ACL_XATTR_VERSION`: the version of the format of `getxattr(2)`.
const POSIX_ACL_XATTR_VERSION: u32 = 2;
/// `ACL_UNDEFINED_ID`: neither a user nor a group.
const ACL_UNDEFINED_ID: u32 = u32::MAX;
/// `ACL_READ | ACL_WRITE | ACL_EXECUTE`.
const ALL_PERMISSIONS: u16 = 7;
/// The bits of a mode that an access ACL determines.
const PERMISSION_BITS: u16 = 0o777;

/// The tag of an entry. The numeric order of tags is the order of entries in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub u16);

impl Tag {
    /// The owner.
    pub const ACL_USER_OBJ: Self = Self(0x01);
    /// A user by number.
    pub const ACL_USER: Self = Self(0x02);
    /// The owning group.
    pub const ACL_GROUP_OBJ: Self = Self(0x04);
    /// A group by number.
    pub const ACL_GROUP: Self = Self(0x08);
    /// The upper limit of the permissions of users and groups by number and of the owning group.
    pub const ACL_MASK: Self = Self(0x10);
    /// Everybody else.
    pub const ACL_OTHER: Self = Self(0x20);

    /// Returns true if the tag is that of a user or group by number. A list can have several such
    /// entries.
    #[must_use]
    pub fn has_id(self) -> bool {
        matches!(self, Self::ACL_USER | Self::ACL_GROUP)
    }

    fn is_known(self) -> bool {
        self.has_id()
            || matches!(self, Self::ACL_USER_OBJ | Self::ACL_GROUP_OBJ | Self::ACL_MASK | Self::ACL_OTHER)
    }
}

/// One entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The tag.
    pub tag: Tag,
    /// The permissions: 4 to read, 2 to write, 1 to execute.
    pub permissions: u16,
    /// The user or the group, if the tag has one. It is ignored for other tags, but preserved.
    pub id: u32,
}

/// A valid list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    entries: Vec<Entry>,
}

/// An error for the value of an ACL xattr that is not a POSIX ACL. The kernel would reject it too.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AclError {
    /// The value is not a header of 4 bytes followed by entries of 8 bytes.
    #[error("an ACL has 4 bytes and 8 for every entry, this one has {0}")]
    Length(usize),
    /// The version is not that of `getxattr(2)`.
    #[error("an ACL has version {POSIX_ACL_XATTR_VERSION}, this one has {0}")]
    Version(u32),
    /// An entry has an unknown tag.
    #[error("an ACL entry has the unknown tag {0:#06x}")]
    Tag(u16),
    /// An entry grants more than reading, writing and executing.
    #[error("an ACL entry with tag {tag:#06x} has permissions {permissions:#06x}, the highest are 0x0007")]
    Permissions {
        /// The tag of the entry.
        tag: u16,
        /// The permissions of the entry.
        permissions: u16,
    },
    /// Entries are not in the order owner, users, group, groups, mask, others, or one of them
    /// occurs twice.
    #[error(
        "an ACL entry with tag {0:#06x} is out of order or a second one; \
         the order is owner, users, owning group, groups, mask, others"
    )]
    Order(u16),
    /// An entry has the user or group number 4294967295, which does not exist.
    #[error("an ACL entry with tag {0:#06x} is about user or group 4294967295, which does not exist")]
    UndefinedId(u16),
    /// A required entry is missing; a mask is required only with entries for users or groups by
    /// number.
    #[error("an ACL has no entry for the {0}")]
    Missing(&'static str),
}

impl Acl {
    /// Creates a list of these entries, in this order.
    ///
    /// # Errors
    /// Returns an error if the kernel would reject the list.
    pub fn new(entries: Vec<Entry>) -> Result<Self, AclError> {
        let mut last = None;
        for entry in &entries {
            entry.check(last)?;
            last = Some(entry.tag);
        }
        let acl = Self { entries };
        acl.check_complete()?;
        Ok(acl)
    }

    /// Reads the value of [`ACCESS`] or [`DEFAULT`].
    ///
    /// # Errors
    /// Returns an error if the kernel would reject the value.
    pub fn from_xattr(value: &[u8]) -> Result<Self, AclError> {
        let length = || AclError::Length(value.len());
        let (version, entries) = value.split_first_chunk().ok_or_else(length)?;
        let (entries, []) = entries.as_chunks::<8>() else { return Err(length()) };
        match u32::from_le_bytes(*version) {
            POSIX_ACL_XATTR_VERSION => {}
            other => return Err(AclError::Version(other)),
        }
        let entry = |&[t0, t1, p0, p1, ref id @ ..]: &[u8; 8]| Entry {
            tag: Tag(u16::from_le_bytes([t0, t1])),
            permissions: u16::from_le_bytes([p0, p1]),
            id: u32::from_le_bytes(*id),
        };
        Self::new(entries.iter().map(entry).collect())
    }

    /// Returns the value in the format of `getxattr(2)`.
    #[must_use]
    pub fn to_xattr(&self) -> Box<[u8]> {
        let mut value = POSIX_ACL_XATTR_VERSION.to_le_bytes().to_vec();
        for Entry { tag, permissions, id } in &self.entries {
            value.extend_from_slice(&tag.0.to_le_bytes());
            value.extend_from_slice(&permissions.to_le_bytes());
            value.extend_from_slice(&id.to_le_bytes());
        }
        value.into()
    }

    /// The entries, in the order of the list.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns true if the value removes an ACL: it is empty, or a header without entries.
    #[must_use]
    pub fn is_removal(value: &[u8]) -> bool {
        value.is_empty() || value == POSIX_ACL_XATTR_VERSION.to_le_bytes()
    }

    /// Returns the nine permission bits equivalent to the list; the group bits are those of the
    /// mask, if any.
    fn permission_bits(&self) -> u16 {
        let of = |wanted: Tag| {
            let entry = self.entries.iter().find(|entry| entry.tag == wanted);
            entry.map(|entry| entry.permissions)
        };
        let group = of(Tag::ACL_MASK).or(of(Tag::ACL_GROUP_OBJ));
        of(Tag::ACL_USER_OBJ).unwrap_or(0) << 6 | group.unwrap_or(0) << 3 | of(Tag::ACL_OTHER).unwrap_or(0)
    }

    /// `posix_acl_equiv_mode`: returns true if the list has only the three entries that every list
    /// has.
    fn is_mode(&self) -> bool {
        self.entries.len() == 3
    }

    /// `posix_acl_chmod`: copies the classes of a mode to the corresponding entries.
    fn chmod(&mut self, mode: u16) {
        let has_mask = self.entries.iter().any(|entry| entry.tag == Tag::ACL_MASK);
        let group = if has_mask { Tag::ACL_MASK } else { Tag::ACL_GROUP_OBJ };
        for entry in &mut self.entries {
            let shift = match entry.tag {
                Tag::ACL_USER_OBJ => 6,
                Tag::ACL_OTHER => 0,
                tag if tag == group => 3,
                _ => continue,
            };
            entry.permissions = mode >> shift & ALL_PERMISSIONS;
        }
    }

    fn check_complete(&self) -> Result<(), AclError> {
        let needs_mask = self.entries.iter().any(|entry| entry.tag.has_id());
        let needed = [
            (Tag::ACL_USER_OBJ, true, "owner"),
            (Tag::ACL_GROUP_OBJ, true, "owning group"),
            (Tag::ACL_MASK, needs_mask, "mask, which entries for users and groups need"),
            (Tag::ACL_OTHER, true, "others"),
        ];
        let has = |tag: Tag| self.entries.iter().any(|entry| entry.tag == tag);
        match needed.iter().find(|(tag, needed, _)| *needed && !has(*tag)) {
            Some((_, _, whom)) => Err(AclError::Missing(whom)),
            None => Ok(()),
        }
    }
}

impl Entry {
    /// Returns an error if the entry is invalid, or invalid after an entry with the tag `last`.
    fn check(&self, last: Option<Tag>) -> Result<(), AclError> {
        let Self { tag, permissions, id } = *self;
        if !tag.is_known() {
            return Err(AclError::Tag(tag.0));
        }
        if permissions > ALL_PERMISSIONS {
            return Err(AclError::Permissions { tag: tag.0, permissions });
        }
        if last.is_some_and(|last| tag < last || tag == last && !tag.has_id()) {
            return Err(AclError::Order(tag.0));
        }
        if tag.has_id() && id == ACL_UNDEFINED_ID {
            return Err(AclError::UndefinedId(tag.0));
        }
        Ok(())
    }
}

impl Metadata {
    /// Changes the mode as `chmod(2)` does: an access ACL is updated, its mask from the group bits,
    /// and dropped if it is then equivalent to the mode. A value that is not an ACL is left
    /// unchanged.
    pub fn chmod(&mut self, mode: u16) {
        self.mode = mode;
        let acl = self.xattrs.get(ACCESS).map(|value| Acl::from_xattr(value));
        if let Some(Ok(mut acl)) = acl {
            acl.chmod(mode);
            self.store_access_acl(&acl);
        }
    }

    /// Changes the access ACL as `setxattr(2)` does: the permission bits of the mode are updated,
    /// and a list equivalent to them is not stored. `None` removes the ACL and leaves the mode
    /// unchanged.
    pub fn set_access_acl(&mut self, acl: Option<&Acl>) {
        let Some(acl) = acl else {
            self.xattrs.remove(ACCESS);
            return;
        };
        self.mode = self.mode & !PERMISSION_BITS | acl.permission_bits();
        self.store_access_acl(acl);
    }

    /// Updates the mode from the access ACL among the xattrs, as if the ACL had just been set. If
    /// the value is not an ACL, it and the mode are left unchanged.
    pub fn update_mode_from_acl(&mut self) {
        let Some(value) = self.xattrs.get(ACCESS) else { return };
        if Acl::is_removal(value) {
            self.set_access_acl(None);
        } else if let Ok(acl) = Acl::from_xattr(value) {
            self.set_access_acl(Some(&acl));
        }
    }

    fn store_access_acl(&mut self, acl: &Acl) {
        if acl.is_mode() {
            self.xattrs.remove(ACCESS);
        } else {
            let name = XattrName::new(ACCESS).expect("a valid name");
            self.xattrs.insert(name, acl.to_xattr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an ACL in the format of `getxattr(2)`.
    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
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
        assert_eq!(Acl::from_xattr(&acl(entries)), Err(error));
    }

    #[test]
    fn values_are_read_and_written() {
        let all = [
            (1, 6, NONE),
            (2, 4, 1000),
            (2, 7, 1001),
            (4, 4, NONE),
            (8, 5, 50),
            (0x10, 7, NONE),
            (0x20, 0, NONE),
        ];
        for entries in [
            &all[..],
            &[(1, 6, NONE), (4, 4, NONE), (0x20, 4, NONE)],
            &[(1, 6, NONE), (4, 4, NONE), (0x10, 4, NONE), (0x20, 4, NONE)],
        ] {
            let value = acl(entries);
            let read = Acl::from_xattr(&value).expect("valid");
            assert_eq!(read.entries().len(), entries.len());
            assert_eq!(read.to_xattr()[..], value[..]);
        }
    }

    #[test]
    fn lists_that_the_kernel_rejects_are_errors() {
        let read = |value: &[u8]| Acl::from_xattr(value).map(|_| ());
        assert_eq!(read(b""), Err(AclError::Length(0)));
        assert_eq!(read(b"\x02\0\0\0\x01"), Err(AclError::Length(5)));
        assert_eq!(read(b"\x01\0\0\0"), Err(AclError::Version(1)));
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

    fn file(mode: u16, entries: &[(u16, u16, u32)]) -> Metadata {
        let mut metadata = Metadata::new(mode);
        metadata.xattrs.insert(XattrName::new(ACCESS).expect("a name"), acl(entries).into());
        metadata
    }

    /// The expected values are those of chmod(1) and getfacl(1) on ext4 and tmpfs.
    #[test]
    fn the_acl_follows_the_mode() {
        let named = |user, named, group, mask, other| {
            [(1, user, NONE), (2, named, 1000), (4, group, NONE), (0x10, mask, NONE), (0x20, other, NONE)]
        };
        let mut changed = file(0o660, &named(6, 7, 4, 6, 0));
        changed.chmod(0o2644);
        assert_eq!(changed, file(0o2644, &named(6, 7, 4, 4, 4)));
        // A list with a mask but no named entries is not equivalent to a mode, and the group stays.
        let masked = |group, mask| [(1, 6, NONE), (4, group, NONE), (0x10, mask, NONE), (0x20, 0, NONE)];
        let mut changed = file(0o640, &masked(6, 4));
        changed.chmod(0o670);
        assert_eq!(changed, file(0o670, &masked(6, 7)));
        let mut plain = file(0o640, &[(1, 6, NONE), (4, 4, NONE), (0x20, 0, NONE)]);
        plain.chmod(0o600);
        assert_eq!(plain, Metadata::new(0o600));
        let mut other = file(0o640, &[(1, 6, NONE)]);
        other.chmod(0o600);
        assert_eq!(other, file(0o600, &[(1, 6, NONE)]), "what is not an ACL is left alone");
    }

    #[test]
    fn the_mode_follows_the_acl() {
        let named = [(1, 6, NONE), (2, 7, 1000), (4, 4, NONE), (0x10, 7, NONE), (0x20, 0, NONE)];
        let mut changed = file(0o4755, &named);
        changed.update_mode_from_acl();
        assert_eq!(changed, file(0o4670, &named));
        let mut plain = file(0o1755, &[(1, 6, NONE), (4, 4, NONE), (0x20, 1, NONE)]);
        plain.update_mode_from_acl();
        assert_eq!(plain, Metadata::new(0o1641));
        let mut removed = file(0o755, &[]);
        removed.update_mode_from_acl();
        assert_eq!(removed, Metadata::new(0o755));
        let mut other = file(0o755, &[(1, 6, NONE)]);
        other.update_mode_from_acl();
        assert_eq!(other.mode, 0o755);
    }
}
