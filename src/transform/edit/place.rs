//! Finds the places in the tree of paths and globs.

use image_tree::{Inode, InodeId, Kind, Metadata, Name, Tree, shortened};

use super::action::Files;
use image_tree::resolve::resolve_in_root;

/// A name in the tree, or the root, which has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) parent: InodeId,
    pub(super) name: Option<Name>,
    pub(super) id: InodeId,
}

impl Place {
    /// Returns its path, for messages: the whole tree is searched for it.
    pub(super) fn path<C>(&self, tree: &Tree<C>) -> String {
        let mut path = tree.path_of(self.parent);
        if let Some(name) = &self.name {
            if !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
        }
        shortened(&path)
    }
}

/// Returns the parent directory and the last name of a path; no name for the root.
fn split(path: &[u8]) -> Result<(&[u8], Option<Name>), String> {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let path = path.get(..end).unwrap_or_default();
    if path.is_empty() {
        return Ok((b"", None));
    }
    let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (parent, name) = path.split_at(start);
    let name = Name::new(name).map_err(|error| error.to_string())?;
    Ok((parent, Some(name)))
}

/// Returns the selected files, in the order of the tree's walk.
pub(super) fn find<C>(tree: &Tree<C>, files: &Files) -> Result<Vec<Place>, String> {
    match files {
        Files::Path(path) => Ok(find_path(tree, path)?.into_iter().collect()),
        Files::Glob(glob) => {
            let mut found = Vec::new();
            let mut path = Vec::new();
            let mut walk = tree.walk();
            while let Some(step) = walk.next() {
                path.clear();
                walk.write_path(&mut path);
                if glob.matches(&path) {
                    let (parent, name, id) = (step.parent, step.name.cloned(), step.id);
                    found.push(Place { parent, name, id });
                }
            }
            Ok(found)
        }
    }
}

fn find_path<C>(tree: &Tree<C>, path: &[u8]) -> Result<Option<Place>, String> {
    let (above, name) = split(path)?;
    let root = InodeId::ROOT;
    let Some(name) = name else {
        return Ok(Some(Place { parent: root, name: None, id: root }));
    };
    let found =
        resolve_in_root(tree, above).and_then(|parent| Some((parent, tree.lookup(parent, name.as_bytes())?)));
    Ok(found.map(|(parent, id)| Place { parent, name: Some(name), id }))
}

/// Returns the parent directory and the last name of a path. The directory is created if it is
/// missing.
pub(in crate::transform) fn parent_of<C>(
    tree: &mut Tree<C>,
    path: &[u8],
    parents: &Metadata,
) -> Result<(InodeId, Name), String> {
    let (above, name) = split(path)?;
    let name = name.ok_or_else(|| "the root directory is there already".to_owned())?;
    Ok((create_directory(tree, above, parents)?, name))
}

/// Returns the directory at a path, created with its parents if they are missing.
pub(super) fn create_directory<C>(
    tree: &mut Tree<C>,
    path: &[u8],
    parents: &Metadata,
) -> Result<InodeId, String> {
    if let Some(id) = resolve_in_root(tree, path).filter(|id| tree.entries(*id).is_some()) {
        return Ok(id);
    }
    let mut here = InodeId::ROOT;
    let mut end = 0;
    // A new directory is empty, and following the path from the root again for each component takes
    // long.
    let mut is_new = false;
    for component in path.split(|byte| *byte == b'/') {
        end += component.len() + 1;
        if component.is_empty() {
            continue;
        }
        let prefix = path.get(..end - 1).unwrap_or(path);
        let is_name = !matches!(component, b"." | b"..");
        let existing = if is_new && is_name { None } else { resolve_in_root(tree, prefix) };
        is_new = existing.is_none();
        here = match existing {
            Some(id) if tree.entries(id).is_some() => id,
            Some(_) => return Err(format!("{} is not a directory", shortened(prefix))),
            None => {
                let name = Name::new(component).map_err(|error| error.to_string())?;
                let refused = |why: String| format!("{} cannot be created: {why}", shortened(prefix));
                if let Some(Kind::Symlink(target)) = tree.lookup(here, component).map(|id| &tree.get(id).kind)
                {
                    return Err(refused(format!("it is a symbolic link to {target}, which does not exist")));
                }
                tree.insert(here, name, Inode::directory(parents.clone()))
                    .map_err(|error| refused(error.to_string()))?
            }
        };
    }
    Ok(here)
}
