//! Owners shifted as in a user namespace.

use image_tree::{Metadata, Tree};

use super::error::visit_inodes;
use crate::error::Result;

/// Ranges of ids, for users and for groups.
/// Inside are the ids of the tree, outside those of the source. The map applies to owners, to named
/// users and groups of POSIX ACLs, and to the root user of the namespace of file capabilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdMap {
    users: Vec<Range>,
    groups: Vec<Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    inside: u32,
    outside: u32,
    count: u32,
}

impl Range {
    fn overlaps(&self, other: &Self) -> bool {
        let meet = |a: u32, b: u32| {
            u64::from(a) < u64::from(b) + u64::from(other.count)
                && u64::from(b) < u64::from(a) + u64::from(self.count)
        };
        meet(self.inside, other.inside) || meet(self.outside, other.outside)
    }

    fn map(&self, id: u32) -> Option<u32> {
        let offset = id.checked_sub(self.outside).filter(|offset| *offset < self.count)?;
        self.inside.checked_add(offset)
    }
}

impl IdMap {
    /// Parses ranges separated by commas: `INSIDE:OUTSIDE:COUNT`, the three numbers of a line of
    /// `/proc/PID/uid_map`. As in `X-mount.idmap` of `mount(8)`, the prefix `u:` limits a range to
    /// users, and `g:` to groups; without a prefix, or with `b:`, it is for both.
    ///
    /// # Errors
    /// Returns a message if a range is invalid or overlaps another one.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut map = Self { users: Vec::new(), groups: Vec::new() };
        for part in text.split(',') {
            let (who, numbers) = match part.split_at_checked(2) {
                Some((who @ ("u:" | "g:" | "b:"), numbers)) => (who, numbers),
                _ => ("b:", part),
            };
            let range = range(numbers).ok_or_else(|| {
                format!(
                    "\"{part}\" is not a range INSIDE:OUTSIDE:COUNT of ids below 4294967295, such as 0:100000:65536 \
                     or u:0:1000:1"
                )
            })?;
            let tables = match who {
                "u:" => vec![&mut map.users],
                "g:" => vec![&mut map.groups],
                _ => vec![&mut map.users, &mut map.groups],
            };
            for table in tables {
                if table.iter().any(|other| other.overlaps(&range)) {
                    return Err(format!("\"{part}\" overlaps a range before it"));
                }
                table.push(range);
            }
        }
        Ok(map)
    }

    pub(super) fn uid(&self, id: u32) -> Option<u32> {
        self.users.iter().find_map(|range| range.map(id))
    }

    pub(super) fn gid(&self, id: u32) -> Option<u32> {
        self.groups.iter().find_map(|range| range.map(id))
    }

    /// Maps the owners of all files that have a name.
    ///
    /// # Errors
    /// The paths of files with an id that is in no range, and the ids. The tree is then unchanged.
    pub(super) fn apply<C>(&self, tree: &mut Tree<C>) -> Result<()> {
        let mut mapped = Vec::new();
        visit_inodes(tree, |id, inode| {
            let mut metadata = inode.metadata.clone();
            self.map(&mut metadata)?;
            mapped.push((id, metadata));
            Ok(())
        })?;
        for (id, metadata) in mapped {
            *tree.metadata_mut(id) = metadata;
        }
        Ok(())
    }

    /// Maps all ids in one file's metadata.
    pub(super) fn map(&self, metadata: &mut Metadata) -> std::result::Result<(), String> {
        let outside = |what: &str, id: u32| format!("{what} {id} is in no range of the map");
        metadata.uid = self.uid(metadata.uid).ok_or_else(|| outside("user", metadata.uid))?;
        metadata.gid = self.gid(metadata.gid).ok_or_else(|| outside("group", metadata.gid))?;
        for (name, value) in &mut metadata.xattrs {
            match name.as_bytes() {
                b"system.posix_acl_access" | b"system.posix_acl_default" => self.map_acl(value)?,
                b"security.capability" => self.map_capability(value)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Maps an ACL, `posix_acl_xattr.h`: 4 bytes of version, then entries of tag (u16), permissions
    /// (u16) and id (u32). An invalid one is left to the format, which refuses it with its path.
    fn map_acl(&self, value: &mut [u8]) -> std::result::Result<(), String> {
        const ACL_USER: [u8; 2] = 0x02_u16.to_le_bytes();
        const ACL_GROUP: [u8; 2] = 0x08_u16.to_le_bytes();
        let (entries, _) = value.get_mut(4..).unwrap_or_default().as_chunks_mut::<8>();
        for [tag0, tag1, _, _, id @ ..] in entries {
            let old = u32::from_le_bytes(*id);
            let (new, what) = match [*tag0, *tag1] {
                ACL_USER => (self.uid(old), "user"),
                ACL_GROUP => (self.gid(old), "group"),
                _ => continue,
            };
            let new = new.ok_or_else(|| format!("{what} {old} of an ACL is in no range of the map"))?;
            *id = new.to_le_bytes();
        }
        Ok(())
    }

    /// Maps `vfs_ns_cap_data`: 20 bytes as in revision 2, then the outside id of the namespace's
    /// root, which revision 3 adds. Capabilities of the root inside become those of revision 2.
    fn map_capability(&self, value: &mut Box<[u8]>) -> std::result::Result<(), String> {
        const REVISION_2: u8 = 2;
        const REVISION_3: u8 = 3;
        let Ok(mut bytes) = <[u8; 24]>::try_from(&value[..]) else { return Ok(()) };
        if bytes[3] != REVISION_3 {
            return Ok(());
        }
        let old = u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]);
        let new = self.uid(old).ok_or_else(|| {
            format!("user {old}, the root of a namespace for its capabilities, is in no range of the map")
        })?;
        if new == 0 {
            bytes[3] = REVISION_2;
            *value = bytes[..20].into();
        } else {
            bytes[20..].copy_from_slice(&new.to_le_bytes());
            *value = bytes.into();
        }
        Ok(())
    }
}

