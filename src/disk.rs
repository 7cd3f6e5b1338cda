//! The images of partitions on a disk, or one image as the disk.
//!
//! ```text
//! gpt    ├ table ┼ 0 ┼ root filesystem ┼ 0 [┼ hash tree ┼ 0] ┼ backup table ┤
//! mbr    ├ table ┼ 0 ┼ root filesystem ┼ 0 [┼ hash tree ┼ 0] ┤
//! kata   ├ table ┼ DAX header ┼ 0 ┼ table ┼ root filesystem ┼ 0 [┼ hash tree ┼ 0] ┤
//! bare                                   ├ root filesystem ┤
//! ```
//!
//! The kernel finds the root filesystem of a GPT by `root=PARTUUID=<partition GUID>`, of an MBR by
//! `root=PARTUUID=<signature>-01`, of a bare disk by `root=/dev/vda`, `UUID=` or `LABEL=`.
//!
//! A [`DiskFrame`] is the disk before the length of the filesystem is known, a [`DiskPlan`] the
//! places of all parts, from which the images make a disk.

mod frame;
mod partition;
mod plan;
mod table;

use serde::Serialize;
use uuid::Uuid;

use crate::named::named;

pub use frame::{DiskFrame, HashTreePartition, hash_partition_len};
pub use partition::{Partition, PlacedPartition};
pub use partition_table::SectorSize;
pub use plan::{DiskPlan, Images, plan};

/// The length of a partitioned disk is a multiple of this many bytes, whatever its sector size.
pub const DISK_UNIT: u64 = 4096;

/// The length of a disk that is persistent memory is a multiple of this many bytes.
pub const DAX_UNIT: u64 = dax_header::InfoBlock::ALIGN as u64;

/// The layout of the disk around the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskLayout {
    /// A GUID partition table.
    Gpt,
    /// A master boot record.
    Mbr,
    /// A master boot record; with DAX, a second one and the header of persistent memory.
    Kata,
    /// No partition table: the disk is one filesystem.
    Bare,
}

named!(
    DiskLayout,
    "a disk layout",
    [Gpt => "gpt", Mbr => "mbr", Kata => "kata", Bare => "bare"]
);

/// The options of a disk. Those that do not apply to the layout are ignored.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// The layout of the disk.
    pub layout: DiskLayout,
    /// True if the disk of a Kata guest may also be persistent memory that is mounted with DAX.
    pub dax: bool,
    /// The unit of the partition table: the logical sector size of the guest's device.
    pub sector_size: SectorSize,
    /// The length of the disk.
    pub length: DiskLength,
    /// The GUID of a GPT disk; not nil.
    pub disk_guid: Uuid,
    /// The signature of an MBR disk; not 0.
    pub mbr_signature: u32,
}

/// The length of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskLength {
    /// The shortest that is a multiple of this many bytes.
    Multiple(u64),
    /// Exactly this many bytes.
    Exact(u64),
}

/// A range of the image with one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The purpose.
    pub name: &'static str,
    /// The offset in the image, in bytes.
    pub offset: u64,
    /// The length in bytes.
    pub length: u64,
}

#[cfg(test)]
mod tests;
