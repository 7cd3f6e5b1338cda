//! Every dynamic file of whole trees.

use std::path::PathBuf;
use std::time::Instant;

use rootcast::closure::Hwcaps;

use super::judge::{close, compare, dynamic_files, listing};

/// The environment variable with the path of a whole tree to compare, which takes minutes: a Debian
/// root directory.
const TREE: &str = "ROOTCAST_CLOSURE_TREE";

#[test]
fn the_closure_of_every_file_of_a_given_tree_is_complete() {
    let Some(root) = std::env::var_os(TREE).map(PathBuf::from) else { return };
    let judge = listing(&root, &["/lib64/ld-linux-x86-64.so.2", "--list"]);
    let files = dynamic_files(&judge.tree());
    let (tree, start) = (judge.tree(), Instant::now());
    let whole = close(&tree, "/", Hwcaps::All);
    eprintln!("all of it at once: {} names in {:?}", whole.kept.len(), start.elapsed());
    if let Some(compared) = compare(&judge, &files, &Hwcaps::None) {
        eprintln!(
            "{}: {compared} files need exactly the libraries that their dynamic linker loads",
            root.display()
        );
    }
}
