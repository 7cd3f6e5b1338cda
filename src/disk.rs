//! The images of partitions on a disk, or one image as the disk.
//!
//! ```text
//! gpt    ├ table ┼ 0 ┼ root filesystem ┼ 0 ┼ backup table ┤    root=PARTUUID=<partition GUID>
//! mbr    ├ table ┼ 0 ┼ root filesystem ┼ 0 ┤                   root=PARTUUID=<signature>-01
//! bare                ├ root filesystem ┤                       root=/dev/vda, UUID=, LABEL=
//! ```

use image_runs::{Image, Run};
use partition_table::{
    Gpt, GptPartition, LINUX_FILESYSTEM, MBR_TYPE_LINUX, Mbr, MbrPartition, Options, Table,
};
use serde::Serialize;
use uuid::Uuid;

use crate::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result};
use crate::named::named;

pub use partition_table::SectorSize;

/// The length of a partitioned disk is a multiple of this many bytes, whatever its sector size.
pub const DISK_UNIT: u64 = 4096;

/// The layout of the disk around the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskLayout {
    /// A GUID partition table.
    Gpt,
    /// A master boot record.
    Mbr,
    /// No partition table: the disk is one filesystem.
    Bare,
}

named!(DiskLayout, "a disk layout", [Gpt => "gpt", Mbr => "mbr", Bare => "bare"]);

/// The options of a disk. Those that do not apply to the layout are ignored.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// The layout of the disk.
    pub layout: DiskLayout,
    /// The unit of the partition table: the logical sector size of the guest's device.
    pub sector_size: SectorSize,
    /// The GUID of a GPT disk; not nil.
    pub disk_guid: Uuid,
    /// The signature of an MBR disk; not 0.
    pub mbr_signature: u32,
}

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
    /// The label of the root partition, which the Discoverable Partitions Specification does not
    /// define.
    const ROOT_NAME: &str = "root";

    /// Returns the partition of a root filesystem for an architecture. Without one, the type is
    /// that of any Linux filesystem.
    #[must_use]
    pub fn root(architecture: Option<Architecture>, guid: Uuid) -> Self {
        Self {
            purpose: "root filesystem",
            type_guid: architecture.map_or(LINUX_FILESYSTEM, Architecture::root_partition_type),
            mbr_type: MBR_TYPE_LINUX,
            guid,
            name: Self::ROOT_NAME.to_owned(),
        }
    }
}

/// A partition and its image.
pub type Member<'a, C> = (Partition, &'a (dyn Image<C> + 'a));

/// A disk with the images of its partitions.
pub struct Disk<'a, C> {
    content: DiskContent<'a, C>,
    partitions: Vec<PlacedPartition>,
}

enum DiskContent<'a, C> {
    /// The only image, and its purpose.
    Bare(&'static str, &'a (dyn Image<C> + 'a)),
    Partitioned(partition_table::Disk<'a, C>),
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

/// Places the images of partitions on a disk, in their order.
///
/// # Errors
/// [`ErrorKind::BadInput`] if an image is too large for the table, [`ErrorKind::Usage`] if the
/// table cannot represent the options, or there is no table for several partitions.
pub fn place<'a, C: Sync>(members: &[Member<'a, C>], options: &DiskOptions) -> Result<Disk<'a, C>> {
    let Some(table) = table(members.iter().map(|(partition, image)| (partition, image.len())), options)
    else {
        let [(partition, image)] = members else {
            let message = format!(
                "a disk without a partition table holds one filesystem, and {} were given: choose --layout gpt or mbr",
                members.len()
            );
            return Err(Error::new(ErrorKind::Usage, message));
        };
        return Ok(Disk { content: DiskContent::Bare(partition.purpose, *image), partitions: Vec::new() });
    };
    let layout = partition_table::plan(&table, &Options::new(options.sector_size)).map_err(classify)?;
    let images: Vec<_> = members.iter().map(|(_, image)| *image).collect();
    let disk = layout.assemble(&images).map_err(classify)?;
    let places = members.iter().zip(disk.layout().partitions());
    let partitions = (1..)
        .zip(places)
        .map(|(number, ((partition, _), place))| PlacedPartition {
            partition: partition.clone(),
            number,
            offset: place.offset(),
            len: place.len(),
            partuuid: partuuid(partition, number, options),
        })
        .collect();
    Ok(Disk { content: DiskContent::Partitioned(disk), partitions })
}

