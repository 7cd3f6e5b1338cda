//! Where in the address space large files begin.

/// Files of at least [`DataAlignment::bytes`] of blocks lie as pages of that size do in the address space that the
/// filesystem is mapped into, so that DAX can map them with such pages: each block at the offset within its page that it
/// has within the file. Smaller files fill the gaps that this leaves.
///
/// Where a copy of the superblock lies in the way, one page of the file is divided, and the file goes on where it is
/// aligned again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataAlignment {
    /// The size of a page in bytes: a power of two, from the size of a block to [`DataAlignment::MAX`]. 2 MiB are the huge
    /// pages of x86-64, and of arm64 with pages of 4 KiB.
    pub bytes: u64,
    /// Where the filesystem begins in the address space, in bytes from a multiple of the largest page: what lies before its
    /// partition, and before the disk. A multiple of the size of a block.
    pub filesystem_offset: u64,
}

impl DataAlignment {
    /// The largest [`DataAlignment::bytes`]: 1 GiB.
    pub const MAX: u64 = 1 << 30;
}
