//! The extent of a partition.

use crate::SectorSize;

/// The extent of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    first_lba: u64,
    sector_count: u64,
    sector_size: SectorSize,
    image_len: u64,
}

impl Extent {
    /// Creates the extent of `sector_count` sectors, at least 1, for an image of `image_len` bytes.
    pub(crate) fn new(first_lba: u64, sector_count: u64, sector_size: SectorSize, image_len: u64) -> Self {
        Self { first_lba, sector_count, sector_size, image_len }
    }

    /// The first sector.
    #[must_use]
    pub fn first_lba(&self) -> u64 {
        self.first_lba
    }

    /// The last sector.
    #[must_use]
    pub fn last_lba(&self) -> u64 {
        self.first_lba + self.sector_count - 1
    }

    /// The number of sectors.
    #[must_use]
    pub fn sector_count(&self) -> u64 {
        self.sector_count
    }

    /// The offset of the partition from the start of the disk, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.first_lba * self.sector_size.bytes()
    }

    /// The partition's length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a partition is never empty")]
    pub fn len(&self) -> u64 {
        self.sector_count * self.sector_size.bytes()
    }

    /// The length of the image in bytes. The rest of the partition's last sector is zeros.
    #[must_use]
    pub fn image_len(&self) -> u64 {
        self.image_len
    }
}
