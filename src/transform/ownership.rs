//! Who owns the files of a tree.

use std::fmt;

use image_tree::{Kind, Tree};

const S_ISUID: u16 = 0o4000;
const S_ISGID: u16 = 0o2000;

/// Who owns the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// User and group 0 own every file.
    Root,
    /// Each file keeps the owner it has.
    Keep,
}

/// Files that run with the identity of their owner, and got another one that they were not made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenToRoot {
    /// Their paths in the tree.
    pub paths: Vec<Vec<u8>>,
}

/// How many paths a warning names.
const NAMED: usize = 5;

impl fmt::Display for GivenToRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} set-user-id or set-group-id files of other owners now run as root: ",
            self.paths.len()
        )?;
        for (index, path) in self.paths.iter().take(NAMED).enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{}", path.escape_ascii())?;
        }
        if self.paths.len() > NAMED {
            write!(f, ", …")?;
        }
        write!(f, "; --owner keep leaves every owner as it is")
    }
}

/// Gives every file its owner.
///
/// A program that is set-user-id to its builder is meant to be root's; one that is set-user-id to somebody else in the
/// same tree is not. Who the builder is says the root directory, so that the answer does not depend on who asks.
#[must_use]
pub fn apply<C>(tree: &mut Tree<C>, ownership: Ownership) -> Option<GivenToRoot> {
    if ownership == Ownership::Keep {
        return None;
    }
    let builder = &tree.get(Tree::<C>::ROOT).metadata;
    let (builder_uid, builder_gid) = (builder.uid, builder.gid);
    let mut paths = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let inode = tree.get(step.id);
        let metadata = &inode.metadata;
        let foreign = |bit: u16, id: u32, builder: u32| metadata.mode & bit != 0 && id != 0 && id != builder;
        let gains =
            foreign(S_ISUID, metadata.uid, builder_uid) || foreign(S_ISGID, metadata.gid, builder_gid);
        // On a directory the bits only say whose new files are.
        if step.first && gains && matches!(inode.kind, Kind::Regular(_)) {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            paths.push(path);
        }
    }
    for metadata in tree.all_metadata_mut() {
        (metadata.uid, metadata.gid) = (0, 0);
    }
    (!paths.is_empty()).then_some(GivenToRoot { paths })
}

#[cfg(test)]
mod tests {
    use image_tree::{Inode, Metadata, Name};

    use super::*;

    fn tree(owner: u32, file_owner: u32, mode: u16) -> Tree<Vec<u8>> {
        let mut tree = Tree::new(Metadata { uid: owner, gid: owner, ..Metadata::new(0o755) });
        let metadata = Metadata { uid: file_owner, gid: file_owner, ..Metadata::new(mode) };
        let inode = Inode { metadata, kind: Kind::Regular(Vec::new()) };
        let name = Name::new("program").expect("a valid name");
        tree.insert(Tree::<Vec<u8>>::ROOT, name, inode).expect("the name is new");
        tree
    }

    #[test]
    fn root_owns_everything() {
        let mut tree = tree(1000, 33, 0o755);
        assert_eq!(apply(&mut tree, Ownership::Root), None);
        for id in [b"/".as_slice(), b"/program"].map(|path| tree.resolve(path).expect("it is there")) {
            assert_eq!((tree.get(id).metadata.uid, tree.get(id).metadata.gid), (0, 0));
        }
    }

    #[test]
    fn programs_that_become_roots_are_named() {
        for (owner, file_owner, mode, named) in [
            (1000, 33, 0o4755, true),
            (1000, 33, 0o2755, true),
            (1000, 1000, 0o4755, false),
            (1000, 0, 0o4755, false),
            (0, 33, 0o755, false),
        ] {
            let warning = apply(&mut tree(owner, file_owner, mode), Ownership::Root);
            assert_eq!(warning.is_some(), named, "{owner} {file_owner} {mode:o}");
            if let Some(warning) = warning {
                assert_eq!(warning.paths, [b"/program"]);
            }
        }
    }

    #[test]
    fn owners_are_kept() {
        let mut kept = tree(1000, 33, 0o4755);
        assert_eq!(apply(&mut kept, Ownership::Keep), None);
        assert_eq!(kept, tree(1000, 33, 0o4755));
    }
}
