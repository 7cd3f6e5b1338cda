//! The bytes of a GUID partition table, through the `gpt` crate.
//!
//! The crate's own constructor draws a random GUID, so this module uses its parts: headers and
//! entries with given GUIDs, their serialisation and their checksums.

use std::collections::BTreeMap;
use std::io;

use gpt::disk::LogicalBlockSize;
use gpt::header::{Header, HeaderBuilder, HeaderError};
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{OperatingSystem, Type};

use crate::ends::Ends;
use crate::extent::Extent;
use crate::{Error, Gpt, GptPartition, SectorSize};

/// The size of an entry in bytes: the only size in use.
const ENTRY_SIZE: u32 = 128;
/// The number of entries: 16 KiB in total, the minimum that UEFI 2.10, section 5.3.1 allows.
const ENTRY_COUNT: u32 = 128;

/// Checks that the format can represent the table, except for lengths.
pub(crate) fn check(table: &Gpt) -> Result<(), Error> {
    if table.disk_guid.is_nil() {
        return Err(Error::NilDiskGuid);
    }
    if table.partitions.len() > Gpt::MAX_PARTITIONS {
        return Err(Error::TooManyForGpt(table.partitions.len()));
    }
    let mut seen = BTreeMap::new();
    for (number, partition) in (1..).zip(&table.partitions) {
        check_partition(number, partition)?;
        if let Some(first) = seen.insert(partition.guid, number) {
            return Err(Error::DuplicateGuid { first, second: number, guid: partition.guid });
        }
    }
    Ok(())
}

fn check_partition(number: usize, partition: &GptPartition) -> Result<(), Error> {
    let name = &partition.name;
    if name.contains('\0') {
        return Err(Error::NameHoldsNul { number, name: name.clone() });
    }
    let units = name.encode_utf16().count();
    if units > GptPartition::MAX_NAME_UNITS {
        return Err(Error::NameTooLong { number, name: name.clone(), units });
    }
    if partition.type_guid.is_nil() {
        return Err(Error::NilGuid { what: "type GUID", number });
    }
    if partition.guid.is_nil() {
        return Err(Error::NilGuid { what: "GUID", number });
    }
    Ok(())
}

/// The number of bytes before the first usable sector: protective MBR, header and entries.
pub(crate) fn head_len(sector_size: SectorSize) -> usize {
    block_size(sector_size).as_usize() + tail_len(sector_size)
}

/// The number of bytes after the last usable sector: entries and header.
pub(crate) fn tail_len(sector_size: SectorSize) -> usize {
    const ARRAY_LEN: usize = 128 * 128;
    ARRAY_LEN + block_size(sector_size).as_usize()
}

/// Returns the head and the tail of a disk of `len` bytes. The table must have been checked.
pub(crate) fn write(table: &Gpt, extents: &[Extent], len: u64, sector_size: SectorSize) -> Ends {
    let mut ends = Ends::new(len, head_len(sector_size), tail_len(sector_size));
    write_protective_mbr(&mut ends, len / sector_size.bytes());
    // OK to unwrap: writes go to memory, and the crate derives their offsets from the same two
    // lengths as the size of that memory.
    write_table(&mut ends, table, extents, len, sector_size)
        .expect("a GPT is in the head and tail of its disk");
    ends
}

fn write_protective_mbr(ends: &mut Ends, disk_sectors: u64) {
    // UEFI 2.10, section 5.2.3: the whole disk except this sector, or as much of it as 32 bits can
    // represent.
    let protected = u32::try_from(disk_sectors - 1).unwrap_or(u32::MAX);
    let mbr = ProtectiveMBR::with_lb_size(protected).to_bytes();
    ends.head[..mbr.len()].copy_from_slice(&mbr);
}

