//! Transforms of trees.
//!
//! A transform is a function `apply(&mut Tree<_>, &Options) -> Result<Report>`: it prints nothing,
//! and its report [logs](crate::log::Report) what changed. A check is a function
//! `check(&Tree<_>, &Options) -> Result<Report>`. Either has no options if there is nothing to
//! choose. `run/pipeline.rs` lists the steps that call them, in their order: those of each source
//! before it is added, whose defaults depend on the kind of source, and those of the whole tree.

pub mod accounts;
pub mod configure;
mod contents;
pub mod edit;
mod exclusions;
pub mod guest_files;
pub mod image_config;
pub mod init;
pub mod kata;
pub mod keep;
pub mod kernel_modules;
pub mod ld_cache;
pub mod mode;
pub mod normalize;
pub mod overlay;
pub mod own_directories;
pub mod ownership;
pub mod selinux;
pub mod startable;
pub mod systemd;
pub mod unusable_xattrs;

pub use contents::{duplicates, hardlinks, sparse};
pub use exclusions::{own_files, unreadable};

use image_tree::{Metadata, Tree};

/// Drops the inodes without a name, and numbers the others in the order of the walk. Earlier ids
/// are then invalid.
fn compact<C>(tree: &mut Tree<C>) {
    let changed = std::mem::replace(tree, Tree::new(Metadata::new(0)));
    *tree = changed.compact().0;
}
