//! The numbers of algorithms (`Z_EROFS_COMPRESSION_…`).

/// The algorithms by which a kernel reads compressed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// `Z_EROFS_COMPRESSION_LZ4`.
    Lz4,
    /// `Z_EROFS_COMPRESSION_DEFLATE`.
    Deflate,
    /// `Z_EROFS_COMPRESSION_ZSTD`.
    Zstd,
}

impl Algorithm {
    /// The number of the algorithm in inodes, and of its bit in the superblock.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Lz4 => 0,
            Self::Deflate => 2,
            Self::Zstd => 3,
        }
    }
}
