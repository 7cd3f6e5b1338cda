//! The limits of the formats, which options check and errors name.

/// The smallest block in bytes: a sector.
pub(crate) const MIN_BLOCK_SIZE: u32 = 512;
/// The largest block in bytes: the largest page of a kernel.
pub(crate) const MAX_BLOCK_SIZE: u32 = 64 << 10;
/// The longest salt in bytes: the field of the superblock.
pub(crate) const MAX_SALT_LEN: usize = 256;
/// The smallest and the largest number of roots that the kernel takes.
pub(crate) const MIN_ROOTS: u8 = 2;
pub(crate) const MAX_ROOTS: u8 = 24;
/// The kernel reads fewer bytes than this of the value of `dm-mod.create=`.
pub(crate) const DM_MOD_CREATE_MAX: usize = 4096;
