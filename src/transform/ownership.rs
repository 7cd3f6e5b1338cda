//! Owners of the files of a tree.

mod choice;
mod error;
pub mod fakeroot;
pub mod id_map;
pub mod manifest;
mod member;
pub mod mtree;
mod set_id;
pub mod undefined;
pub mod xattr;

use std::fs::File;
use std::io::ErrorKind as IoErrorKind;
use std::path::Path;

use image_tree::{InodeId, Kind, Tree};

use crate::blob::Blob;
use crate::bounded;
use crate::error::{Error, ErrorKind, Result};
use crate::source::directory::HostInode;

pub use choice::Ownership;
pub use error::visit_inodes;
pub use member::Owners;
pub use set_id::SetIdChange;

/// The longest manifest or save file, in bytes: 256 MiB.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// The options of [`apply`].
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The owners of files.
    pub ownership: &'a Ownership,
    /// The owners of files that `ownership` does not name.
    pub default: &'a Ownership,
    /// The inode on the host of each inode of the tree, by the tree's index; empty if the tree is
    /// not that of a directory.
    pub hosts: &'a [HostInode],
}

/// Sets the owner of every file of one source, and returns the programs that run as another user or
/// group now.
///
/// A manifest applies to the whole tree, which may have several sources: see [`manifest`].
///
/// # Errors
/// If a file of owners cannot be read, is invalid, or does not fit the source; or if an owner is
/// not in the map.
pub fn apply(tree: &mut Tree<Blob>, options: &Options<'_>) -> Result<Option<SetIdChange>> {
    let Options { ownership, default, hosts } = *options;
    let defaults = Options { ownership: default, default: &Ownership::Keep, hosts };
    match ownership {
        Ownership::Keep => Ok(None),
        Ownership::Root => Ok(chown_all(tree, 0, 0)),
        Ownership::Ids { uid, gid } => Ok(chown_all(tree, *uid, *gid)),
        Ownership::Map(map) => map.apply(tree).map(|()| None),
        Ownership::Fakeroot(path) => {
            let invalid = |message: String| Error::at(ErrorKind::BadInput, path, message);
            let save = fakeroot::SaveFile::parse(&read_file(path)?).map_err(invalid)?;
            if hosts.is_empty() {
                return Err(error::not_a_directory(path));
            }
            save.apply(tree, hosts).map_err(invalid)?;
            Ok(None)
        }
        Ownership::Xattr => {
            let mut given = apply(tree, &defaults)?;
            xattr::apply(tree)?;
            if let Some(given) = &mut given {
                given.retain_in_effect(tree);
            }
            Ok(given.filter(|given| !given.paths.is_empty()))
        }
        Ownership::Mtree(_) => apply(tree, &defaults),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == IoErrorKind::NotFound => {
            let message = "is not keep, root, xattr, UID:GID, map:RANGES or fakeroot:FILE, and no manifest of that \
                           name was found";
            return Err(Error::at(ErrorKind::Usage, path, message));
        }
        file => file.map_err(|error| Error::io(path, error))?,
    };
    bounded::read_file(file, path, MAX_FILE)
}

/// Sets one owner for every file.
///
/// A program that is set-user-id to its builder is intended for that owner; one that is set-user-id
/// to another user in the same tree is not. The builder is the owner of the root directory, so that
/// the result does not depend on the user who runs this.
fn chown_all<C>(tree: &mut Tree<C>, uid: u32, gid: u32) -> Option<SetIdChange> {
    let builder = &tree.get(InodeId::ROOT).metadata;
    let (builder_uid, builder_gid) = (builder.uid, builder.gid);
    let mut paths = Vec::new();
    let mut walk = tree.walk();
    while let Some(step) = walk.next() {
        let inode = tree.get(step.id);
        let metadata = &inode.metadata;
        let differs = |id: u32, now: u32, builder: u32| id != now && id != builder;
        let user = differs(metadata.uid, uid, builder_uid);
        let group = differs(metadata.gid, gid, builder_gid);
        let gains = set_id::changes_identity(metadata.mode, [user, group]);
        // On a directory the bits only determine the owners of new files.
        if step.first && gains && matches!(inode.kind, Kind::Regular(_)) {
            let mut path = Vec::new();
            walk.write_path(&mut path);
            paths.push(path);
        }
    }
    for metadata in tree.all_metadata_mut() {
        (metadata.uid, metadata.gid) = (uid, gid);
    }
    (!paths.is_empty()).then_some(SetIdChange { uid, gid, paths })
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
        tree.insert(InodeId::ROOT, name, inode).expect("the name is new");
        tree
    }

    #[test]
    fn root_gets_every_file() {
        let mut tree = tree(1000, 33, 0o755);
        assert_eq!(chown_all(&mut tree, 0, 0), None);
        for id in
            [b"/".as_slice(), b"/program"].map(|path| tree.resolve_no_symlinks(path).expect("it is there"))
        {
            assert_eq!((tree.get(id).metadata.uid, tree.get(id).metadata.gid), (0, 0));
        }
    }

    #[test]
    fn set_id_programs_of_others_are_reported() {
        for (owner, file_owner, mode, named) in [
            (1000, 33, 0o4755, true),
            (1000, 33, 0o2755, true),
            (1000, 1000, 0o4755, false),
            (1000, 0, 0o4755, false),
            (0, 33, 0o755, false),
        ] {
            let warning = chown_all(&mut tree(owner, file_owner, mode), 0, 0);
            assert_eq!(warning.is_some(), named, "{owner} {file_owner} {mode:o}");
            if let Some(warning) = warning {
                assert_eq!(warning.paths, [b"/program"]);
            }
        }
    }

    #[test]
    fn sets_one_owner_for_all_files() {
        let mut tree = tree(1000, 0, 0o6755);
        let warning = chown_all(&mut tree, 33, 34).expect("root's program would run as another");
        assert_eq!((warning.uid, warning.gid, warning.paths.len()), (33, 34, 1));
        assert!(warning.to_string().contains("1 set-id file now runs as 33:34: /program;"), "{warning}");
        assert!(tree.all_metadata_mut().all(|metadata| (metadata.uid, metadata.gid) == (33, 34)));
    }

    #[test]
    fn keep_changes_nothing() {
        let kept = tree(1000, 33, 0o4755);
        let kept = kept.try_map_content(|bytes| Ok::<_, std::convert::Infallible>(Blob::from(bytes)));
        let mut kept = kept.expect("nothing fails");
        let before = kept.clone();
        let options = Options { ownership: &Ownership::Keep, default: &Ownership::Root, hosts: &[] };
        assert_eq!(apply(&mut kept, &options).expect("nothing to do"), None);
        assert_eq!(kept, before);
    }
}
