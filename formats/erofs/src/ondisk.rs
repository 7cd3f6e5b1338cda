//! The structures of the format, as they are stored.

pub(crate) mod algorithm;
pub(crate) mod chunk;
pub(crate) mod compact_index;
pub(crate) mod compression_config;
pub(crate) mod dirent;
pub(crate) mod features;
pub(crate) mod full_index;
pub(crate) mod inode;
pub(crate) mod lcluster;
pub(crate) mod map_header;
pub(crate) mod superblock;
pub(crate) mod xattr;
pub(crate) mod xattr_filter;
