//! Names of modules without the ending of their compression.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::path::{base_name, join, parent};
use image_tree::resolve::resolve_in_root;
use image_tree::{InodeId, Kind, LinkTarget, Name, Shown, Tree};
use kmod_index::is_module;

use crate::error::{Error, ErrorKind, Result};

/// Endings of compressed modules.
const ENDINGS: [&[u8]; 3] = [b".gz", b".xz", b".zst"];

/// A name that changes.
struct Change {
    directory: InodeId,
    old: Name,
    new: Vec<u8>,
    id: InodeId,
    path: Vec<u8>,
}

/// Removes the endings of compressions from the names of the files `modules`, of links that lead to
/// them, and from the targets of these. Returns the new paths by the old ones.
///
/// # Errors
/// [`BadInput`](ErrorKind::BadInput) if another file has a name already.
pub(super) fn apply<C>(
    tree: &mut Tree<C>,
    modules: &BTreeSet<InodeId>,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let (mut changes, mut targets) = (Vec::new(), Vec::new());
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let Some(name) = step.name else { continue };
        let mut path = Vec::new();
        match &tree.get(step.id).kind {
            Kind::Regular(_) if modules.contains(&step.id) => walk.write_path(&mut path),
            Kind::Symlink(target) => {
                walk.write_path(&mut path);
                if !resolve_in_root(tree, &path).is_some_and(|id| modules.contains(&id)) {
                    continue;
                }
                if let Some(new) = without_ending(target.as_bytes()) {
                    targets.push((step.id, new.to_vec()));
                }
            }
            _ => continue,
        }
        if let Some(new) = without_ending(name.as_bytes()) {
            let (directory, old, new) = (step.parent, name.clone(), new.to_vec());
            changes.push(Change { directory, old, new, id: step.id, path });
        }
    }
    let links = changes.iter().map(|change| link_in_place(tree, change)).collect::<Result<Vec<_>>>()?;
    for (id, target) in targets {
        let target = LinkTarget::new(target).map_err(|error| Error::new(ErrorKind::BadInput, error))?;
        // The inode is a link, which can be replaced.
        let _ = tree.replace_kind(id, Kind::Symlink(target));
    }
    for (directory, name) in links.into_iter().flatten() {
        tree.remove(directory, &name);
    }
    changes.into_iter().map(|change| rename(tree, change)).collect()
}

/// Returns the link to the module itself that has its new name, and is not needed any more.
fn link_in_place<C>(tree: &Tree<C>, change: &Change) -> Result<Option<(InodeId, Vec<u8>)>> {
    let Change { directory, new, path, .. } = change;
    let Some(taken) = tree.lookup(*directory, new) else { return Ok(None) };
    let is_same = || resolve_in_root(tree, &join(parent(path), new)) == resolve_in_root(tree, path);
    if matches!(tree.get(taken).kind, Kind::Symlink(_)) && is_same() {
        return Ok(Some((*directory, new.clone())));
    }
    Err(refuse(change, &"there is such a file; --remove one of them, or use --kmod-compress keep"))
}

fn rename<C>(tree: &mut Tree<C>, change: Change) -> Result<(Vec<u8>, Vec<u8>)> {
    let name = Name::new(&change.new).map_err(|error| refuse(&change, &error))?;
    tree.remove(change.directory, change.old.as_bytes());
    tree.link(change.directory, name, change.id).map_err(|error| refuse(&change, &error))?;
    let renamed = join(parent(&change.path), &change.new);
    Ok((change.path, renamed))
}

fn refuse(change: &Change, error: &dyn std::fmt::Display) -> Error {
    let (path, new) = (Shown(&change.path), Shown(&change.new));
    Error::new(ErrorKind::BadInput, format!("{path} cannot be renamed to {new}: {error}"))
}

