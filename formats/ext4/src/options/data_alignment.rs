//! The alignment of large files in the address space.

/// The alignment of files with at least [`DataAlignment::bytes`] of blocks to pages of that size in
/// the address space that the filesystem is mapped into, so that DAX can map them with such pages:
/// each block has the same offset modulo the page size in the address space as in the file. Smaller
/// files fill the gaps.
///
/// At a copy of the superblock, one page of the file is divided, and the file continues at the next
/// aligned block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataAlignment {
    /// The size of a page in bytes: a power of two, from the size of a block to
    /// [`DataAlignment::MAX`]. 2 MiB are the huge pages of x86-64, and of arm64 with pages of 4
    /// KiB.
    pub bytes: u64,
    /// The offset of the filesystem in the address space, in bytes from a multiple of the largest
    /// page: the sum of the offsets of its partition and of the disk. A multiple of the block size.
    pub filesystem_offset: u64,
}

impl DataAlignment {
    /// The maximum of [`DataAlignment::bytes`]: 1 GiB.
    pub const MAX: u64 = 1 << 30;
}
