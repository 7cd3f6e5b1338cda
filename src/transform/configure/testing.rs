//! Small trees, and generators on them, for tests.

use image_tree::{Kind, Timestamp, Tree};

use super::{Generators, Made, Options, apply};
use crate::blob::Blob;
use crate::closure::testing;
use crate::error::Result;

/// Builds a tree of files with their text; `-> TARGET` makes a link.
pub(super) fn tree(files: &[(&str, &str)]) -> Tree<Blob> {
    let tree = testing::tree(files);
    tree.try_map_content(|bytes| Ok::<_, std::convert::Infallible>(Blob::from(bytes)))
        .expect("it has no error")
}

/// Runs generators on the 10th day after 1970.
pub(super) fn configure(tree: &mut Tree<Blob>, generators: &str) -> Result<Vec<Made>> {
    let generators = Generators::parse(generators).expect("names of generators");
    let time = Timestamp::from_seconds(10 * 86400 + 5);
    apply(tree, &Options { generators: &generators, time })
}

/// Returns the contents of a file.
pub(super) fn text(tree: &Tree<Blob>, path: &str) -> String {
    let id =
        image_tree::resolve::resolve_in_root(tree, path.as_bytes()).unwrap_or_else(|| panic!("no {path}"));
    let Kind::Regular(content) = &tree.get(id).kind else { panic!("{path} is not a file") };
    let bytes = crate::bounded::read_content(content, 1 << 20, path).expect("it is in memory");
    String::from_utf8(bytes).expect("UTF-8")
}
