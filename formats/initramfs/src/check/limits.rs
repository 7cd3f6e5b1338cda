//! The limits on what a check may take.

/// The limits of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of bytes that all compressed members together may unpack to.
    pub unpacked_bytes: u64,
    /// The approximate number of bytes used to track paths and hard links. Those beyond it are not
    /// tracked.
    pub memory_bytes: usize,
}

impl Limits {
    /// Creates limits of unpacked bytes and of the memory for paths and hard links, in bytes.
    #[must_use]
    pub const fn new(unpacked_bytes: u64, memory_bytes: usize) -> Self {
        Self { unpacked_bytes, memory_bytes }
    }
}

/// 64 GiB unpacked, and 256 MiB of memory.
impl Default for Limits {
    fn default() -> Self {
        Self::new(64 << 30, 256 << 20)
    }
}
