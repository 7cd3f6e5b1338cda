//! Adds a whole tree.

use std::collections::BTreeSet;

use image_tree::{Inode, InodeId, Kind, Name, Tree, Walk};

use super::descend::{Missing, components};
use super::markers::{self, Hides, Markers};
use super::{AddError, Addition, Replaced, Report, Stack, Whiteouts};

/// The effect of adding a tree.
#[derive(Debug)]
pub struct AddedTree {
    ids: Ids,
    /// The effect on earlier sources.
    pub report: Report,
}

#[derive(Debug)]
enum Ids {
    /// The ids are unchanged.
    Same,
    /// The ids in the stack's tree, by the index of those in the tree that was added; none for
    /// files that were not added.
    New(Vec<Option<InodeId>>),
}

impl AddedTree {
    /// Returns the id in the stack's tree of an inode of the tree that was added, if it was added.
    #[must_use]
    pub fn id(&self, id: InodeId) -> Option<InodeId> {
        match &self.ids {
            Ids::Same => Some(id),
            Ids::New(ids) => ids.get(id.index()).copied().flatten(),
        }
    }
}

impl<C: Clone> Stack<C> {
    /// Adds a tree. The first source of a stack is taken unchanged, with its ids.
    ///
    /// # Errors
    /// If a marker of the tree cannot be applied, or both trees together have more inodes than a
    /// tree can.
    pub fn add_tree(&mut self, upper: Tree<C>) -> Result<AddedTree, AddError> {
        let is_first = std::mem::replace(&mut self.is_empty, false);
        let whiteouts = self.rules.whiteouts;
        let markers = match whiteouts {
            Whiteouts::Report => count(&upper),
            Whiteouts::Keep | Whiteouts::Apply => Markers::default(),
        };
        if is_first && whiteouts != Whiteouts::Apply {
            (self.tree, self.is_single_tree) = (upper, true);
            return Ok(AddedTree { ids: Ids::Same, report: Report { markers, ..Report::default() } });
        }
        let root = upper.get(InodeId::ROOT).metadata.clone();
        let mut addition = self.members(root);
        if whiteouts == Whiteouts::Apply {
            addition.hide_by_markers(&upper)?;
        }
        let ids = Ids::New(addition.insert_tree(&upper)?);
        let mut report = addition.finish();
        (report.markers, report.implied) = (markers, BTreeSet::new());
        Ok(AddedTree { ids, report })
    }
}

fn count<C>(tree: &Tree<C>) -> Markers {
    let mut markers = Markers::default();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let inode = tree.get(step.id);
        let name = step.name.map_or(&b""[..], Name::as_bytes);
        markers.count(name, &inode.metadata, Some(&inode.kind), || path_of(&walk));
    }
    markers
}

