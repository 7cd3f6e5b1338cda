//! The tree of the sources up to one, with the changes to the whole tree.

use std::collections::BTreeMap;

use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree};

use super::error::LayerError;

/// The same directory in several trees.
#[derive(Clone, Copy)]
struct Place {
    /// In the tree that is made.
    made: InodeId,
    /// In the tree of all sources, and in the merged tree; none if a later source hides it.
    later: Option<(InodeId, InodeId)>,
}

/// Returns the tree `state` of some sources. What later sources leave alone is as in the merged tree,
/// and absent where it is absent there; `all` has it by the same ids. What they hide is unchanged.
pub(super) fn kept<C: Clone + PartialEq>(
    state: &Tree<C>,
    all: &Tree<C>,
    merged: &Tree<C>,
) -> Result<Tree<C>, LayerError> {
    let root = (InodeId::ROOT, InodeId::ROOT);
    let mut copy = Copy {
        tree: Tree::new(Metadata::new(0)),
        states: BTreeMap::new(),
        unclaimed: BTreeMap::new(),
        merged: BTreeMap::new(),
    };
    *copy.tree.metadata_mut(InodeId::ROOT) = metadata((state, InodeId::ROOT), all, (merged, root.1)).clone();
    let mut places: Vec<Option<Place>> = vec![None; state.inode_count()];
    places[InodeId::ROOT.index()] = Some(Place { made: InodeId::ROOT, later: Some(root) });
    for step in state.walk() {
        let Some(name) = step.name else { continue };
        let Some(Place { made: parent, later }) = places[step.parent.index()] else { continue };
        let inode = state.get(step.id);
        let is_hidden =
            later.and_then(|(all_parent, _)| all.lookup(all_parent, name.as_bytes())) != Some(step.id);
        let place = if is_hidden {
            Place { made: copy.hidden((parent, name), (step.id, inode))?, later: None }
        } else {
            let found = later.and_then(|(_, merged_parent)| merged.lookup(merged_parent, name.as_bytes()));
            let Some(found) = found else { continue };
            let metadata = metadata((state, step.id), all, (merged, found)).clone();
            let inode = Inode { metadata, ..without_entries(merged.get(found)) };
            let made = copy.merged((parent, name), step.id, (found, inode))?;
            Place { made, later: Some((step.id, found)) }
        };
        let is_directory = |tree: &Tree<C>, id| tree.entries(id).is_some();
        if is_directory(state, step.id) && is_directory(&copy.tree, place.made) {
            places[step.id.index()] = Some(place);
        }
    }
    Ok(copy.tree)
}

/// Returns the metadata of a file that no later source hides: that of the merged tree, unless a later
/// source has the same directory with other metadata.
fn metadata<'t, C>(
    (state, id): (&'t Tree<C>, InodeId),
    all: &Tree<C>,
    (merged, found): (&'t Tree<C>, InodeId),
) -> &'t Metadata {
    let own = &state.get(id).metadata;
    if all.get(id).metadata == *own { &merged.get(found).metadata } else { own }
}

/// A tree that is made of files of two others.
struct Copy<C> {
    tree: Tree<C>,
    /// The ids here of files of the sources that are not directories.
    states: BTreeMap<InodeId, InodeId>,
    /// Those of them that only hidden names lead to.
    unclaimed: BTreeMap<InodeId, InodeId>,
    /// The ids here of files of the merged tree.
    merged: BTreeMap<InodeId, InodeId>,
}

impl<C: Clone + PartialEq> Copy<C> {
    /// Adds a name of a file of the sources that is hidden later.
    fn hidden(
        &mut self,
        (parent, name): (InodeId, &Name),
        (id, inode): (InodeId, &Inode<C>),
    ) -> Result<InodeId, LayerError> {
        if let Some(made) = self.states.get(&id) {
            self.tree.link(parent, name.clone(), *made)?;
            return Ok(*made);
        }
        let made = self.tree.insert(parent, name.clone(), without_entries(inode))?;
        if self.tree.entries(made).is_none() {
            self.states.insert(id, made);
            self.unclaimed.insert(id, made);
        }
        Ok(made)
    }

    /// Adds a name of a file of the merged tree, which is the file `id` of the sources. If a hidden name
    /// is one of the same file, it stays so.
    fn merged(
        &mut self,
        (parent, name): (InodeId, &Name),
        id: InodeId,
        (found, inode): (InodeId, Inode<C>),
    ) -> Result<InodeId, LayerError> {
        let same = self.unclaimed.get(&id).filter(|made| *self.tree.get(**made) == inode);
        if let Some(made) = self.merged.get(&found).or(same).copied() {
            self.unclaimed.remove(&id);
            self.tree.link(parent, name.clone(), made)?;
            self.merged.insert(found, made);
            return Ok(made);
        }
        let made = self.tree.insert(parent, name.clone(), inode)?;
        self.merged.insert(found, made);
        if self.tree.entries(made).is_none() {
            self.states.entry(id).or_insert(made);
        }
        Ok(made)
    }
}

fn without_entries<C: Clone>(inode: &Inode<C>) -> Inode<C> {
    match &inode.kind {
        Kind::Directory(_) => Inode::directory(inode.metadata.clone()),
        _ => inode.clone(),
    }
}
