//! The decision which accounts are used.

use std::collections::BTreeSet;

use image_tree::acl::{Acl, Tag};
use image_tree::{Metadata, Tree};

use super::database::{Group, Groups, User, Users};
use super::mentions::Mentions;
use crate::blob::Blob;

/// The number to which the kernel maps owners that it cannot represent.
const OVERFLOW: u32 = 65534;
/// The users and groups of this number, under the names that distributions give them.
const NOBODY: [&[u8]; 2] = [b"nobody", b"nogroup"];
/// The numbers of regular users: `UID_MIN` and `UID_MAX` of login.defs(5).
const REGULAR: std::ops::RangeInclusive<u32> = 1000..=60000;

/// The accounts that are used.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    users: BTreeSet<Vec<u8>>,
    groups: BTreeSet<Vec<u8>>,
    uids: BTreeSet<u32>,
    /// The users that are not used.
    others: BTreeSet<Vec<u8>>,
}

impl Used {
    /// Finds the accounts that a tree uses, and those of these names.
    pub(super) fn of(
        tree: &Tree<Blob>,
        users: &Users,
        groups: &Groups,
        extra: &BTreeSet<Vec<u8>>,
        mentions: &Mentions,
    ) -> Self {
        let owners = Owners::of(tree);
        let is_named = |name: &Vec<u8>, number: u32, mentioned: &BTreeSet<Vec<u8>>| {
            extra.contains(name)
                || mentioned.contains(name)
                || mentioned.contains(number.to_string().as_bytes())
                || NOBODY.contains(&&name[..])
                || number == OVERFLOW
        };
        let mut used = Self::default();
        let mut login_groups = BTreeSet::new();
        for (name, &User { uid, gid }) in users.iter() {
            let is_regular = mentions.has_logins && REGULAR.contains(&uid);
            if uid == 0 || is_regular || owners.users.contains(&uid) || is_named(name, uid, &mentions.users) {
                used.users.insert(name.clone());
                used.uids.insert(uid);
                login_groups.insert(gid);
            }
        }
        used.others = users.names().filter(|name| !used.users.contains(*name)).cloned().collect();
        for (name, Group { gid, members }) in groups.iter() {
            if *gid == 0
                || login_groups.contains(gid)
                || owners.groups.contains(gid)
                || is_named(name, *gid, &mentions.groups)
                || !members.is_disjoint(&used.users)
            {
                used.groups.insert(name.clone());
            }
        }
        used
    }

    /// The names of the users.
    pub(super) fn users(&self) -> &BTreeSet<Vec<u8>> {
        &self.users
    }

    /// The names of the groups.
    pub(super) fn groups(&self) -> &BTreeSet<Vec<u8>> {
        &self.groups
    }

    /// Returns true if digits are the number of a used user.
    pub(super) fn has_uid(&self, digits: &[u8]) -> bool {
        !digits.is_empty()
            && crate::accounts::parse_number(digits).is_some_and(|uid| self.uids.contains(&uid))
    }

    /// Returns a list of members without the users that are not used. Members that `/etc/passwd`
    /// does not have stay: they are those of another database.
    pub(super) fn members(&self, list: &[u8]) -> Vec<u8> {
        let members = list.split(|byte| *byte == b',').filter(|name| !self.others.contains(*name));
        members.collect::<Vec<_>>().join(&b',')
    }
}

/// The numbers of users and groups that own files, or that ACLs name.
#[derive(Default)]
struct Owners {
    users: BTreeSet<u32>,
    groups: BTreeSet<u32>,
}

impl Owners {
    fn of(tree: &Tree<Blob>) -> Self {
        let mut owners = Self::default();
        owners.add(&tree.get(image_tree::InodeId::ROOT).metadata);
        for step in tree.walk() {
            owners.add(&tree.get(step.id).metadata);
        }
        owners
    }

    fn add(&mut self, metadata: &Metadata) {
        self.users.insert(metadata.uid);
        self.groups.insert(metadata.gid);
        for name in [&b"system.posix_acl_access"[..], b"system.posix_acl_default"] {
            let acl = metadata.xattrs.get(name).and_then(|value| Acl::from_xattr(value).ok());
            for entry in acl.iter().flat_map(Acl::entries) {
                match entry.tag {
                    Tag::ACL_USER => _ = self.users.insert(entry.id),
                    Tag::ACL_GROUP => _ = self.groups.insert(entry.id),
                    _ => {}
                }
            }
        }
    }
}
