//! Owners of members, and records about files that are kept until all sources are added.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::{InodeId, Metadata, Tree};

use crate::blob::Blob;
use crate::error::Result;
use crate::source::directory::Unreadable;
use crate::source::tar::Owner;
use crate::stack::{Member, MemberKind};
use crate::transform::normalize;
use crate::transform::ownership::{Owners, SetIdChange, visit_inodes};

/// Files of the sources so far, by their ids in the stack's tree. A file that a later source
/// replaces has another id.
#[derive(Default)]
pub(super) struct FileRecords {
    /// The unreadable files.
    pub(super) unreadable: Vec<(InodeId, Unreadable)>,
    /// For each source, programs that run as another user or group now.
    pub(super) set_id: Vec<SetIdFiles>,
}

/// Programs that run as another user or group now, by their ids.
pub(super) struct SetIdFiles {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) ids: Vec<InodeId>,
}

impl FileRecords {
    /// Returns the same by the paths that the files have in the final tree, without files that have
    /// none.
    pub(super) fn by_path(self, tree: &Tree<Blob>) -> (Vec<Unreadable>, Vec<SetIdChange>) {
        let Self { unreadable, set_id } = self;
        let is_moved = |id: InodeId, one: &Unreadable| tree.resolve_no_symlinks(&one.path()) != Some(id);
        let moved = unreadable.iter().filter(|(id, one)| is_moved(*id, one)).map(|(id, _)| *id);
        let wanted: BTreeSet<InodeId> =
            moved.chain(set_id.iter().flat_map(|files| files.ids.iter().copied())).collect();
        let paths = paths_of(tree, &wanted);
        let unreadable = unreadable.into_iter().filter_map(|(id, one)| {
            if !is_moved(id, &one) {
                return Some(one);
            }
            // It was added beneath the target of a link, or was replaced.
            let path = paths.get(&id)?;
            Some(one.moved_to(path.strip_prefix(b"/").unwrap_or(path)))
        });
        let set_id = set_id.into_iter().map(|SetIdFiles { uid, gid, ids }| {
            let paths = ids.iter().filter_map(|id| paths.get(id).cloned());
            SetIdChange { uid, gid, paths: paths.collect() }
        });
        (unreadable.collect(), set_id.filter(|change| !change.paths.is_empty()).collect())
    }
}

/// Returns the first path of each of these inodes that has one.
fn paths_of(tree: &Tree<Blob>, wanted: &BTreeSet<InodeId>) -> BTreeMap<InodeId, Vec<u8>> {
    let mut paths = BTreeMap::new();
    if wanted.is_empty() {
        return paths;
    }
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        if step.first && wanted.contains(&step.id) {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            paths.insert(step.id, path);
        }
    }
    paths
}

/// Sets the owners of members and drops metadata that is meaningless outside of the host they came
/// from.
pub(super) struct MemberOwners<'a> {
    owners: Owners<'a>,
    normal: normalize::Options<'a>,
    report: normalize::Report,
    /// The owner of the root directory: the user who built the tree.
    builder: (u32, u32),
    /// Programs that run as another user or group now, with their former owner and their mode.
    gains: BTreeMap<InodeId, ((u32, u32), u16)>,
    /// The reasons that owners of files are unknown.
    wrong: BTreeMap<InodeId, String>,
    count: u64,
}

/// The state that is kept of a member until it is added.
pub(super) enum Mark {
    Plain,
    Gain((u32, u32), u16),
    Wrong(String),
}

impl<'a> MemberOwners<'a> {
    pub(super) fn new(owners: Owners<'a>, normal: normalize::Options<'a>) -> Self {
        Self {
            owners,
            normal,
            report: normalize::Report::default(),
            builder: (0, 0),
            gains: BTreeMap::new(),
            wrong: BTreeMap::new(),
            count: 0,
        }
    }

    /// Returns the number of members with an inode of their own that were added.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the report on dropped xattrs and clamped times. Records programs that run as another
    /// user or group now.
    ///
    /// # Errors
    /// If the owners of some files are unknown.
    pub(super) fn finish(
        mut self,
        tree: &Tree<Blob>,
        records: &mut FileRecords,
    ) -> Result<normalize::Report> {
        if !self.wrong.is_empty() {
            // A file that a later member replaced has no name, and needs no owner.
            visit_inodes(tree, |id, _| self.wrong.remove(&id).map_or(Ok(()), Err))?;
        }
        let Metadata { uid, gid, .. } = self.owners.implied_metadata();
        let is_gain = |(former, mode)| self.owners.gains_identity(former, mode, self.builder);
        let gains = self.gains.iter().filter(|(_, gain)| is_gain(**gain));
        let ids: Vec<InodeId> = gains.map(|(id, _)| *id).collect();
        if !ids.is_empty() {
            records.set_id.push(SetIdFiles { uid, gid, ids });
        }
        Ok(self.report)
    }
}

impl Owner for MemberOwners<'_> {
    type Mark = Mark;

    fn implied_metadata(&self) -> Metadata {
        self.owners.implied_metadata()
    }

    fn set_owner(&mut self, member: &mut Member<Blob>) -> Mark {
        let Member { path, metadata, kind } = member;
        // The metadata of a hard link is that of its target.
        let MemberKind::Inode(kind) = kind else { return Mark::Plain };
        if path.split(|byte| *byte == b'/').all(|name| matches!(name, b"" | b".")) {
            self.builder = (metadata.uid, metadata.gid);
        }
        let given = self.owners.set_owner(metadata, kind);
        normalize::apply_to(metadata, self.normal, &mut self.report);
        match given {
            Ok(None) => Mark::Plain,
            Ok(Some(former)) => Mark::Gain(former, metadata.mode),
            Err(why) => Mark::Wrong(why),
        }
    }

    fn added(&mut self, mark: Mark, id: InodeId) {
        self.count += 1;
        match mark {
            // A later member for the same directory takes precedence.
            Mark::Plain if self.wrong.is_empty() => {}
            Mark::Plain => _ = self.wrong.remove(&id),
            Mark::Gain(former, mode) => _ = self.gains.insert(id, (former, mode)),
            Mark::Wrong(why) => _ = self.wrong.insert(id, why),
        }
    }

    fn id(&self, is_user: bool, id: u32) -> Option<u32> {
        self.owners.id(is_user, id)
    }
}
