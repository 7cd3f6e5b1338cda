//! The on-disk structures, named and laid out as in the kernel's documentation.

pub(crate) mod acl;
pub(crate) mod checksum;
pub(crate) mod dir_entry;
pub(crate) mod extent;
pub(crate) mod features;
pub(crate) mod group_desc;
pub(crate) mod htree;
pub(crate) mod inode;
pub(crate) mod jbd2;
pub(crate) mod orphan;
pub(crate) mod superblock;
pub(crate) mod xattr;
