//! Partitions without their images.

use partition_table::{LINUX_FILESYSTEM, MBR_TYPE_LINUX};
use uuid::Uuid;

use crate::architecture::Architecture;

/// The generic type of a partition in a GPT that is not a Linux filesystem: `Linux reserved`.
const LINUX_RESERVED: Uuid = uuid::uuid!("8da63339-0007-60c0-c436-083ac8230908");

/// A partition without its image. What does not apply to the layout of the disk is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The purpose, which names the partition's range in reports.
    pub purpose: &'static str,
    /// The type in a GPT.
    pub type_guid: Uuid,
    /// The type in an MBR.
    pub mbr_type: u8,
    /// The GUID in a GPT; not nil, and different for each partition.
    pub guid: Uuid,
    /// The label in a GPT: at most 36 UTF-16 code units.
    pub name: String,
}

impl Partition {
    /// Returns the partition of a root filesystem for an architecture. Without one, the type is
    /// that of any Linux filesystem.
    ///
    /// The label is one that the Discoverable Partitions Specification does not define.
    #[must_use]
    pub fn root(architecture: Option<Architecture>, guid: Uuid) -> Self {
        Self {
            purpose: "root filesystem",
            type_guid: architecture.map_or(LINUX_FILESYSTEM, Architecture::root_partition_type),
            mbr_type: MBR_TYPE_LINUX,
            guid,
            name: "root".to_owned(),
        }
    }

    /// Returns the partition of the dm-verity hash tree of a root filesystem for an architecture.
    /// Without one, the type is one that nothing is mounted of.
    #[must_use]
    pub fn hash_tree(architecture: Option<Architecture>, guid: Uuid) -> Self {
        Self {
            purpose: "hash tree",
            type_guid: architecture.map_or(LINUX_RESERVED, Architecture::root_verity_partition_type),
            mbr_type: MBR_TYPE_LINUX,
            guid,
            name: "root-verity".to_owned(),
        }
    }
}

/// A partition with its place on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPartition {
    /// The partition.
    pub partition: Partition,
    /// Its number in the table, from 1.
    pub number: u32,
    /// Its offset in bytes from the start of the disk.
    pub offset: u64,
    /// Its length in bytes: that of the image, rounded up to whole sectors.
    pub len: u64,
    /// The identifier by which the kernel finds it: the value of `root=PARTUUID=`.
    pub partuuid: String,
}