fn write_table(
    ends: &mut Ends,
    table: &Gpt,
    extents: &[Extent],
    len: u64,
    sector_size: SectorSize,
) -> Result<(), HeaderError> {
    let block_size = block_size(sector_size);
    let blank = blank_header(table, len / sector_size.bytes() - 1);
    let mut primary = HeaderBuilder::from_header(&blank).primary(true).build(block_size)?;
    let mut backup = HeaderBuilder::from_header(&blank).primary(false).build(block_size)?;
    assert_eq!(primary.first_usable * sector_size.bytes(), ends.head.len() as u64);
    assert_eq!((primary.last_usable + 1) * sector_size.bytes(), len - ends.tail.len() as u64);

    for header in [&primary, &backup] {
        write_entries(ends, table, extents, header.part_start, block_size)?;
    }
    // These compute checksums of the entries on the device, so they come last.
    primary.write_primary(ends, block_size)?;
    backup.write_backup(ends, block_size)?;
    Ok(())
}

fn write_entries(
    ends: &mut Ends,
    table: &Gpt,
    extents: &[Extent],
    array_lba: u64,
    block_size: LogicalBlockSize,
) -> io::Result<()> {
    for (index, (partition, extent)) in (0..).zip(table.partitions.iter().zip(extents)) {
        let entry = Partition {
            // The operating system is a label internal to the crate and is not written.
            part_type_guid: Type { guid: partition.type_guid, os: OperatingSystem::None },
            part_guid: partition.guid,
            first_lba: extent.first_lba(),
            last_lba: extent.last_lba(),
            flags: partition.attributes,
            name: partition.name.clone(),
        };
        entry.write_to_device(ends, index, array_lba, block_size, ENTRY_SIZE)?;
    }
    Ok(())
}

/// The header fields that the builder needs; it fills in the rest for the primary and the backup.
fn blank_header(table: &Gpt, last_lba: u64) -> Header {
    Header {
        signature: "EFI PART".to_owned(),
        revision: (1, 0),
        header_size_le: 92,
        crc32: 0,
        reserved: 0,
        current_lba: 1,
        backup_lba: last_lba,
        first_usable: 0,
        last_usable: 0,
        disk_guid: table.disk_guid,
        part_start: 0,
        num_parts: ENTRY_COUNT,
        part_size: ENTRY_SIZE,
        crc32_parts: 0,
    }
}

fn block_size(sector_size: SectorSize) -> LogicalBlockSize {
    match sector_size {
        SectorSize::Bytes512 => LogicalBlockSize::Lb512,
        SectorSize::Bytes4096 => LogicalBlockSize::Lb4096,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use crate::{Gpt, GptPartition, Options, SectorSize, Table, plan};

    /// gptman reads the ends of a 20 TiB disk, too large for a test to write.
    #[test]
    fn a_disk_larger_than_memory_reads_back() {
        let partition = |number, len| GptPartition {
            name: "large".into(),
            type_guid: crate::LINUX_FILESYSTEM,
            guid: Uuid::from_u128(number),
            attributes: 0,
            len,
        };
        let partitions = vec![partition(1, 20 << 40), partition(2, 1)];
        let table = Gpt { disk_guid: Uuid::from_u128(9), partitions };
        for sector_size in [SectorSize::Bytes512, SectorSize::Bytes4096] {
            let layout = plan(&Table::Gpt(table.clone()), &Options::new(sector_size)).expect("a valid table");
            let mut ends = super::write(&table, layout.partitions(), layout.len(), sector_size);
            let primary = gptman::GPT::read_from(&mut ends, sector_size.bytes()).expect("a valid table");
            assert!(primary.header.is_primary());
            assert_eq!(primary[2].starting_lba, ((20 << 40) + (1 << 20)) / sector_size.bytes());

            ends.head.fill(0);
            let backup = gptman::GPT::read_from(&mut ends, sector_size.bytes()).expect("a valid backup");
            assert!(backup.header.is_backup());
            assert_eq!((&backup[1], &backup[2]), (&primary[1], &primary[2]));
        }
    }
}
