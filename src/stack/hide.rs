//! Whiteouts: removes files of earlier sources, before any file of the whiteouts' own source is
//! added.

use image_tree::{InodeId, Kind, Metadata, Name};

use super::add_member::absolute;
use super::descend::{Missing, components};
use super::markers::{self, Hides};
use super::{AddError, Addition, Member, MemberKind, Whiteouts};

impl<C: Clone> Addition<'_, C> {
    /// Records a directory that replaces a symbolic link, beneath which no marker has an effect.
    /// Must be called for every member before [`hide`](Self::hide) is called for the first one.
    pub fn record_replaced_link(&mut self, member: &Member<C>) {
        let rules = self.stack.rules;
        if rules.whiteouts != Whiteouts::Apply
            || !matches!(member.kind, MemberKind::Inode(Kind::Directory(_)))
        {
            return;
        }
        // An invalid path is an error of `hide`.
        let Ok(names) = components(&member.path) else { return };
        let Some((name, parents)) = names.split_last() else { return };
        let Ok(Some(parent)) = self.descend(parents, Missing::StopAtReplaced) else { return };
        let existing = self.stack.tree.lookup(parent, name).map(|id| &self.stack.tree.get(id).kind);
        if !matches!(existing, Some(Kind::Symlink(_)))
            || rules.keep_directory_symlink && self.leads_to_directory(&names)
        {
            return;
        }
        if let Ok(name) = Name::new(name) {
            self.replaced_links.entry(parent).or_default().insert(name);
        }
    }

    /// Removes the files that a member hides, if it is a marker and the rules are to apply markers.
    /// Must be called for every member before the first one is added.
    ///
    /// # Errors
    /// If the member hides an invalid name, or needs overlayfs to be complete.
    pub fn hide(&mut self, member: &Member<C>) -> Result<(), AddError> {
        if self.stack.rules.whiteouts != Whiteouts::Apply {
            return Ok(());
        }
        let names = components(&member.path)?;
        let kind = match &member.kind {
            MemberKind::Inode(kind) => Some(kind),
            MemberKind::HardLink(_) => None,
        };
        let is_layer = self.stack.rules.is_layer;
        if kind.is_some()
            && !is_layer
            && let Some(xattr) = markers::needs_overlay(&member.metadata)
        {
            return Err(AddError::Overlay(xattr));
        }
        let is_opaque =
            !is_layer && matches!(kind, Some(Kind::Directory(_))) && markers::is_opaque(&member.metadata);
        let Some((name, parents)) = names.split_last() else {
            if is_opaque {
                self.hide_entries(InodeId::ROOT);
            }
            return Ok(());
        };
        let hides = match &member.kind {
            MemberKind::Inode(_) => markers::hides(name, &member.metadata, kind)?,
            MemberKind::HardLink(target) => self.link_hides(name, &member.metadata, target)?,
        };
        self.record_whiteout(&names, hides.as_ref());
        if hides.is_none() && !is_opaque {
            return Ok(());
        }
        let Some(parent) = self.directory_of_whiteout(parents)? else { return Ok(()) };
        match hides {
            Some(Hides::Directory) => self.hide_entries(parent),
            Some(Hides::Name(hidden)) => self.hide_name(parent, &hidden),
            None => {
                let name = Name::new(name)?;
                if let Some(own) = self.lower_directory(parent, &name, || absolute(&names)) {
                    self.hide_entries(own);
                }
            }
        }
        Ok(())
    }

    /// Returns the files that a hard link hides. The kernel makes the whiteouts of an overlayfs
    /// directory hard links to one device, and tar archives all but the first of them as hard
    /// links.
    fn link_hides(&self, name: &[u8], metadata: &Metadata, target: &[u8]) -> Result<Option<Hides>, AddError> {
        let hides = markers::hides::<C>(name, metadata, None)?;
        let is_whiteout = || {
            !self.whiteouts.is_empty()
                && components(target).is_ok_and(|target| self.whiteouts.contains(&absolute(&target)))
        };
        Ok(hides.or_else(|| is_whiteout().then(|| Hides::Name(name.to_vec()))))
    }

    /// Records a whiteout for hard links to it, or removes the record if its own source has another
    /// file at that path.
    fn record_whiteout(&mut self, names: &[&[u8]], hides: Option<&Hides>) {
        let is_whiteout =
            matches!((hides, names.last()), (Some(Hides::Name(hidden)), Some(name)) if hidden == name);
        if is_whiteout {
            self.whiteouts.insert(absolute(names));
        } else if !self.whiteouts.is_empty() {
            self.whiteouts.remove(&absolute(names));
        }
    }

    /// Removes every entry of a directory.
    pub(super) fn hide_entries(&mut self, directory: InodeId) {
        let entries = self.stack.tree.entries(directory).into_iter().flatten();
        let names: Vec<Name> = entries.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.hide_name(directory, name.as_bytes());
        }
    }

    /// Removes an entry, if it exists.
    pub(super) fn hide_name(&mut self, parent: InodeId, name: &[u8]) {
        if let Some(id) = self.stack.tree.remove(parent, name)
            && let Ok(name) = Name::new(name)
        {
            self.report.hidden += 1;
            self.hidden.entry(parent).or_default().insert(name, id);
        }
    }

    /// Returns the directory that contains a whiteout. Without one, there is nothing to hide.
    fn directory_of_whiteout(&mut self, names: &[&[u8]]) -> Result<Option<InodeId>, AddError> {
        match self.descend(names, Missing::StopAtReplaced) {
            Err(AddError::NotADirectory { .. } | AddError::TooManyLinks | AddError::LinksTooDeep) => Ok(None),
            found => found,
        }
    }

    /// Returns the file at a path as it was before whiteouts removed it. No link is followed.
    pub(super) fn hidden_file(&self, names: &[&[u8]]) -> Option<InodeId> {
        names.iter().try_fold(InodeId::ROOT, |directory, name| {
            let hidden = self.hidden.get(&directory).and_then(|entries| entries.get(*name)).copied();
            hidden.or_else(|| self.stack.tree.lookup(directory, name))
        })
    }
}