/// Returns the identifier by which the kernel finds a partition.
fn partuuid(partition: &Partition, number: u32, options: &DiskOptions) -> String {
    match options.layout {
        DiskLayout::Mbr => format!("{:08x}-{number:02x}", options.mbr_signature),
        DiskLayout::Gpt | DiskLayout::Bare => partition.guid.to_string(),
    }
}

/// The space of a disk around its only partition, if the length of that is a multiple of the sector
/// size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskOverhead {
    /// The offset of the partition on the disk, in bytes.
    pub offset: u64,
    /// The number of bytes of the disk before and behind the partition together.
    pub total: u64,
}

/// Returns the space of a disk around its only partition, which does not depend on the length of
/// that.
///
/// # Errors
/// Same as [`place`].
pub fn overhead(partition: &Partition, options: &DiskOptions) -> Result<DiskOverhead> {
    // The result is the same for every length.
    let len = options.sector_size.bytes();
    let Some(table) = table([(partition, len)].into_iter(), options) else {
        return Ok(DiskOverhead::default());
    };
    let layout = partition_table::plan(&table, &Options::new(options.sector_size)).map_err(classify)?;
    let offset = layout.partitions().first().map_or(0, |place| place.offset());
    Ok(DiskOverhead { offset, total: layout.len() - len })
}

/// Returns the table of partitions with these lengths in bytes; `None` for a bare disk.
fn table<'p>(partitions: impl Iterator<Item = (&'p Partition, u64)>, options: &DiskOptions) -> Option<Table> {
    match options.layout {
        DiskLayout::Bare => None,
        DiskLayout::Gpt => {
            let entry = |(partition, len): (&Partition, u64)| GptPartition {
                name: partition.name.clone(),
                type_guid: partition.type_guid,
                guid: partition.guid,
                attributes: 0,
                len,
            };
            Some(Table::Gpt(Gpt {
                disk_guid: options.disk_guid,
                partitions: partitions.map(entry).collect(),
            }))
        }
        DiskLayout::Mbr => {
            // Not marked bootable: that flag is for boot code, and there is none.
            let entry = |(partition, len): (&Partition, u64)| MbrPartition {
                partition_type: partition.mbr_type,
                bootable: false,
                len,
            };
            let partitions = partitions.map(entry).collect();
            Some(Table::Mbr(Mbr { disk_signature: options.mbr_signature, partitions }))
        }
    }
}

fn classify(error: partition_table::Error) -> Error {
    let kind = match error {
        partition_table::Error::BeyondMbr { .. }
        | partition_table::Error::TooLong { .. }
        | partition_table::Error::EmptyPartition { .. } => ErrorKind::BadInput,
        _ => ErrorKind::Usage,
    };
    Error::new(kind, error)
}

impl<C: Sync> Disk<'_, C> {
    /// Returns the ranges of the disk in order, from the first byte to the last.
    #[must_use]
    pub fn ranges(&self) -> Vec<Range> {
        let disk = match &self.content {
            DiskContent::Bare(name, image) => {
                return vec![Range { name, offset: 0, length: image.len() }];
            }
            DiskContent::Partitioned(disk) => disk,
        };
        let (head, tail) = (disk.layout().head().len() as u64, disk.layout().tail().len() as u64);
        let mut places = vec![("partition table", 0, head)];
        let mut end = head;
        for placed in &self.partitions {
            let (start, purpose) = (placed.offset, placed.partition.purpose);
            places.extend([("alignment", end, start), (purpose, start, start + placed.len)]);
            end = start + placed.len;
        }
        let backup = self.len() - tail;
        places.extend([("padding", end, backup), ("backup partition table", backup, self.len())]);
        let full = places.into_iter().filter(|(_, from, to)| from < to);
        full.map(|(name, offset, to)| Range { name, offset, length: to - offset }).collect()
    }
}

impl<C> Disk<'_, C> {
    /// Returns the partitions in the order of the table; none on a bare disk.
    #[must_use]
    pub fn partitions(&self) -> &[PlacedPartition] {
        &self.partitions
    }
}

impl<C: Sync> Image<C> for Disk<'_, C> {
    fn len(&self) -> u64 {
        match &self.content {
            DiskContent::Bare(_, image) => image.len(),
            DiskContent::Partitioned(disk) => disk.len(),
        }
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        match &self.content {
            DiskContent::Bare(_, image) => image.runs(),
            DiskContent::Partitioned(disk) => disk.runs(),
        }
    }
}

#[cfg(test)]
mod tests;
