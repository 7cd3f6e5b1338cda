//! Adds one member.

use image_tree::{FileType, Inode, InodeId, Kind, Metadata, Name};

use super::descend::{Missing, components};
use super::markers::{self, Hides};
use super::{AddError, Addition, MemberKind, Replaced, Whiteouts};

impl<C: Clone> Addition<'_, C> {
    /// Adds a member, or replaces an existing file. Returns the inode that has the member's
    /// metadata and contents now, and none if there is no such inode: for a hard link, a whiteout,
    /// and a directory that a link is kept for.
    ///
    /// With [`Whiteouts::Apply`] all members must have been passed to
    /// [`record_replaced_link`](Self::record_replaced_link) and [`hide`](Self::hide) before.
    ///
    /// # Errors
    /// If the member's path or target is invalid, or leads through something other than a
    /// directory.
    pub fn add(
        &mut self,
        path: &[u8],
        mut metadata: Metadata,
        kind: MemberKind<C>,
    ) -> Result<Option<InodeId>, AddError> {
        let names = components(path)?;
        let rules = self.stack.rules;
        if rules.whiteouts == Whiteouts::Apply {
            if self.is_marker(&names, &metadata, &kind)? {
                return Ok(None);
            }
            if !rules.is_layer {
                markers::drop_xattrs(&mut metadata);
            }
        }
        let Some((name, parents)) = names.split_last() else {
            return self.set_root(metadata, kind).map(Some);
        };
        let name = Name::new(name)?;
        if rules.whiteouts == Whiteouts::Report {
            let kind = match &kind {
                MemberKind::Inode(kind) => Some(kind),
                MemberKind::HardLink(_) => None,
            };
            self.report.markers.count(name.as_bytes(), &metadata, kind, || absolute(&names));
        }
        let parent = self.parent(path, parents)?;
        match kind {
            MemberKind::Inode(kind) => self.insert_inode(parent, name, &names, Inode { metadata, kind }),
            MemberKind::HardLink(target) => {
                let existing = self.stack.tree.lookup(parent, name.as_bytes());
                let target = self.hard_link_target(target, existing)?;
                // A link to itself has no effect.
                if existing != Some(target) {
                    let now = self.stack.tree.get(target).kind.file_type();
                    self.make_room(parent, &name, &names, now);
                    self.stack.tree.link(parent, name, target)?;
                }
                Ok(None)
            }
        }
    }

    /// Puts an inode into a directory; a directory is merged with an existing one.
    fn insert_inode(
        &mut self,
        parent: InodeId,
        name: Name,
        names: &[&[u8]],
        inode: Inode<C>,
    ) -> Result<Option<InodeId>, AddError> {
        if matches!(inode.kind, Kind::Directory(_))
            && let Some(id) = self.stack.tree.lookup(parent, name.as_bytes())
        {
            match self.stack.tree.get(id).kind.file_type() {
                FileType::Directory => {
                    *self.stack.tree.metadata_mut(id) = inode.metadata;
                    self.report.implied.remove(&id);
                    return Ok(Some(id));
                }
                FileType::Symlink
                    if self.stack.rules.keep_directory_symlink && self.leads_to_directory(names) =>
                {
                    return Ok(None);
                }
                _ => {}
            }
        }
        self.make_room(parent, &name, names, inode.kind.file_type());
        Ok(Some(self.stack.tree.insert(parent, name, inode)?))
    }

    /// Returns true for a whiteout. Records a name that is reserved for such markers, to be dropped
    /// with everything beneath it in the end.
    fn is_marker(
        &mut self,
        names: &[&[u8]],
        metadata: &Metadata,
        kind: &MemberKind<C>,
    ) -> Result<bool, AddError> {
        let inode = match kind {
            MemberKind::Inode(kind) => Some(kind),
            MemberKind::HardLink(_) => None,
        };
        let Some((name, _)) = names.split_last() else { return Ok(false) };
        if let Some(Hides::Name(_) | Hides::Directory) = markers::hides(name, metadata, inode)? {
            return Ok(true);
        }
        // Markers by name are handled above, so this is a hard link to a device.
        if inode.is_none() && !self.whiteouts.is_empty() && self.whiteouts.contains(&absolute(names)) {
            return Ok(true);
        }
        let reserved = names.iter().position(|name| name.starts_with(markers::RESERVED));
        if let Some((at, name)) = reserved.and_then(|at| Some((at, names.get(at)?)))
            && let Some(above) = self.descend(&names[..at], Missing::Create)?
        {
            self.dropped.insert((above, Name::new(name)?));
        }
        Ok(false)
    }

    fn set_root(&mut self, metadata: Metadata, kind: MemberKind<C>) -> Result<InodeId, AddError> {
        match kind {
            MemberKind::Inode(Kind::Directory(_)) => {
                if self.stack.rules.whiteouts == Whiteouts::Report {
                    self.report.markers.count::<C>(b"", &metadata, None, || b"/".to_vec());
                }
                *self.stack.tree.metadata_mut(InodeId::ROOT) = metadata;
                self.report.implied.remove(&InodeId::ROOT);
                Ok(InodeId::ROOT)
            }
            MemberKind::Inode(kind) => Err(AddError::Root(kind.file_type().name())),
            MemberKind::HardLink(_) => Err(AddError::Root("a hard link")),
        }
    }

    /// Returns true where a path leads to a directory, its last name followed too.
    pub(super) fn leads_to_directory(&mut self, names: &[&[u8]]) -> bool {
        matches!(self.descend(names, Missing::Stop), Ok(Some(_)))
    }

    /// Removes a name, if it exists, to make room.
    fn make_room(&mut self, parent: InodeId, name: &Name, names: &[&[u8]], now: FileType) {
        let Some(id) = self.stack.tree.remove(parent, name.as_bytes()) else { return };
        let was = self.stack.tree.get(id).kind.file_type();
        if matches!(was, FileType::Directory | FileType::Symlink) {
            // The path of the last member may have led through it.
            self.last = None;
        }
        if id.index() < self.lower {
            self.report.replaced.push(Replaced { path: absolute(names), was, now });
        }
    }

    /// Returns the target of a hard link in the place of `existing`.
    fn hard_link_target(&mut self, path: Vec<u8>, existing: Option<InodeId>) -> Result<InodeId, AddError> {
        let names = match components(&path) {
            Ok(names) => names,
            Err(source) => return Err(AddError::HardLinkPath { target: path, source: Box::new(source) }),
        };
        let Some((name, parents)) = names.split_last() else {
            return Err(AddError::HardLinkToDirectory(path));
        };
        let now = match self.descend(parents, Missing::Stop) {
            Ok(Some(parent)) => self.stack.tree.lookup(parent, name),
            Err(error @ AddError::TooManySteps) => return Err(error),
            Ok(None) | Err(_) => None,
        };
        match now.or_else(|| self.hidden_file(&names)) {
            None => Err(AddError::HardLinkToNothing(path)),
            Some(id) if existing != Some(id) && self.stack.tree.entries(id).is_some() => {
                Err(AddError::HardLinkToDirectory(path))
            }
            Some(id) => Ok(id),
        }
    }
}

/// Returns the absolute path with these names.
pub(super) fn absolute(names: &[&[u8]]) -> Vec<u8> {
    let mut path = Vec::new();
    for name in names {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}
