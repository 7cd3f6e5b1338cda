//! The format crates.

pub mod dax_header;
pub mod ext4;
pub mod initramfs_check;
pub mod kmod;
pub mod partition;
pub mod verity;
