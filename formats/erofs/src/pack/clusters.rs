//! The length of physical clusters.

use thiserror::Error;

/// The maximum length of the stored bytes of an extent, and of a piece.
///
/// With 4 KiB, every physical cluster is filled to the brim: the compressor takes as many bytes of
/// a file as fit, so that the kernel reads no more than one block for any byte. A greater length is
/// that of the pieces into which files are cut. Each is compressed by one call, and the result
/// takes as many blocks as it needs.
///
/// Pieces of [`PackOptions::dedupe`](super::PackOptions::dedupe) have up to this length, and up to
/// 32 KiB with a lesser one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClusterSize(u32);

/// The error for a length that no kernel reads.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0} bytes are not a length of physical clusters; it is a power of two from 4096 to 1048576")]
pub struct ClusterSizeError(pub u64);

impl ClusterSize {
    /// 4 KiB: clusters that are filled.
    pub const FILLED: Self = Self(4096);
    /// 128 KiB.
    pub const DEFAULT: Self = Self(128 << 10);

    /// Returns a length in bytes: a power of two from 4 KiB to 1 MiB.
    ///
    /// # Errors
    /// If it is not.
    pub fn new(bytes: u64) -> Result<Self, ClusterSizeError> {
        let size = u32::try_from(bytes).map_err(|_| ClusterSizeError(bytes))?;
        let valid = size.is_power_of_two() && (4 << 10..=1 << 20).contains(&size);
        if valid { Ok(Self(size)) } else { Err(ClusterSizeError(bytes)) }
    }

    /// The length in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }

    pub(super) fn is_filled(self) -> bool {
        self == Self::FILLED
    }
}

impl Default for ClusterSize {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_powers_of_two_within_the_limits_of_the_kernel() {
        for bytes in [4096, 8192, 1 << 20] {
            assert_eq!(ClusterSize::new(bytes).map(ClusterSize::bytes).map(u64::from), Ok(bytes));
        }
        for bytes in [0, 1, 2048, 4097, 12288, 2 << 20, 1 << 32, u64::MAX] {
            assert_eq!(ClusterSize::new(bytes), Err(ClusterSizeError(bytes)));
        }
    }
}
