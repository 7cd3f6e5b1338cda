//! Errors of planning and assembling a disk.

use thiserror::Error;
use uuid::Uuid;

use crate::{Gpt, GptPartition, Mbr};

/// An error in a partition table, or images that do not fit the planned one. Partitions are
/// numbered from 1.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A value of the options is not a multiple of the sector size.
    #[error("{what} is {bytes} bytes, which is not a positive multiple of the {sector_size}-byte sector")]
    NotSectors {
        /// The name of the option.
        what: &'static str,
        /// The value in bytes.
        bytes: u64,
        /// The sector size in bytes.
        sector_size: u64,
    },
    /// The first partition would start within the table.
    #[error("the first partition would start at byte {offset}, within the {table} bytes of the table")]
    FirstPartition {
        /// The offset of the partition in bytes.
        offset: u64,
        /// The length of the table at the start of the disk in bytes.
        table: u64,
    },
    /// The table has no partition.
    #[error("the partition table has no partition")]
    NoPartitions,
    /// More partitions than a GPT has entries.
    #[error("{0} partitions are more than the {max} entries of a GPT", max = Gpt::MAX_PARTITIONS)]
    TooManyForGpt(usize),
    /// More partitions than an MBR has records.
    #[error(
        "{0} partitions are more than the {max} records of an MBR; use GPT, which has {gpt}",
        max = Mbr::MAX_PARTITIONS,
        gpt = Gpt::MAX_PARTITIONS
    )]
    TooManyForMbr(usize),
    /// A partition of no bytes.
    #[error("partition {number} has no bytes; a partition is at least one sector")]
    EmptyPartition {
        /// The number of the partition.
        number: usize,
    },
    /// A label longer than its field.
    #[error(
        "the name of partition {number}, {name:?}, is {units} UTF-16 code units long, the limit is {max}",
        max = GptPartition::MAX_NAME_UNITS
    )]
    NameTooLong {
        /// The number of the partition.
        number: usize,
        /// The name.
        name: String,
        /// The name's length in UTF-16 code units.
        units: usize,
    },
    /// A label that contains NUL, which would terminate it early.
    #[error("the name of partition {number}, {name:?}, contains NUL")]
    NameHoldsNul {
        /// The number of the partition.
        number: usize,
        /// The name.
        name: String,
    },
    /// The disk GUID is nil.
    #[error("the disk GUID is nil")]
    NilDiskGuid,
    /// The GUID or the type GUID of a partition is nil.
    #[error("the {what} of partition {number} is nil")]
    NilGuid {
        /// The name of the GUID.
        what: &'static str,
        /// The number of the partition.
        number: usize,
    },
    /// Two partitions have the same GUID.
    #[error("partitions {first} and {second} both have the GUID {guid}")]
    DuplicateGuid {
        /// The partition that had it first.
        first: usize,
        /// The other one.
        second: usize,
        /// The GUID.
        guid: Uuid,
    },
    /// The disk signature is 0, which means none.
    #[error("the MBR disk signature is 0, which stands for none; without one no partition has a PARTUUID")]
    NoDiskSignature,
    /// The type marks the record as unused, or refers to another partition table.
    #[error(
        "partition {number} has the type 0x{partition_type:02x}, which is not that of a primary partition"
    )]
    ReservedType {
        /// The number of the partition.
        number: usize,
        /// The type.
        partition_type: u8,
    },
    /// Several partitions are marked bootable.
    #[error("partitions {first} and {second} are both marked bootable; an MBR has one")]
    SeveralBootable {
        /// The first one marked.
        first: usize,
        /// The other one.
        second: usize,
    },
    /// A partition extends beyond the sectors that an MBR can address.
    #[error(
        "partition {number} would end at sector {end_lba}; an MBR counts {max} sectors, which are {tib} TiB \
         at {sector_size} bytes each: use GPT{or_4096}",
        max = Mbr::MAX_SECTORS,
        tib = (Mbr::MAX_SECTORS * sector_size) >> 40,
        or_4096 = if *sector_size == 512 { " or 4096-byte sectors" } else { "" }
    )]
    BeyondMbr {
        /// The number of the partition.
        number: usize,
        /// The sector after its last one.
        end_lba: u64,
        /// The sector size in bytes.
        sector_size: u64,
    },
    /// The disk would be longer than any file or device can be.
    #[error(
        "partition {number} would make the disk longer than {max} bytes, the longest a file can be",
        max = i64::MAX
    )]
    TooLong {
        /// The first partition that does not fit.
        number: usize,
    },
    /// The number of images differs from the number of partitions.
    #[error("{given} images were given for {planned} partitions")]
    ImageCount {
        /// The number of images.
        given: usize,
        /// The number of planned partitions.
        planned: usize,
    },
    /// An image does not have its planned length.
    #[error("the image for partition {number} has {given} bytes, planned were {planned}")]
    ImageLength {
        /// The number of the partition.
        number: usize,
        /// The image's length in bytes.
        given: u64,
        /// The planned length in bytes.
        planned: u64,
    },
}
