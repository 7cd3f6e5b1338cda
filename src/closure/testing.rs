//! Small trees and ELF files for tests of this module and of its users.

#[allow(missing_docs, reason = "tests use it, and nothing else")]
pub mod build;
#[allow(missing_docs, reason = "tests use it, and nothing else")]
pub mod rpm;
#[cfg(test)]
pub(in crate::closure) mod small_tree;

use image_tree::{Inode, Kind, LinkTarget, Metadata, Tree};

/// Builds a tree of files with their text. `-> TARGET` makes a symbolic link.
///
/// # Panics
/// Panics if a path is not valid or occurs twice.
#[must_use]
pub fn tree(files: &[(&str, &str)]) -> Tree<Vec<u8>> {
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
///
/// # Panics
/// Panics if the path is not valid or already exists.
pub fn add(tree: &mut Tree<Vec<u8>>, path: &str, kind: Kind<Vec<u8>>) {
    let metadata = Metadata::new(0o755);
    let inode = Inode { metadata: metadata.clone(), kind };
    tree.insert_path(path.as_bytes(), inode, &metadata).expect("it is new");
}
