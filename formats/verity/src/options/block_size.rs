//! Sizes of blocks.

use std::fmt;

use crate::{Error, limits};

/// The size of data or hash blocks: a power of two from 512 bytes to 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockSize(u32);

impl BlockSize {
    /// The smallest size in bytes: a sector.
    pub const MIN: u32 = limits::MIN_BLOCK_SIZE;
    /// The largest size in bytes: the largest page of a kernel.
    pub const MAX: u32 = limits::MAX_BLOCK_SIZE;
    /// 4096 bytes: the default of veritysetup, and a page on most machines.
    pub const BYTES_4096: Self = Self(4096);

    /// Returns the size of this many bytes.
    ///
    /// # Errors
    /// Returns an error unless it is a power of two from [`BlockSize::MIN`] to [`BlockSize::MAX`].
    pub fn new(bytes: u64) -> Result<Self, Error> {
        match u32::try_from(bytes) {
            Ok(size @ Self::MIN..=Self::MAX) if size.is_power_of_two() => Ok(Self(size)),
            _ => Err(Error::BlockSize { bytes }),
        }
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }

    pub(crate) fn as_u64(self) -> u64 {
        u64::from(self.0)
    }

    pub(crate) const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for BlockSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::BlockSize;

    #[test]
    fn only_powers_of_two_within_the_limits_are_sizes() {
        for bytes in [512, 1024, 4096, 65_536] {
            assert_eq!(BlockSize::new(bytes).map(|size| u64::from(size.bytes())), Ok(bytes));
        }
        for bytes in [0, 1, 256, 511, 513, 1000, 12_288, 131_072, 1 << 32, u64::MAX] {
            assert!(BlockSize::new(bytes).is_err(), "{bytes}");
        }
    }
}
