//! The choices of the caller.

use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

/// The generic type of a GPT partition that holds a Linux filesystem:
/// `0FC63DAF-8483-4772-8E79-3D69D8477DE4`.
pub const LINUX_FILESYSTEM: Uuid = Uuid::from_u128(0x0fc6_3daf_8483_4772_8e79_3d69_d847_7de4);

/// The type of an MBR partition that holds a Linux filesystem.
pub const MBR_TYPE_LINUX: u8 = 0x83;

/// Layout options common to both kinds of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The unit of the addresses in the table. It must be the sector size of the device that the
    /// disk is presented as.
    pub sector_size: SectorSize,
    /// Each partition starts at a multiple of this many bytes, but the first one where
    /// [`Options::first_partition`] says. At least 1 sector, and a multiple of it.
    pub alignment: u64,
    /// The offset of the first partition in bytes: a multiple of the sector size behind the table.
    /// `None` for the first multiple of [`Options::alignment`] behind the table.
    pub first_partition: Option<u64>,
    /// The disk's length is rounded up to a multiple of this many bytes. At least 1 sector, and a
    /// multiple of it.
    pub length_multiple: u64,
}

impl Options {
    /// Partitions at multiples of 1 MiB, as every partitioning tool places them, and the shortest
    /// disk whose length is a multiple of 4096 bytes.
    ///
    /// A disk file of whole pages can be opened for direct I/O on any host and mapped without a
    /// partial page. A larger multiple would only add zeros; some clouds require uploads of whole
    /// megabytes or gigabytes, for which [`Options::length_multiple`] can be set.
    #[must_use]
    pub const fn new(sector_size: SectorSize) -> Self {
        Self { sector_size, alignment: 1 << 20, first_partition: None, length_multiple: 4096 }
    }
}

/// The size of a logical block. A table made for one size cannot be read with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectorSize {
    /// 512 bytes: the default of virtio, SCSI and NVMe disks of virtual machines.
    Bytes512,
    /// 4096 bytes, "4Kn".
    Bytes4096,
}

impl FromStr for SectorSize {
    type Err = SectorSizeError;

    /// Parses the number of bytes: 512 or 4096.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "512" => Ok(Self::Bytes512),
            "4096" => Ok(Self::Bytes4096),
            _ => Err(SectorSizeError),
        }
    }
}

/// The error for a text that is not the number of bytes of a sector.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a sector has 512 or 4096 bytes")]
pub struct SectorSizeError;

impl SectorSize {
    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            SectorSize::Bytes512 => 512,
            SectorSize::Bytes4096 => 4096,
        }
    }
}

/// A partition table. Partitions are numbered from 1 in the order given, which is their order on
/// the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Table {
    /// A GUID partition table.
    Gpt(Gpt),
    /// A master boot record.
    Mbr(Mbr),
}

/// A GUID partition table (UEFI 2.10, section 5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpt {
    /// The GUID of the disk; not nil.
    pub disk_guid: Uuid,
    /// 1 to 128 partitions.
    pub partitions: Vec<GptPartition>,
}

impl Gpt {
    /// The maximum number of partitions: the entries of the smallest array the specification
    /// allows.
    pub const MAX_PARTITIONS: usize = 128;
}

/// An entry of a GUID partition table (UEFI 2.10, section 5.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GptPartition {
    /// The label: at most 36 UTF-16 code units, none of them NUL. Linux shows it as `PARTLABEL`.
    pub name: String,
    /// The partition type GUID; not nil, which would mark the entry unused.
    pub type_guid: Uuid,
    /// The unique GUID of the partition; not nil. Linux shows it as `PARTUUID`.
    pub guid: Uuid,
    /// Attribute bits: 0 to 2 are defined by the specification, 48 to 63 are specific to the type.
    pub attributes: u64,
    /// The length of the image in bytes, at least 1. The length of the partition is this value
    /// rounded up to whole sectors.
    pub len: u64,
}

impl GptPartition {
    /// The maximum length of a name, in UTF-16 code units.
    pub const MAX_NAME_UNITS: usize = 36;
}

/// A master boot record of primary partitions (UEFI 2.10, section 5.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mbr {
    /// The disk signature; not 0, which means none. Linux forms the `PARTUUID` of a partition from
    /// it: the signature in eight hexadecimal digits, `-`, and the partition number in two.
    pub disk_signature: u32,
    /// 1 to 4 partitions.
    pub partitions: Vec<MbrPartition>,
}

impl Mbr {
    /// The maximum number of partitions: the records of an MBR.
    pub const MAX_PARTITIONS: usize = 4;
}

/// A record of a master boot record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MbrPartition {
    /// The partition type, such as [`MBR_TYPE_LINUX`]. Not 0x00, which would mark the record
    /// unused, nor a type that refers to another partition table: 0x05, 0x0F, 0x85 and 0xEE.
    pub partition_type: u8,
    /// Set if boot code starts from this partition; at most one partition may have it set.
    pub bootable: bool,
    /// The length of the image in bytes, at least 1. The length of the partition is this value
    /// rounded up to whole sectors.
    pub len: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_sectors_are_parsed() {
        for size in [SectorSize::Bytes512, SectorSize::Bytes4096] {
            assert_eq!(size.bytes().to_string().parse(), Ok(size));
        }
        for text in ["", "0", "1024", "4K", " 512"] {
            assert_eq!(text.parse::<SectorSize>(), Err(SectorSizeError), "{text}");
        }
    }
}
