//! The optional features of a filesystem.

/// The optional features of a filesystem. The others, which are always enabled, are listed in the
/// [crate's documentation](crate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of the superblock, with its name")]
#[non_exhaustive]
pub struct Features {
    /// `COMPAT_DIR_INDEX`: directories of more than a block have an index of hashes. Without it,
    /// for readers that do not support it, each lookup reads a directory from its start, and a
    /// directory can contain at most 64,998 subdirectories.
    pub dir_index: bool,
    /// `COMPAT_RESIZE_INODE`: blocks are reserved after the group descriptors, so that a mounted
    /// filesystem can grow up to [`Options::resize_limit`](crate::Options::resize_limit).
    pub resize_inode: bool,
    /// `COMPAT_SPARSE_SUPER2`: at most [`Options::num_backup_sb`](crate::Options::num_backup_sb)
    /// copies of the superblock, instead of one in group 1 and in each group that is a power of 3,
    /// 5 or 7. The kernel does not grow such a filesystem while it is mounted.
    pub sparse_super2: bool,
    /// `COMPAT_ORPHAN_FILE`: a file of 32 to 512 blocks lists inodes that are unlinked but open,
    /// without contention for a single list. Requires a journal. Kernels before 5.15 do not support
    /// it and use the list; e2fsprogs supports it from 1.47 on. When resize2fs 1.47 grows an
    /// unmounted filesystem beyond what `resize_inode` reserves, it leaves wrong checksums in this
    /// file, even in filesystems of mke2fs, and no kernel mounts the filesystem before `e2fsck -fy`
    /// has fixed them.
    pub orphan_file: bool,
    /// `INCOMPAT_INLINE_DATA`: the data of small files, symbolic links and directories is stored in
    /// their inodes, up to 128 bytes if these contain no label, capability or other xattr that the
    /// kernel reads first. [`plan`](crate::plan) then reads those files. Not for guests that mount
    /// with DAX: the kernel refuses `dax` for a filesystem that has this feature, whether or not a
    /// file uses it. Requires Linux 3.8; many boot loaders and other readers of ext4 do not support
    /// it.
    pub inline_data: bool,
    /// `INCOMPAT_EA_INODE`: values of extended attributes that do not fit in a block, up to the 64
    /// KiB that Linux reads, are stored in separate inodes, which attributes with the same value
    /// share. Requires Linux 4.13; many boot loaders and other readers of ext4 do not support it.
    pub ea_inode: bool,
    /// `INCOMPAT_64BIT`: group descriptors have 64 bytes, with all 32 bits of each bitmap checksum
    /// and 64-bit block numbers. Without it, for old boot loaders, they have 32 bytes, and there
    /// are fewer than 2³² blocks.
    pub bit_64: bool,
    /// `RO_COMPAT_METADATA_CSUM`: each structure has a checksum. Without it there are none, not
    /// even of group descriptors (`uninit_bg`), as with mke2fs 1.47; for Linux before 3.5 and
    /// readers that do not support the feature.
    pub metadata_csum: bool,
    /// `INCOMPAT_CSUM_SEED`: checksums do not depend on the UUID, so that it can be changed while
    /// the filesystem is mounted. Requires `metadata_csum`, and Linux 4.4.
    pub metadata_csum_seed: bool,
    /// `RO_COMPAT_READONLY`: kernels do not write to the filesystem; a read-write mount becomes
    /// read-only.
    pub read_only: bool,
}

impl Features {
    /// The defaults of mke2fs 1.47, except `orphan_file`.
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
