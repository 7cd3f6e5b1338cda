//! Why a table cannot be made.

use thiserror::Error;
use uuid::Uuid;

use crate::{Gpt, GptPartition, Mbr};

/// Why a table cannot be made, or images do not fit the one that was. Partitions are numbered from 1.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A unit of the options is no multiple of the sector size.
    #[error("{what} is {bytes} bytes, which is not a positive multiple of the {sector_size}-byte sector")]
    NotSectors {
        /// Which of the options.
        what: &'static str,
        /// Its value in bytes.
        bytes: u64,
        /// The sector size in bytes.
        sector_size: u64,
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
        /// Which partition.
        number: usize,
    },
    /// A label longer than its field.
    #[error(
        "the name of partition {number}, {name:?}, is {units} UTF-16 code units long, the limit is {max}",
        max = GptPartition::MAX_NAME_UNITS
    )]
    NameTooLong {
        /// Which partition.
        number: usize,
        /// Its name.
        name: String,
        /// The name's length in UTF-16 code units.
        units: usize,
    },
    /// A label that would end early.
    #[error("the name of partition {number}, {name:?}, holds NUL")]
    NameHoldsNul {
        /// Which partition.
        number: usize,
        /// Its name.
        name: String,
    },
    /// The disk has no name.
    #[error("the disk GUID is nil")]
    NilDiskGuid,
    /// A partition has no name or no type.
    #[error("the {what} of partition {number} is nil")]
    NilGuid {
        /// Which of its two GUIDs.
        what: &'static str,
        /// Which partition.
        number: usize,
    },
    /// Two partitions have one name.
    #[error("partitions {first} and {second} both have the GUID {guid}")]
    DuplicateGuid {
        /// The partition that had it first.
        first: usize,
        /// The other one.
        second: usize,
        /// The GUID.
        guid: Uuid,
    },
    /// The disk signature is that of a disk without one.
    #[error("the MBR disk signature is 0, which stands for none; without one no partition has a PARTUUID")]
    NoDiskSignature,
    /// The type says that the record is unused, or that it holds further tables.
    #[error(
        "partition {number} has the type 0x{partition_type:02x}, which is not that of a primary partition"
    )]
    ReservedType {
        /// Which partition.
        number: usize,
        /// Its type.
        partition_type: u8,
    },
    /// Boot code would not know where to start.
    #[error("partitions {first} and {second} are both marked bootable; an MBR has one")]
    SeveralBootable {
        /// The first one marked.
        first: usize,
        /// The other one.
        second: usize,
    },
    /// A partition reaches further than an MBR can count.
    #[error(
        "partition {number} would end at sector {end_lba}; an MBR counts {max} sectors, which are {tib} TiB \
         at {sector_size} bytes each: use GPT{or_4096}",
        max = Mbr::MAX_SECTORS,
        tib = (Mbr::MAX_SECTORS * sector_size) >> 40,
        or_4096 = if *sector_size == 512 { " or 4096-byte sectors" } else { "" }
    )]
    BeyondMbr {
        /// Which partition.
        number: usize,
        /// The sector after its last one.
        end_lba: u64,
        /// The sector size in bytes.
        sector_size: u64,
    },
    /// The disk would be longer than any file or device.
    #[error(
        "partition {number} would make the disk longer than {max} bytes, the longest a file can be",
        max = i64::MAX
    )]
    TooLong {
        /// The first partition that does not fit.
        number: usize,
    },
    /// Not one image for each partition.
    #[error("{given} images were given for {planned} partitions")]
    ImageCount {
        /// How many images there are.
        given: usize,
        /// How many partitions were planned.
        planned: usize,
    },
    /// An image is not the one that was planned for.
    #[error("the image for partition {number} has {given} bytes, planned were {planned}")]
    ImageLength {
        /// Which partition.
        number: usize,
        /// The image's length in bytes.
        given: u64,
        /// The planned length in bytes.
        planned: u64,
    },
}
