//! A filesystem image on a disk.
//!
//! ```text
//! gpt    ├ table ┼ 0 ┼ root filesystem ┼ 0 ┼ backup table ┤    root=PARTUUID=<partition GUID>
//! mbr    ├ table ┼ 0 ┼ root filesystem ┼ 0 ┤                   root=PARTUUID=<signature>-01
//! bare                ├ root filesystem ┤                       root=/dev/vda, UUID=, LABEL=
//! ```

use std::fmt;
use std::str::FromStr;

use image_runs::{Image, Run};
use partition_table::{
    Gpt, GptPartition, LINUX_FILESYSTEM, MBR_TYPE_LINUX, Mbr, MbrPartition, Options, Table,
};
use serde::Serialize;
use thiserror::Error as ThisError;
use uuid::Uuid;

use crate::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result};

pub use partition_table::SectorSize;

/// The length of a partitioned disk is a multiple of this many bytes, whatever its sector size.
pub const DISK_UNIT: u64 = 4096;

/// The layout of the disk around the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskLayout {
    /// A GUID partition table with one partition.
    Gpt,
    /// A master boot record with one partition.
    Mbr,
    /// No partition table: the disk is the filesystem.
    Bare,
}

impl DiskLayout {
    /// All layouts.
    pub const ALL: [Self; 3] = [Self::Gpt, Self::Mbr, Self::Bare];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DiskLayout::Gpt => "gpt",
            DiskLayout::Mbr => "mbr",
            DiskLayout::Bare => "bare",
        }
    }
}

impl fmt::Display for DiskLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An error for an unknown disk layout name.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
#[error("\"{0}\" is not a disk layout; there are gpt, mbr and bare")]
pub struct UnknownDiskLayout(String);

impl FromStr for DiskLayout {
    type Err = UnknownDiskLayout;

    fn from_str(name: &str) -> Result<Self, UnknownDiskLayout> {
        let found = Self::ALL.into_iter().find(|layout| layout.name() == name);
        found.ok_or_else(|| UnknownDiskLayout(name.to_owned()))
    }
}

/// The options of a disk. Those that do not apply to the layout are ignored.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// The layout of the disk.
    pub layout: DiskLayout,
    /// The unit of the partition table: the logical sector size of the guest's device.
    pub sector_size: SectorSize,
    /// The architecture that the filesystem is the root of. It determines the type of a GPT
    /// partition; without it, the type is that of any Linux filesystem.
    pub architecture: Option<Architecture>,
    /// The GUID of a GPT disk; not nil.
    pub disk_guid: Uuid,
    /// The GUID of the GPT partition; not nil.
    pub partition_guid: Uuid,
    /// The signature of an MBR disk; not 0.
    pub mbr_signature: u32,
    /// The label of the GPT partition: at most 36 UTF-16 code units.
    pub partition_name: String,
}

/// A filesystem on a disk.
pub struct Disk<'a, C> {
    whole: Whole<'a, C>,
    root: Option<RootPartition>,
}

enum Whole<'a, C> {
    Bare(&'a (dyn Image<C> + 'a)),
    Partitioned(partition_table::Disk<'a, C>),
}

/// The partition of the filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootPartition {
    /// Its number in the table, from 1.
    pub number: u32,
    /// Its offset in bytes from the start of the disk.
    pub offset: u64,
    /// Its length in bytes: that of the filesystem, rounded up to whole sectors.
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

/// Puts a filesystem on a disk.
///
/// # Errors
/// [`ErrorKind::BadInput`] if the filesystem is too large for the table, [`ErrorKind::Usage`] if
/// the table cannot represent the options.
pub fn place<'a, C: Sync>(root: &'a (dyn Image<C> + 'a), options: &DiskOptions) -> Result<Disk<'a, C>> {
    let (table, partuuid) = match options.layout {
        DiskLayout::Bare => return Ok(Disk { whole: Whole::Bare(root), root: None }),
        DiskLayout::Gpt => (gpt(root.len(), options), options.partition_guid.to_string()),
        DiskLayout::Mbr => (mbr(root.len(), options), format!("{:08x}-01", options.mbr_signature)),
    };
    let layout = partition_table::plan(&table, &Options::new(options.sector_size)).map_err(blame)?;
    let disk = layout.assemble(&[root]).map_err(blame)?;
    let root = disk.layout().partitions().first().map(|place| RootPartition {
        number: 1,
        offset: place.offset(),
        len: place.len(),
        partuuid,
    });
    Ok(Disk { whole: Whole::Partitioned(disk), root })
}

/// The space around the filesystem, if its length is a multiple of the sector size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The offset of the filesystem on the disk, in bytes.
    pub before: u64,
    /// The number of bytes of the disk before and behind the filesystem together.
    pub all: u64,
}

