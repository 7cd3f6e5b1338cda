//! Whiteouts take away files of earlier sources, before anything is added of their own.

use image_tree::{InodeId, Kind, Name, Tree};

use super::add::whole;
use super::descend::{Missing, components};
use super::markers::{self, Hides};
use super::{AddError, Addition, Member, MemberKind, Whiteouts};

impl<C: Clone> Addition<'_, C> {
    /// Takes away what a member hides, if it is a marker and the rules are to apply them. To be called for every member
    /// before the first one is added.
    ///
    /// # Errors
    /// When the member hides no name, or is one that only overlayfs can complete.
    pub fn hide(&mut self, member: &Member<C>) -> Result<(), AddError> {
        if self.stack.rules.whiteouts != Whiteouts::Apply {
            return Ok(());
        }
        let names = components(&member.path)?;
        let kind = match &member.kind {
            MemberKind::Inode(kind) => Some(kind),
            MemberKind::HardLink(_) => None,
        };
        if kind.is_some()
            && let Some(xattr) = markers::needs_overlay(&member.metadata)
        {
            return Err(AddError::Overlay(xattr));
        }
        let is_opaque = matches!(kind, Some(Kind::Directory(_))) && markers::is_opaque(&member.metadata);
        let Some((name, parents)) = names.split_last() else {
            if is_opaque {
                self.hide_entries(Tree::<C>::ROOT);
            }
            return Ok(());
        };
        let hides = markers::hides(name, &member.metadata, kind)?;
        if hides.is_none() && !is_opaque {
            return Ok(());
        }
        let Some(parent) = self.directory_of_whiteout(parents)? else { return Ok(()) };
        match hides {
            Some(Hides::Directory) => self.hide_entries(parent),
            Some(Hides::Name(hidden)) => self.hide_name(parent, &hidden),
            None => {
                let name = Name::new(name)?;
                if let Some(own) = self.lower_directory(parent, &name, || whole(&names)) {
                    self.hide_entries(own);
                }
            }
        }
        Ok(())
    }

    /// Takes every entry of a directory away.
    pub(super) fn hide_entries(&mut self, directory: InodeId) {
        let entries = self.stack.tree.entries(directory).into_iter().flatten();
        let names: Vec<Name> = entries.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.hide_name(directory, name.as_bytes());
        }
    }

    /// Takes an entry away, if it is there.
    pub(super) fn hide_name(&mut self, parent: InodeId, name: &[u8]) {
        if let Some(id) = self.stack.tree.remove(parent, name)
            && let Ok(name) = Name::new(name)
        {
            self.report.hidden += 1;
            self.hidden.entry(parent).or_default().insert(name, id);
        }
    }

    /// The directory a whiteout lies in. Where there is none, there is nothing to hide.
    fn directory_of_whiteout(&mut self, names: &[&[u8]]) -> Result<Option<InodeId>, AddError> {
        match self.descend(names, Missing::Stop) {
            Err(AddError::NotADirectory { .. } | AddError::TooManyLinks | AddError::LinksTooDeep) => Ok(None),
            found => found,
        }
    }

    /// The file at a path as it was before whiteouts took it away. No link is followed.
    pub(super) fn hidden_file(&self, names: &[&[u8]]) -> Option<InodeId> {
        names.iter().try_fold(Tree::<C>::ROOT, |directory, name| {
            let hidden = self.hidden.get(&directory).and_then(|entries| entries.get(*name)).copied();
            hidden.or_else(|| self.stack.tree.lookup(directory, name))
        })
    }
}