fn range(text: &str) -> Option<Range> {
    let numbers: Option<Vec<u32>> = text
        .split(':')
        .map(|number| number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit())))
        .collect();
    let [inside, outside, count] = numbers?[..] else { return None };
    // The highest 32-bit number is not a valid id.
    let fits = |first: u32| u64::from(first) + u64::from(count) <= u64::from(u32::MAX);
    (count > 0 && fits(inside) && fits(outside)).then_some(Range { inside, outside, count })
}

#[cfg(test)]
mod tests {
    use image_tree::{Inode, InodeId, Kind, Name, XattrName};

    use super::*;

    #[test]
    fn maps_users_and_groups_by_range() {
        let map = IdMap::parse("0:1000:1,1:100000:65535").expect("a map");
        for (outside, inside) in [(1000, 0), (100_000, 1), (165_534, 65535)] {
            assert_eq!((map.uid(outside), map.gid(outside)), (Some(inside), Some(inside)));
        }
        for outside in [0, 999, 1001, 99_999, 165_535, u32::MAX] {
            assert_eq!(map.uid(outside), None, "{outside}");
        }
        let map = IdMap::parse("u:0:1000:1,g:0:100:1,b:1:5000:1").expect("a map");
        assert_eq!((map.uid(1000), map.gid(1000), map.gid(100)), (Some(0), None, Some(0)));
        assert_eq!((map.uid(5000), map.gid(5000)), (Some(1), Some(1)));
    }

    #[test]
    fn refuses_invalid_and_overlapping_ranges() {
        for text in [
            "",
            "0",
            "0:1",
            "0:1:0",
            "0:1:2:3",
            "x:0:0:1",
            "0:0:1,",
            "0:-1:1",
            "0:+1:1",
            "u:",
            "0:0:4294967296",
            "1:0:4294967295",
            "0:0:10,5:100:10",
            "0:0:10,100:9:1",
            "u:0:0:1,b:0:5:1",
        ] {
            assert!(IdMap::parse(text).is_err(), "{text}");
        }
        assert!(IdMap::parse("0:0:4294967295").is_ok());
        assert!(IdMap::parse("u:0:0:1,g:0:0:1").is_ok());
    }

    fn tree(metadata: Metadata) -> Tree<Vec<u8>> {
        let mut tree = Tree::new(Metadata { uid: 1000, gid: 1000, ..Metadata::new(0o755) });
        let inode = Inode { metadata, kind: Kind::Regular(Vec::new()) };
        tree.insert(InodeId::ROOT, Name::new("f").expect("a name"), inode).expect("new");
        tree
    }

    #[test]
    fn maps_acls_and_capabilities_with_the_owners() {
        let mut metadata = Metadata { uid: 1000, gid: 1000, ..Metadata::new(0o755) };
        let acl = |user: u32, group: u32| {
            let entry = |tag: u16, id: u32| {
                [tag.to_le_bytes().as_slice(), &7_u16.to_le_bytes(), &id.to_le_bytes()].concat()
            };
            let parts = [&2_u32.to_le_bytes()[..], &entry(1, u32::MAX), &entry(2, user), &entry(8, group)];
            Box::from(parts.concat())
        };
        let xattr = |text: &str| XattrName::new(text).expect("a name");
        let capability = |revision: u8, root: Option<u32>| {
            let mut bytes = [0; 20].to_vec();
            bytes[0] = 1;
            bytes[3] = revision;
            bytes[5] = 4;
            bytes.extend(root.into_iter().flat_map(u32::to_le_bytes));
            bytes.into_boxed_slice()
        };
        metadata.xattrs.insert(xattr("system.posix_acl_access"), acl(1002, 1003));
        metadata.xattrs.insert(xattr("security.capability"), capability(3, Some(1000)));
        let mut mapped = tree(metadata.clone());
        IdMap::parse("0:1000:10").expect("a map").apply(&mut mapped).expect("all are in it");
        let id = mapped.resolve_no_symlinks(b"/f").expect("it is there");
        let now = &mapped.get(id).metadata;
        assert_eq!((now.uid, now.gid), (0, 0));
        assert_eq!(now.xattrs[&b"system.posix_acl_access"[..]], acl(2, 3));
        assert_eq!(now.xattrs[&b"security.capability"[..]], capability(2, None));

        let mut other = tree(metadata.clone());
        IdMap::parse("5:1000:10").expect("a map").apply(&mut other).expect("all are in it");
        assert_eq!(other.get(id).metadata.xattrs[&b"security.capability"[..]], capability(3, Some(5)));

        let mut kept = tree(metadata);
        let wrong = IdMap::parse("0:1000:3").expect("a map").apply(&mut kept).expect_err("1003 is not");
        assert_eq!(wrong.to_string(), "/f: group 1003 of an ACL is in no range of the map");
        assert_eq!(kept.get(InodeId::ROOT).metadata.uid, 1000, "nothing is done by half");
    }
}