/// Returns the space around a filesystem, which does not depend on its length.
///
/// # Errors
/// As [`place`].
pub fn surroundings(options: &DiskOptions) -> Result<Surroundings> {
    // The result is the same for every length.
    let len = options.sector_size.bytes();
    let table = match options.layout {
        DiskLayout::Bare => return Ok(Surroundings { before: 0, all: 0 }),
        DiskLayout::Gpt => gpt(len, options),
        DiskLayout::Mbr => mbr(len, options),
    };
    let layout = partition_table::plan(&table, &Options::new(options.sector_size)).map_err(blame)?;
    let before = layout.partitions().first().map_or(0, |root| root.offset());
    Ok(Surroundings { before, all: layout.len() - len })
}

fn gpt(len: u64, options: &DiskOptions) -> Table {
    let root = GptPartition {
        name: options.partition_name.clone(),
        type_guid: options.architecture.map_or(LINUX_FILESYSTEM, Architecture::root_partition_type),
        guid: options.partition_guid,
        attributes: 0,
        len,
    };
    Table::Gpt(Gpt { disk_guid: options.disk_guid, partitions: vec![root] })
}

fn mbr(len: u64, options: &DiskOptions) -> Table {
    // Not marked bootable: that flag is for boot code, and there is none.
    let root = MbrPartition { partition_type: MBR_TYPE_LINUX, bootable: false, len };
    Table::Mbr(Mbr { disk_signature: options.mbr_signature, partitions: vec![root] })
}

fn blame(error: partition_table::Error) -> Error {
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
        let (Whole::Partitioned(disk), Some(root)) = (&self.whole, &self.root) else {
            return vec![Range { name: "root filesystem", offset: 0, length: self.len() }];
        };
        let (head, tail) = (disk.layout().head().len() as u64, disk.layout().tail().len() as u64);
        let (end, backup) = (root.offset + root.len, self.len() - tail);
        let places = [
            ("partition table", 0, head),
            ("alignment", head, root.offset),
            ("root filesystem", root.offset, end),
            ("padding", end, backup),
            ("backup partition table", backup, self.len()),
        ];
        let full = places.into_iter().filter(|(_, from, to)| from < to);
        full.map(|(name, offset, to)| Range { name, offset, length: to - offset }).collect()
    }
}

impl<C> Disk<'_, C> {
    /// Returns the partition of the filesystem; `None` on a bare disk.
    #[must_use]
    pub fn root_partition(&self) -> Option<&RootPartition> {
        self.root.as_ref()
    }
}

