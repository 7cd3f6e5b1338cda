//! The block size of a filesystem.

/// The size of a block. Larger blocks need less metadata, smaller ones waste less space after the
/// end of each file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BlockSize {
    /// 1024 bytes: groups of 8 MiB, files up to 4 TiB.
    B1024,
    /// 2048 bytes: groups of 32 MiB, files up to 8 TiB.
    B2048,
    /// 4096 bytes: groups of 128 MiB, files up to 16 TiB. It is the page size of most machines,
    /// which DAX needs.
    #[default]
    B4096,
}

impl BlockSize {
    /// All sizes, the smallest first.
    pub const ALL: [Self; 3] = [Self::B1024, Self::B2048, Self::B4096];

    /// Returns the size with that many bytes; `None` if there is no such size.
    #[must_use]
    pub fn from_bytes(bytes: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bytes() == bytes)
    }

    /// Returns the size of a block in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.log2()
    }

    /// Returns the binary logarithm of the size in bytes: 10 to 12.
    #[must_use]
    pub const fn log2(self) -> u32 {
        match self {
            Self::B1024 => 10,
            Self::B2048 => 11,
            Self::B4096 => 12,
        }
    }
}

/// Values that depend on the block size.
impl BlockSize {
    /// Returns [`BlockSize::bytes`] as a length in memory.
    pub(crate) const fn len(self) -> usize {
        1 << self.log2()
    }

    /// Returns the number of blocks for that many bytes.
    pub(crate) const fn blocks_of(self, bytes: u64) -> u64 {
        (bytes >> self.log2()) + (bytes & (self.bytes() - 1) != 0) as u64
    }

    /// Returns the offset of a block, in bytes.
    pub(crate) const fn offset(self, block: u64) -> u64 {
        block << self.log2()
    }

    /// `s_first_data_block`: the block with the superblock, which is 1024 bytes from the start.
    pub(crate) const fn first_data_block(self) -> u64 {
        match self {
            Self::B1024 => 1,
            Self::B2048 | Self::B4096 => 0,
        }
    }

    /// Returns the binary logarithm of [`BlockSize::blocks_per_group`].
    pub(crate) const fn log2_blocks_per_group(self) -> u32 {
        self.log2() + 3
    }

    /// Returns the number of blocks of a group: the number of bits in a block.
    pub(crate) const fn blocks_per_group(self) -> u64 {
        1 << self.log2_blocks_per_group()
    }

    /// Returns the maximum number of inodes of a group: the number of bits in its bitmap.
    pub(crate) const fn max_inodes_per_group(self) -> u64 {
        self.blocks_per_group()
    }

    /// Returns the number of inodes in a block of an inode table.
    pub(crate) const fn inodes_per_block(self) -> u64 {
        self.bytes() / 256
    }

    /// Returns the unit of the number of inodes of a group: whole blocks of the table, and whole
    /// bytes of the bitmap, as required for its checksum.
    pub(crate) const fn inode_step(self) -> u64 {
        match self {
            Self::B1024 | Self::B2048 => 8,
            Self::B4096 => 16,
        }
    }

    /// Returns the number of group descriptors in a block, each of `desc_size` bytes.
    pub(crate) const fn descs_per_block(self, desc_size: u64) -> u64 {
        self.bytes() / desc_size
    }

    /// Returns the number of block addresses in an indirect block.
    pub(crate) const fn addresses(self) -> u64 {
        self.bytes() / 4
    }

    /// Returns the maximum number of inodes of a filesystem: a 32-bit number, in multiples of
    /// [`BlockSize::inode_step`].
    pub(crate) const fn max_inodes(self) -> u64 {
        u32::MAX as u64 / self.inode_step() * self.inode_step()
    }

    /// Returns the maximum length of a file in bytes: blocks are numbered in 32 bits, and the last
    /// number is reserved.
    pub(crate) const fn max_file_len(self) -> u64 {
        self.offset(u32::MAX as u64)
    }

    /// Returns the number of blocks of `lost+found`, so that e2fsck can fill it without allocating:
    /// 16 KiB, and at most the 12 direct blocks of an ext2 inode, as in mke2fs.
    pub(crate) const fn lost_and_found_blocks(self) -> u32 {
        match self {
            Self::B1024 => 12,
            Self::B2048 => 8,
            Self::B4096 => 4,
        }
    }

    /// Returns the maximum length of the target of a symbolic link in bytes: one block for it and a
    /// NUL.
    pub(crate) const fn max_symlink(self) -> usize {
        self.len() - 1
    }
}
