//! Small trees and ELF files for the tests of this module.

pub(in crate::closure) mod build;

use image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Tree};

/// Builds a tree of files with their text. `-> TARGET` makes a symbolic link.
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree<Vec<u8>> {
    let mut tree = Tree::new(Metadata::new(0o755));
    for (path, text) in files {
        let kind = match text.strip_prefix("-> ") {
            Some(target) => Kind::Symlink(LinkTarget::new(target).expect("a target")),
            None => Kind::Regular(text.as_bytes().to_vec()),
        };
        add(&mut tree, path, kind);
    }
    tree
}

/// Adds a file and the directories above it.
pub(crate) fn add(tree: &mut Tree<Vec<u8>>, path: &str, kind: Kind<Vec<u8>>) {
    let metadata = Metadata::new(0o755);
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut parent = InodeId::ROOT;
    for directory in directories.split('/').filter(|name| !name.is_empty()) {
        parent = tree.lookup(parent, directory.as_bytes()).unwrap_or_else(|| {
            let name = Name::new(directory).expect("a name");
            tree.insert(parent, name, Inode::directory(metadata.clone())).expect("it is new")
        });
    }
    tree.insert(parent, Name::new(name).expect("a name"), Inode { metadata, kind }).expect("it is new");
}
