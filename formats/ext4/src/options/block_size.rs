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
