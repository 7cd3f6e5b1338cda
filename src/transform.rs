//! Transforms of trees.
//!
//! A transform of a finished tree is a function `apply(&mut Tree<_>, &Options) -> Result<Report>`:
//! it prints nothing, and its report [logs](crate::log::Report) what changed. `run/pipeline.rs` lists
//! the steps in the order in which they are applied. Ownership and normalization apply to each source
//! as it is added, since their defaults depend on the kind of source, and the cache of the dynamic
//! linker is part of the reduction.

pub mod duplicates;
pub mod edit;
pub mod hardlinks;
pub mod init;
pub mod ld_cache;
pub mod mode;
pub mod normalize;
pub mod own_directories;
pub mod own_files;
pub mod ownership;
pub mod selinux;
pub mod sparse;
pub mod unreadable;
pub mod unusable_xattrs;

use image_tree::{Metadata, Tree};

/// Drops the inodes without a name, and numbers the others in the order of the walk. Earlier ids
/// are then invalid.
fn compact<C>(tree: &mut Tree<C>) {
    let changed = std::mem::replace(tree, Tree::new(Metadata::new(0)));
    *tree = changed.compact().0;
}
