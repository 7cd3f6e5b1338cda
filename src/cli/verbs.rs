//! The verbs: the flags and help of each, and its recipe.

pub(super) mod check;
pub(super) mod closure;
pub(super) mod depmod;
pub(super) mod generate;
pub(super) mod image;
pub(super) mod initrd;
pub(super) mod kata_rootfs;
pub(super) mod oci_export;
pub(super) mod recipe;
pub(super) mod resolve;
pub(super) mod root_hash;
pub(super) mod tar;
pub(super) mod tree;
