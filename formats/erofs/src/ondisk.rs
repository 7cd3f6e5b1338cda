//! The structures of the format, as they are stored.

pub(crate) mod chunk;
pub(crate) mod dirent;
pub(crate) mod features;
pub(crate) mod inode;
pub(crate) mod superblock;
pub(crate) mod xattr;
pub(crate) mod xattr_filter;
