//! The layer that makes one tree of another.

use std::collections::BTreeMap;

use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree, Walk};

use super::error::LayerError;

/// The prefix of the names of whiteouts.
const WHITEOUT: &[u8] = b".wh.";

/// Returns the layer that makes `upper` of `lower`: the files that differ, the directories above
/// them, and whiteouts of names that `upper` lacks.
pub(super) fn changes<C>(lower: &Tree<C>, upper: &Tree<C>) -> Result<Tree<C>, LayerError>
where
    C: Clone + PartialEq + From<Vec<u8>>,
{
    let compared = Compared::of(lower, upper)?;
    let mut layer = Layer::new(upper);
    let mut walk = upper.walk();
    while let Some(step) = walk.next() {
        let inode = upper.get(step.id);
        let Some(names) = upper.entries(step.id) else {
            if let Some(name) = step.name.filter(|_| !compared.is_same(step.id)) {
                layer.add(step.parent, name, step.id, inode)?;
            }
            continue;
        };
        if let Some(name) = step.name {
            layer.above.insert(step.id, (step.parent, name.clone()));
        }
        let Some(below) = compared.below[step.id.index()] else {
            layer.directory(step.id)?;
            continue;
        };
        if lower.get(below).metadata != inode.metadata {
            layer.directory(step.id)?;
        }
        for (name, _) in lower.entries(below).into_iter().flatten() {
            if !names.contains_key(name.as_bytes()) {
                layer.hide(step.id, name).map_err(|error| named(error, &walk, name))?;
            }
        }
    }
    Ok(layer.tree)
}

/// Adds the path of a hidden file to an error about its name.
fn named<C>(error: LayerError, walk: &Walk<'_, C>, name: &Name) -> LayerError {
    match error {
        LayerError::LongName(_) => {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            if !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            LayerError::LongName(path)
        }
        other => other,
    }
}

/// The file of the lower tree that all names of a file lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Unseen,
    /// All of them so far lead to one file with the same metadata and contents.
    At(InodeId),
    /// They do not.
    Differs,
}

/// The files of a tree beside those of a lower one.
struct Compared {
    /// For each directory, the one of the lower tree in its place.
    below: Vec<Option<InodeId>>,
    /// For each other file.
    found: Vec<Found>,
    /// The file of the upper tree for each of the lower one: of several equal ones the first, as the
    /// others are not one file with it.
    claimed: BTreeMap<InodeId, InodeId>,
}

impl Compared {
    fn of<C: PartialEq>(lower: &Tree<C>, upper: &Tree<C>) -> Result<Self, LayerError> {
        let count = upper.inode_count();
        let mut compared =
            Self { below: vec![None; count], found: vec![Found::Unseen; count], claimed: BTreeMap::new() };
        compared.below[InodeId::ROOT.index()] = Some(InodeId::ROOT);
        let mut order = Vec::new();
        let mut walk = upper.walk();
        while let Some(step) = walk.next() {
            let Some(name) = step.name else { continue };
            if name.as_bytes().starts_with(WHITEOUT) {
                let mut path = Vec::new();
                walk.write_path(&mut path);
                return Err(LayerError::Reserved(path));
            }
            let parent = compared.below[step.parent.index()];
            let below = parent.and_then(|parent| lower.lookup(parent, name.as_bytes()));
            if upper.entries(step.id).is_some() {
                compared.below[step.id.index()] = below.filter(|id| lower.entries(*id).is_some());
                continue;
            }
            let equal = below.filter(|id| lower.get(*id) == upper.get(step.id));
            compared.record(step.id, equal);
            order.extend(step.first.then_some(step.id));
        }
        for id in order {
            if let Found::At(equal) = compared.found[id.index()] {
                compared.claimed.entry(equal).or_insert(id);
            }
        }
        Ok(compared)
    }

    /// Records the equal file of the lower tree for a name of a file.
    fn record(&mut self, id: InodeId, equal: Option<InodeId>) {
        let found = &mut self.found[id.index()];
        *found = match (*found, equal) {
            (Found::Unseen, Some(equal)) => Found::At(equal),
            (Found::At(before), Some(equal)) if before == equal => Found::At(before),
            _ => Found::Differs,
        };
    }

    /// Returns true for a file that the lower tree has under all of its names, and not as one file
    /// with another of the upper tree.
    fn is_same(&self, id: InodeId) -> bool {
        match self.found[id.index()] {
            Found::At(equal) => self.claimed.get(&equal) == Some(&id),
            Found::Unseen | Found::Differs => false,
        }
    }
}

/// A layer that is being made.
struct Layer<'t, C> {
    upper: &'t Tree<C>,
    tree: Tree<C>,
    /// The ids in the layer of files of the upper tree.
    made: BTreeMap<InodeId, InodeId>,
    /// The place of each directory of the upper tree.
    above: BTreeMap<InodeId, (InodeId, Name)>,
}

impl<'t, C: Clone + From<Vec<u8>>> Layer<'t, C> {
    fn new(upper: &'t Tree<C>) -> Self {
        let tree = Tree::new(upper.get(InodeId::ROOT).metadata.clone());
        let made = BTreeMap::from([(InodeId::ROOT, InodeId::ROOT)]);
        Self { upper, tree, made, above: BTreeMap::new() }
    }

    /// Returns a directory in the layer, made with those above it if it is not there yet.
    fn directory(&mut self, id: InodeId) -> Result<InodeId, LayerError> {
        let mut missing = Vec::new();
        let mut at = id;
        let mut here = loop {
            match (self.made.get(&at), self.above.get(&at)) {
                (Some(made), _) => break *made,
                (None, Some((parent, name))) => {
                    missing.push((at, name.clone()));
                    at = *parent;
                }
                // The walk has every directory before what is in it.
                (None, None) => break InodeId::ROOT,
            }
        };
        for (id, name) in missing.into_iter().rev() {
            let metadata = self.upper.get(id).metadata.clone();
            here = self.tree.insert(here, name, Inode::directory(metadata))?;
            self.made.insert(id, here);
        }
        Ok(here)
    }

    /// Adds a name of a file that is not a directory.
    fn add(&mut self, parent: InodeId, name: &Name, id: InodeId, inode: &Inode<C>) -> Result<(), LayerError> {
        let parent = self.directory(parent)?;
        if let Some(made) = self.made.get(&id) {
            self.tree.link(parent, name.clone(), *made)?;
        } else {
            let made = self.tree.insert(parent, name.clone(), inode.clone())?;
            self.made.insert(id, made);
        }
        Ok(())
    }

    /// Hides a name of the lower tree.
    fn hide(&mut self, directory: InodeId, name: &Name) -> Result<(), LayerError> {
        let whiteout = Name::new([WHITEOUT, name.as_bytes()].concat());
        let whiteout = whiteout.map_err(|_| LayerError::LongName(Vec::new()))?;
        let parent = self.directory(directory)?;
        let kind = Kind::Regular(C::from(Vec::new()));
        self.tree.insert(parent, whiteout, Inode { metadata: Metadata::new(0o644), kind })?;
        Ok(())
    }
}
