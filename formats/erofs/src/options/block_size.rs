//! The block size of a filesystem.

/// The size of a block: a power of two from 512 to 65,536 bytes. A kernel mounts no filesystem with
/// blocks longer than its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockSize(u8);

impl Default for BlockSize {
    fn default() -> Self {
        Self::B4096
    }
}

impl BlockSize {
    /// 512 bytes, the smallest.
    pub const B512: Self = Self(9);
    /// 4096 bytes, which every kernel reads.
    pub const B4096: Self = Self(12);
    /// 64 KiB, the largest.
    pub const B65536: Self = Self(16);

    /// Returns the size with that many bytes; `None` if no block has that size.
    #[must_use]
    pub fn from_bytes(bytes: u64) -> Option<Self> {
        (Self::B512.0..=Self::B65536.0).map(Self).find(|size| size.bytes() == bytes)
    }

    /// Returns the size of a block in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.0
    }

    /// Returns the binary logarithm of the size in bytes: 9 to 16.
    #[must_use]
    pub const fn log2(self) -> u8 {
        self.0
    }

    /// Returns [`BlockSize::bytes`] as a length in memory.
    pub(crate) const fn len(self) -> usize {
        1 << self.0
    }

    /// Returns the number of whole blocks in that many bytes.
    pub(crate) const fn whole_blocks_of(self, bytes: u64) -> u64 {
        bytes >> self.0
    }

    /// Returns the number of bytes behind the last whole block.
    pub(crate) const fn rest_of(self, bytes: u64) -> u64 {
        bytes & (self.bytes() - 1)
    }

    /// Returns the number of blocks for that many bytes.
    pub(crate) const fn blocks_of(self, bytes: u64) -> u64 {
        self.whole_blocks_of(bytes) + (self.rest_of(bytes) != 0) as u64
    }

    /// Returns the offset of a block, in bytes.
    pub(crate) const fn offset(self, block: u64) -> u64 {
        block << self.0
    }

    /// Returns the end of the bytes that the checksum of the superblock covers, from 1024 on. It is
    /// the start of a block.
    pub(crate) const fn checksum_end(self) -> u64 {
        if self.0 <= 10 { 1024 + self.bytes() } else { self.bytes() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_two() {
        let all: Vec<u64> =
            (0..1 << 18).filter_map(|bytes| BlockSize::from_bytes(bytes).map(BlockSize::bytes)).collect();
        assert_eq!(all, [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]);
    }
}