impl<C: Sync> Image<C> for Disk<'_, C> {
    fn len(&self) -> u64 {
        match &self.whole {
            Whole::Bare(root) => root.len(),
            Whole::Partitioned(disk) => disk.len(),
        }
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        match &self.whole {
            Whole::Bare(root) => root.runs(),
            Whole::Partitioned(disk) => disk.runs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use image_runs::{Source, read_all};
    use uuid::uuid;

    use super::*;

    struct Filesystem(Vec<u8>);

    impl Image<Vec<u8>> for Filesystem {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }
        fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
            let run = Run { len: self.len(), source: Source::Content { content: &self.0, offset: 0 } };
            Box::new(std::iter::once(run))
        }
    }

    /// A filesystem of any size, filled with zeros.
    struct Large(u64);

    impl Image<Vec<u8>> for Large {
        fn len(&self) -> u64 {
            self.0
        }
        fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
            Box::new(std::iter::once(Run::zeros(self.0)))
        }
    }

    fn options(layout: DiskLayout, sector_size: SectorSize) -> DiskOptions {
        DiskOptions {
            layout,
            sector_size,
            architecture: Some(Architecture::Arm64),
            disk_guid: uuid!("0f4c8bd3-6b4d-4b54-9a43-9d8f5d2a7c10"),
            partition_guid: uuid!("5ad0c1d6-0f39-4c36-8c55-1f6b7a0d9e21"),
            mbr_signature: 0x0a34_abcd,
            partition_name: "root".to_owned(),
        }
    }

    #[test]
    fn layouts_have_names() {
        for layout in DiskLayout::ALL {
            assert_eq!(layout.to_string().parse(), Ok(layout));
        }
        let error = "GPT".parse::<DiskLayout>().expect_err("names are lower-case");
        assert_eq!(error.to_string(), "\"GPT\" is not a disk layout; there are gpt, mbr and bare");
    }

    #[test]
    fn the_filesystem_lies_where_the_disk_says() {
        let filesystem = Filesystem((0..3000_u16).flat_map(u16::to_le_bytes).collect());
        for sector_size in [SectorSize::Bytes512, SectorSize::Bytes4096] {
            for (layout, partuuid) in
                [(DiskLayout::Gpt, "5ad0c1d6-0f39-4c36-8c55-1f6b7a0d9e21"), (DiskLayout::Mbr, "0a34abcd-01")]
            {
                let disk = place(&filesystem, &options(layout, sector_size)).expect("a valid disk");
                let bytes = read_all(&disk).expect("memory does not fail");
                let root = disk.root_partition().expect("there is a table");
                assert_eq!((root.number, root.offset, root.partuuid.as_str()), (1, 1 << 20, partuuid));
                assert_eq!(root.len, 6000_u64.next_multiple_of(sector_size.bytes()));
                assert_eq!(bytes[1 << 20..][..6000], filesystem.0);
                let ranges = disk.ranges();
                let mut ends = ranges.iter().map(|range| range.offset + range.length);
                let starts: Vec<u64> = ranges.iter().map(|range| range.offset).collect();
                assert_eq!(starts[1..], ends.clone().collect::<Vec<_>>()[..ranges.len() - 1]);
                assert_eq!((starts[0], ends.next_back()), (0, Some(disk.len())));
                for range in ranges.iter().filter(|range| matches!(range.name, "alignment" | "padding")) {
                    let start = usize::try_from(range.offset).expect("small");
                    let bytes = &bytes[start..][..usize::try_from(range.length).expect("small")];
                    assert!(bytes.iter().all(|byte| *byte == 0), "{range:?}");
                }
            }
        }
        let disk = place(&filesystem, &options(DiskLayout::Bare, SectorSize::Bytes512)).expect("no table");
        assert_eq!(disk.root_partition(), None);
        assert_eq!(read_all(&disk).expect("memory does not fail"), filesystem.0);
    }

    #[test]
    fn the_partition_has_the_type_of_its_architecture() {
        let filesystem = Filesystem(vec![0; 4096]);
        for (architecture, expected) in [
            (Some(Architecture::Arm64), uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae")),
            (None, uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4")),
        ] {
            let options = DiskOptions { architecture, ..options(DiskLayout::Gpt, SectorSize::Bytes512) };
            let disk = place(&filesystem, &options).expect("a valid disk");
            let bytes = read_all(&disk).expect("memory does not fail");
            let table = gptman::GPT::read_from(&mut std::io::Cursor::new(bytes), 512).expect("a valid table");
            assert_eq!(table[1].partition_type_guid, expected.to_bytes_le());
            assert_eq!(table[1].partition_name.as_str(), "root");
        }
    }

    #[test]
    fn errors_say_whose_fault_they_are() {
        let kind = |len, options: &DiskOptions| place(&Large(len), options).err().map(|error| error.kind());
        let mbr = options(DiskLayout::Mbr, SectorSize::Bytes512);
        assert_eq!(kind(1 << 40, &mbr), None);
        assert_eq!(kind(2 << 40, &mbr), Some(ErrorKind::BadInput));
        assert_eq!(kind(4096, &DiskOptions { mbr_signature: 0, ..mbr }), Some(ErrorKind::Usage));
        let gpt = options(DiskLayout::Gpt, SectorSize::Bytes512);
        assert_eq!(kind(2 << 40, &gpt), None);
        assert_eq!(
            kind(4096, &DiskOptions { partition_name: "x".repeat(37), ..gpt }),
            Some(ErrorKind::Usage)
        );
    }
}