impl<C: Clone> Addition<'_, C> {
    /// Removes the files that the markers of a tree hide. Markers have no effect beneath a file
    /// that their own source puts in the place of a directory.
    fn hide_by_markers(&mut self, upper: &Tree<C>) -> Result<(), AddError> {
        // The directory of earlier sources for each directory of the tree.
        let mut below: Vec<Option<InodeId>> = vec![None; upper.inode_count()];
        let mut walk = upper.walk();
        while let Some(step) = walk.next() {
            let Inode { metadata, kind } = upper.get(step.id);
            if let Some(xattr) = markers::needs_overlay(metadata) {
                return Err(at(&walk, AddError::Overlay(xattr)));
            }
            let parent = below[step.parent.index()];
            let hides = match step.name {
                Some(name) => {
                    let hides = markers::hides(name.as_bytes(), metadata, Some(kind));
                    hides.map_err(|error| at(&walk, error))?
                }
                None => None,
            };
            match (hides, parent) {
                (Some(Hides::Name(hidden)), Some(parent)) => self.hide_name(parent, &hidden),
                (Some(Hides::Directory), Some(parent)) => self.hide_entries(parent),
                (Some(_), None) => {}
                (None, _) if matches!(kind, Kind::Directory(_)) => {
                    let own = match (step.name, parent) {
                        (None, _) => Some(InodeId::ROOT),
                        (Some(name), Some(parent)) => self.lower_directory(parent, name, || path_of(&walk)),
                        (Some(_), None) => None,
                    };
                    if let Some(own) = own.filter(|_| markers::is_opaque(metadata)) {
                        self.hide_entries(own);
                    }
                    below[step.id.index()] = own;
                }
                (None, _) => {}
            }
        }
        Ok(())
    }

    /// Returns the directory of earlier sources that a directory is merged with, if there is one.
    pub(super) fn lower_directory(
        &mut self,
        parent: InodeId,
        name: &Name,
        path: impl FnOnce() -> Vec<u8>,
    ) -> Option<InodeId> {
        let existing = self.stack.tree.lookup(parent, name.as_bytes())?;
        match &self.stack.tree.get(existing).kind {
            Kind::Directory(_) => Some(existing),
            Kind::Symlink(_) if self.stack.rules.keep_directory_symlink => {
                let path = path();
                let names = components(&path).ok()?;
                self.descend(&names, Missing::Stop).ok().flatten()
            }
            _ => None,
        }
    }

    /// Adds all entries of a tree and returns their new ids.
    fn insert_tree(&mut self, upper: &Tree<C>) -> Result<Vec<Option<InodeId>>, AddError> {
        let applies = self.stack.rules.whiteouts == Whiteouts::Apply;
        let mut ids: Vec<Option<InodeId>> = vec![None; upper.inode_count()];
        let mut walk = upper.walk();
        while let Some(step) = walk.next() {
            let inode = upper.get(step.id);
            let Some(name) = step.name else {
                ids[step.id.index()] = Some(InodeId::ROOT);
                self.set_metadata(InodeId::ROOT, inode, applies);
                continue;
            };
            // Files beneath a marker have no parent here.
            let Some(parent) = ids[step.parent.index()] else { continue };
            if applies && is_marker_entry(name, inode)? {
                continue;
            }
            let is_directory = matches!(inode.kind, Kind::Directory(_));
            if let Some(existing) = self.stack.tree.lookup(parent, name.as_bytes()) {
                if is_directory && let Some(own) = self.lower_directory(parent, name, || path_of(&walk)) {
                    if own == existing {
                        self.set_metadata(own, inode, applies);
                    }
                    ids[step.id.index()] = Some(own);
                    continue;
                }
                let was = self.stack.tree.get(existing).kind.file_type();
                self.report.replaced.push(Replaced {
                    path: path_of(&walk),
                    was,
                    now: inode.kind.file_type(),
                });
                self.stack.tree.remove(parent, name.as_bytes());
            }
            let added = match ids[step.id.index()] {
                Some(first) => self.stack.tree.link(parent, name.clone(), first),
                None => self.stack.tree.insert(parent, name.clone(), without_entries(inode)).map(|id| {
                    ids[step.id.index()] = Some(id);
                    if applies {
                        markers::drop_xattrs(self.stack.tree.metadata_mut(id));
                    }
                }),
            };
            added.map_err(|error| at(&walk, error.into()))?;
        }
        Ok(ids)
    }

    fn set_metadata(&mut self, id: InodeId, inode: &Inode<C>, applies: bool) {
        let metadata = self.stack.tree.metadata_mut(id);
        metadata.clone_from(&inode.metadata);
        if applies {
            markers::drop_xattrs(metadata);
        }
    }
}

fn path_of<C>(walk: &Walk<'_, C>) -> Vec<u8> {
    let mut path = Vec::new();
    walk.write_path(&mut path);
    path
}

/// Adds the path of the walk's current step to an error.
fn at<C>(walk: &Walk<'_, C>, error: AddError) -> AddError {
    AddError::At { path: path_of(walk), source: Box::new(error) }
}

fn is_marker_entry<C>(name: &Name, inode: &Inode<C>) -> Result<bool, AddError> {
    let name = name.as_bytes();
    let hides = markers::hides(name, &inode.metadata, Some(&inode.kind))?;
    Ok(hides.is_some() || name.starts_with(markers::RESERVED))
}

fn without_entries<C: Clone>(inode: &Inode<C>) -> Inode<C> {
    match &inode.kind {
        Kind::Directory(_) => Inode::directory(inode.metadata.clone()),
        _ => inode.clone(),
    }
}
