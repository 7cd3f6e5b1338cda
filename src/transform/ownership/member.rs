//! The owners of files that are read one at a time.

use image_tree::{Content, Kind, Metadata};

use super::choice::Ownership;
use super::error::not_a_directory;
use super::{set_id, xattr};
use crate::error::Result;

/// The owners of files that are read one at a time, as the members of an archive are.
#[derive(Clone, Copy, Debug)]
pub struct Owners<'a> {
    ownership: &'a Ownership,
    default: &'a Ownership,
}

impl<'a> Owners<'a> {
    /// Returns the owners as [`apply`](super::apply) sets them, for a source that is not a
    /// directory of the host.
    ///
    /// # Errors
    /// If the ownership is only for directories of the host.
    pub fn new(ownership: &'a Ownership, default: &'a Ownership) -> Result<Self> {
        match ownership {
            Ownership::Fakeroot(path) => Err(not_a_directory(path)),
            _ => Ok(Self { ownership, default }),
        }
    }

    /// Sets the owner of a file. Returns the former one if the file is a program that would run as
    /// another user or group now.
    ///
    /// # Errors
    /// Returns a message if the owner is unknown.
    pub fn set_owner<C: Content>(
        &self,
        metadata: &mut Metadata,
        kind: &mut Kind<C>,
    ) -> std::result::Result<Option<(u32, u32)>, String> {
        let before = (metadata.uid, metadata.gid);
        match self.ownership {
            Ownership::Keep | Ownership::Fakeroot(_) => {}
            Ownership::Root => (metadata.uid, metadata.gid) = (0, 0),
            Ownership::Ids { uid, gid } => (metadata.uid, metadata.gid) = (*uid, *gid),
            Ownership::Map(map) => {
                map.map(metadata)?;
                return Ok(None);
            }
            Ownership::Xattr | Ownership::Mtree(_) => {
                let default = Self { ownership: self.default, default: &Ownership::Keep };
                let gained = default.set_owner(metadata, kind)?;
                let given = (metadata.uid, metadata.gid);
                if self.ownership == &Ownership::Xattr {
                    xattr::apply_to(metadata, kind)?;
                }
                let still = (metadata.uid, metadata.gid) == given && set_id::is_set_id(metadata);
                return Ok(gained.filter(|_| still));
            }
        }
        let differs = [before.0 != metadata.uid, before.1 != metadata.gid];
        let gains = set_id::changes_identity(metadata.mode, differs);
        // On a directory the bits only determine the owners of new files.
        Ok((gains && matches!(kind, Kind::Regular(_))).then_some(before))
    }

    /// Returns the metadata of a directory that is needed and missing in the source. It belongs to
    /// the tree, so its owner is not one of the source's that a map would shift.
    #[must_use]
    pub fn implied_metadata(&self) -> Metadata {
        let given = match self.ownership {
            Ownership::Xattr | Ownership::Mtree(_) => self.default,
            own => own,
        };
        let (uid, gid) = match given {
            Ownership::Ids { uid, gid } => (*uid, *gid),
            _ => (0, 0),
        };
        Metadata { uid, gid, ..Metadata::new(0o755) }
    }

    /// Returns the user or group of the tree for a number of the source; none if no range of the
    /// map has it.
    #[must_use]
    pub fn id(&self, is_user: bool, id: u32) -> Option<u32> {
        match self.ownership {
            Ownership::Map(map) if is_user => map.uid(id),
            Ownership::Map(map) => map.gid(id),
            _ => Some(id),
        }
    }

    /// Returns true for a program that runs as another user or group now, by its former owner,
    /// unless that was `builder`: a program that is set-user-id to its builder is intended for any
    /// owner that it gets.
    #[must_use]
    pub fn gains_identity(&self, former: (u32, u32), mode: u16, builder: (u32, u32)) -> bool {
        let now = self.implied_metadata();
        let differs = |id: u32, now: u32, builder: u32| id != now && id != builder;
        let (user, group) = (differs(former.0, now.uid, builder.0), differs(former.1, now.gid, builder.1));
        set_id::changes_identity(mode, [user, group])
    }
}
