//! What a filesystem may have or not.

/// Features that a filesystem may have or not. The others, which every filesystem of this crate has, are listed in the
/// [crate's documentation](crate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of the superblock, with its name")]
pub struct Features {
    /// `COMPAT_DIR_INDEX`: directories of more than a block have an index of hashes. Without it, which is for readers that do
    /// not know it, each lookup reads a directory from its start, and a directory has at most 64,998 others in it.
    pub dir_index: bool,
    /// `COMPAT_RESIZE_INODE`: blocks are reserved behind the group descriptors, so that a mounted filesystem can grow.
    /// [`Options::resize_limit`](crate::Options::resize_limit) says how far.
    pub resize_inode: bool,
    /// `COMPAT_SPARSE_SUPER2`: no more than [`Options::num_backup_sb`](crate::Options::num_backup_sb) copies of the
    /// superblock, in place of one in group 1 and in each that is a power of 3, 5 or 7. The kernel does not grow such a
    /// filesystem while it is mounted.
    pub sparse_super2: bool,
    /// `COMPAT_ORPHAN_FILE`: a file of 32 to 512 blocks lists inodes that are unlinked but open, where they do not queue for
    /// one list. Needs a journal. Kernels before 5.15 do not know it and keep the list; e2fsprogs does from 1.47 on. When
    /// resize2fs lets an unmounted filesystem outgrow what `resize_inode` reserves, 1.47 leaves checksums of this file
    /// wrong, of whomever's making it is, and no kernel mounts it before `e2fsck -fy` has mended them.
    pub orphan_file: bool,
    /// `INCOMPAT_INLINE_DATA`: the data of small files, symbolic links and directories lies in their inodes, up to 128 bytes
    /// if these hold no label, capability or other xattr the kernel reads first. [`plan`](crate::plan) then reads those
    /// files. Not for guests that mount with DAX: the kernel refuses `dax` for a filesystem that has this feature, whether
    /// or not a file makes use of it. Needs Linux 3.8; many boot loaders and other readers of ext4 do not know it.
    pub inline_data: bool,
    /// `INCOMPAT_EA_INODE`: values of extended attributes that do not fit in a block, up to the 64 KiB that Linux reads, have
    /// inodes of their own, which attributes with the same value share. Needs Linux 4.13; many boot loaders and other readers
    /// of ext4 do not know it.
    pub ea_inode: bool,
    /// `INCOMPAT_64BIT`: group descriptors of 64 bytes, with the whole of each checksum, and as many blocks as they can list.
    /// Without it, which old boot loaders need, they have 32 bytes, and there are fewer than 2³² blocks.
    pub bit_64: bool,
    /// `RO_COMPAT_METADATA_CSUM`: each structure has a checksum. Without it there is none at all, not even of group
    /// descriptors (`uninit_bg`), as mke2fs 1.47 makes it; for Linux before 3.5 and readers that refuse the feature.
    pub metadata_csum: bool,
    /// `INCOMPAT_CSUM_SEED`: checksums do not depend on the UUID, so that it can be changed while the filesystem is
    /// mounted. Needs `metadata_csum`, and Linux 4.4.
    pub metadata_csum_seed: bool,
    /// `RO_COMPAT_READONLY`: no kernel writes to the filesystem; a mount for writing becomes one for reading.
    pub read_only: bool,
}

impl Features {
    /// What mke2fs 1.47 makes, but for `orphan_file`.
    pub const DEFAULT: Self = Self {
        dir_index: true,
        resize_inode: true,
        sparse_super2: false,
        orphan_file: false,
        inline_data: false,
        ea_inode: false,
        bit_64: true,
        metadata_csum: true,
        metadata_csum_seed: true,
        read_only: false,
    };
}

impl Default for Features {
    fn default() -> Self {
        Self::DEFAULT
    }
}
