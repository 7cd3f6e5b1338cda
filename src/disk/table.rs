//! The partition table of a disk, and what else is in front of its partitions.

use dax_header::{InfoBlock, InfoBlockImage};
use image_runs::Image;
use partition_table::{End, Gpt, GptPartition, Layout, Mbr, MbrPartition, Options, Table};

use super::{DiskLayout, DiskLength, DiskOptions, Partition};
use crate::error::{Error, ErrorKind, Result};

/// The space that a device of persistent memory has in front of its contents, in bytes.
const DAX_SPACE: u64 = super::DAX_UNIT;
const MIB: u64 = 1 << 20;

/// A piece of a disk besides its partitions.
pub(super) struct Piece {
    /// The name in reports.
    pub(super) name: &'static str,
    /// The offset in bytes.
    pub(super) offset: u64,
    bytes: PieceBytes,
}

enum PieceBytes {
    Table(End),
    InfoBlock(InfoBlockImage),
}

impl Piece {
    fn table(name: &'static str, offset: u64, end: &End) -> Self {
        Self { name, offset, bytes: PieceBytes::Table(end.clone()) }
    }

    pub(super) fn image<C: Sync>(&self) -> &dyn Image<C> {
        match &self.bytes {
            PieceBytes::Table(end) => end,
            PieceBytes::InfoBlock(block) => block,
        }
    }

    pub(super) fn len(&self) -> u64 {
        // The length does not depend on the type of contents, of which there are none.
        self.image::<Vec<u8>>().len()
    }
}

/// The pieces in the order of their offsets, and the layout that the partitions have.
pub(super) type Tables = (Vec<Piece>, Layout);

/// Plans the table for partitions of these lengths in bytes; `None` for a bare disk.
pub(super) fn plan(partitions: &[(&Partition, u64)], options: &DiskOptions) -> Result<Option<Tables>> {
    match options.layout {
        DiskLayout::Bare => Ok(None),
        DiskLayout::Gpt => {
            let layout = plan_table(&gpt(partitions, options), options, None)?;
            let backup_offset = layout.len() - layout.tail().len() as u64;
            let primary = Piece::table("partition table", 0, layout.head_image());
            let backup = Piece::table("backup partition table", backup_offset, layout.tail_image());
            Ok(Some((vec![primary, backup], layout)))
        }
        DiskLayout::Mbr => {
            let layout = plan_table(&mbr(partitions, options), options, None)?;
            Ok(Some((vec![Piece::table("partition table", 0, layout.head_image())], layout)))
        }
        DiskLayout::Kata => plan_kata(&mbr(partitions, options), options).map(Some),
    }
}

/// Plans the disk of a Kata guest:
///
/// ```text
/// 0      4096                  2 MiB  3 MiB
/// ├ MBR ┼ info block of DAX ┼ 0 ┼ MBR ┼ partition 1 ┼ 0 ┼ partition 2 ┼ 0 ┤
///   of the block device           of the persistent memory, which begins here
/// ```
///
/// Both tables have the same partitions, each from its own start. Without DAX there is one table
/// for partitions from 1 MiB on.
fn plan_kata(table: &Table, options: &DiskOptions) -> Result<Tables> {
    if !options.dax {
        let layout = plan_table(table, options, Some(MIB))?;
        return Ok((vec![Piece::table("partition table", 0, layout.head_image())], layout));
    }
    let outer = plan_table(table, options, Some(DAX_SPACE + MIB))?;
    let inner = plan_table(table, options, Some(MIB))?;
    let places = |layout: &Layout| layout.partitions().iter().map(|place| place.offset()).collect::<Vec<_>>();
    let shifted: Vec<u64> = places(&inner).iter().map(|offset| offset + DAX_SPACE).collect();
    if places(&outer) != shifted {
        let message = "the two partition tables of the disk do not have the same partitions";
        return Err(Error::new(ErrorKind::Verification, message));
    }
    let block = InfoBlock::in_ram(DAX_SPACE);
    block.check_device(outer.len()).map_err(|error| Error::new(ErrorKind::Usage, error))?;
    let pieces = vec![
        Piece::table("partition table", 0, outer.head_image()),
        Piece { name: "dax header", offset: InfoBlock::OFFSET, bytes: PieceBytes::InfoBlock(block.image()) },
        Piece::table("dax partition table", DAX_SPACE, inner.head_image()),
    ];
    Ok((pieces, outer))
}

fn plan_table(table: &Table, options: &DiskOptions, first_partition: Option<u64>) -> Result<Layout> {
    let mut layout = Options::new(options.sector_size);
    layout.first_partition = first_partition;
    layout.length_multiple = match options.length {
        DiskLength::Multiple(bytes) => bytes,
        // The shortest disk that is a multiple of it has that length.
        DiskLength::Exact(bytes) => bytes.max(options.sector_size.bytes()),
    };
    partition_table::plan(table, &layout).map_err(classify)
}

fn gpt(partitions: &[(&Partition, u64)], options: &DiskOptions) -> Table {
    let entry = |(partition, len): &(&Partition, u64)| GptPartition {
        name: partition.name.clone(),
        type_guid: partition.type_guid,
        guid: partition.guid,
        attributes: 0,
        len: *len,
    };
    Table::Gpt(Gpt { disk_guid: options.disk_guid, partitions: partitions.iter().map(entry).collect() })
}

fn mbr(partitions: &[(&Partition, u64)], options: &DiskOptions) -> Table {
    // Not marked bootable: that flag is for boot code, and there is none.
    let entry = |(partition, len): &(&Partition, u64)| MbrPartition {
        partition_type: partition.mbr_type,
        bootable: false,
        len: *len,
    };
    let partitions = partitions.iter().map(entry).collect();
    Table::Mbr(Mbr { disk_signature: options.mbr_signature, partitions })
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
