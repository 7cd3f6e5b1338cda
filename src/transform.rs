//! Transforms of trees.

pub mod edit;
pub mod hardlinks;
pub mod identical;
mod in_threads;
pub mod init;
pub mod mode;
pub mod normalize;
pub mod own_files;
pub mod ownership;
pub mod selinux;
pub mod sparse;
pub mod unreadable;
pub mod unusable_xattrs;
