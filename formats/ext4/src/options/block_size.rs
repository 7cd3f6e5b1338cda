//! Bytes of a block.

/// How many bytes a block has. Larger ones need less metadata, smaller ones waste less behind each file's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockSize {
    /// 1024 bytes: groups of 8 MiB, files up to 4 TiB.
    B1024,
    /// 2048 bytes: groups of 32 MiB, files up to 8 TiB.
    B2048,
    /// 4096 bytes: groups of 128 MiB, files up to 16 TiB. It is the page size of most machines, which DAX needs.
    #[default]
    B4096,
}

impl BlockSize {
    /// Every size there is, the smallest first.
    pub const ALL: [Self; 3] = [Self::B1024, Self::B2048, Self::B4096];

    /// The size of that many bytes; none if there is no such size.
    #[must_use]
    pub fn from_bytes(bytes: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bytes() == bytes)
    }

    /// Bytes of a block.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.log2()
    }

    /// log2 of the bytes of a block: 10 to 12.
    #[must_use]
    pub const fn log2(self) -> u32 {
        match self {
            Self::B1024 => 10,
            Self::B2048 => 11,
            Self::B4096 => 12,
        }
    }
}

/// What follows from the size of a block.
impl BlockSize {
    /// [`BlockSize::bytes`] for lengths in memory.
    pub(crate) const fn len(self) -> usize {
        1 << self.log2()
    }

    /// How many blocks hold that many bytes.
    pub(crate) const fn blocks_of(self, bytes: u64) -> u64 {
        (bytes >> self.log2()) + (bytes & (self.bytes() - 1) != 0) as u64
    }

    /// Where a block starts, in bytes.
    pub(crate) const fn offset(self, block: u64) -> u64 {
        block << self.log2()
    }

    /// `s_first_data_block`: the block that the superblock lies in, 1024 bytes from the start.
    pub(crate) const fn first_data_block(self) -> u64 {
        match self {
            Self::B1024 => 1,
            Self::B2048 | Self::B4096 => 0,
        }
    }

    /// log2 of [`BlockSize::blocks_per_group`].
    pub(crate) const fn log2_blocks_per_group(self) -> u32 {
        self.log2() + 3
    }

    /// Blocks of a group: as many as a block has bits.
    pub(crate) const fn blocks_per_group(self) -> u64 {
        1 << self.log2_blocks_per_group()
    }

    /// The most inodes of a group: as many as its bitmap has bits.
    pub(crate) const fn max_inodes_per_group(self) -> u64 {
        self.blocks_per_group()
    }

    /// Inodes of a block of an inode table.
    pub(crate) const fn inodes_per_block(self) -> u64 {
        self.bytes() / 256
    }

    /// What the number of inodes of a group is a multiple of: whole blocks of the table, and whole bytes of the bitmap,
    /// which its checksum covers so far.
    pub(crate) const fn inode_step(self) -> u64 {
        match self {
            Self::B1024 | Self::B2048 => 8,
            Self::B4096 => 16,
        }
    }

    /// Group descriptors of a block, each of `desc_size` bytes.
    pub(crate) const fn descs_per_block(self, desc_size: u64) -> u64 {
        self.bytes() / desc_size
    }

    /// Block addresses of an indirect block.
    pub(crate) const fn addresses(self) -> u64 {
        self.bytes() / 4
    }

    /// The most inodes of a filesystem: as many as 32 bits can count, in the steps there are.
    pub(crate) const fn max_inodes(self) -> u64 {
        u32::MAX as u64 / self.inode_step() * self.inode_step()
    }

    /// The most bytes of a file: blocks are numbered in 32 bits, and the last number is taken.
    pub(crate) const fn max_file_len(self) -> u64 {
        self.offset(u32::MAX as u64)
    }

    /// Blocks of `lost+found`, so that e2fsck can fill it without allocating: 16 KiB, and no more than the 12 that an
    /// inode of ext2 can name, as mke2fs makes it.
    pub(crate) const fn lost_and_found_blocks(self) -> u32 {
        match self {
            Self::B1024 => 12,
            Self::B2048 => 8,
            Self::B4096 => 4,
        }
    }

    /// The most bytes of the target of a symbolic link, which has one block for itself and a NUL.
    pub(crate) const fn max_symlink(self) -> usize {
        self.len() - 1
    }
}