/// Returns the path or name of a compressed module without the ending of the compression; `None` if
/// it has none.
#[must_use]
pub fn without_ending(path: &[u8]) -> Option<&[u8]> {
    let ending = ENDINGS.iter().find(|ending| path.ends_with(ending))?;
    is_module(base_name(path)).then(|| &path[..path.len() - ending.len()])
}

#[cfg(test)]
mod tests {
    use image_tree::dump;

    use super::*;

    fn renamed(text: &str) -> Result<(Tree<Vec<u8>>, Vec<String>)> {
        let text = format!("/ 0 40755 1 0 0 0 0.0 - - -\n/m 0 40755 1 0 0 0 0.0 - - -\n{text}");
        let mut tree: Tree<Vec<u8>> =
            dump::parse(text.as_bytes(), |_| Ok::<_, ()>(Vec::new())).expect("it is valid");
        let modules = ["/m/a.ko.xz", "/m/c.ko.gz"].into_iter();
        let modules = modules.filter_map(|path| tree.resolve_no_symlinks(path.as_bytes())).collect();
        let paths = apply(&mut tree, &modules)?.into_iter();
        let shown = |(old, new): (Vec<u8>, Vec<u8>)| format!("{} {}", old.escape_ascii(), new.escape_ascii());
        Ok((tree, paths.map(shown).collect()))
    }

    const MODULES: &str = "/m/a.ko.xz 1 100644 2 0 0 0 0.0 - x -\n\
        /m/b.ko.xz 0 @100644 2 0 0 0 0.0 /m/a.ko.xz - -\n\
        /m/c.ko.gz 1 100644 1 0 0 0 0.0 - y -\n\
        /m/d.ko 7 120777 1 0 0 0 0.0 c.ko.gz - -\n\
        /m/gone.ko.xz 7 120777 1 0 0 0 0.0 no.ko.xz - -\n\
        /o 0 40755 1 0 0 0 0.0 - - -\n\
        /o/e.ko.xz 12 120777 1 0 0 0 0.0 ../m/a.ko.xz - -\n\
        /o/f 8 120777 1 0 0 0 0.0 e.ko.xz - -\n";

    #[test]
    fn names_and_links_lose_the_ending() {
        let (tree, paths) = renamed(MODULES).expect("no name is taken");
        let expected = ["a", "b", "c"].map(|name| {
            let ending = if name == "c" { "gz" } else { "xz" };
            format!("/m/{name}.ko.{ending} /m/{name}.ko")
        });
        assert_eq!(paths[..3], expected);
        assert_eq!(paths[3..], ["/o/e.ko.xz /o/e.ko"]);
        let a = tree.resolve_no_symlinks(b"/m/a.ko");
        for path in ["/m/b.ko", "/o/e.ko", "/o/f"] {
            assert_eq!(resolve_in_root(&tree, path.as_bytes()), a, "{path}");
        }
        assert_eq!(resolve_in_root(&tree, b"/m/d.ko"), tree.resolve_no_symlinks(b"/m/c.ko"));
        assert!(tree.resolve_no_symlinks(b"/m/gone.ko.xz").is_some());
    }

    #[test]
    fn a_name_that_is_taken_is_refused_unless_it_is_a_link_to_the_module() {
        let (tree, _) =
            renamed(&format!("/m/a.ko 7 120777 1 0 0 0 0.0 a.ko.xz - -\n{MODULES}")).expect("a link");
        let id = tree.resolve_no_symlinks(b"/m/a.ko").expect("it is there");
        assert!(matches!(tree.get(id).kind, Kind::Regular(_)));
        for taken in ["/m/a.ko 1 100644 1 0 0 0 0.0 - x -\n", "/m/a.ko 4 120777 1 0 0 0 0.0 d.ko - -\n"] {
            let error = renamed(&format!("{taken}{MODULES}")).expect_err("it is taken").to_string();
            assert!(
                error.starts_with("/m/a.ko.xz cannot be renamed to a.ko: there is such a file"),
                "{error}"
            );
        }
    }
}
