//! Small trees for the tests of the parsers.

use image_tree::{Kind, LinkTarget, Tree};

use crate::closure::testing::{self, add};

/// Builds a tree of files with their contents, and of links with their targets.
pub(in crate::closure) fn tree(files: &[(&str, &str)], links: &[(&str, &str)]) -> Tree<Vec<u8>> {
    let mut tree = testing::tree(files);
    for (path, target) in links {
        add(&mut tree, path, Kind::Symlink(LinkTarget::new(target).expect("a target")));
    }
    tree
}
