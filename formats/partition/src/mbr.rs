//! The bytes of a master boot record.

use gpt::mbr::{PartRecord, ProtectiveMBR};

use crate::extent::Extent;
use crate::{Error, Mbr, SectorSize};

impl Mbr {
    /// The number of sectors that 32 bits can address: no partition ends after them.
    pub const MAX_SECTORS: u64 = 1 << 32;
}

/// Types that do not mean "a primary partition": unused, three for extended partitions, and the GPT
/// protective type.
const RESERVED_TYPES: [u8; 5] = [0x00, 0x05, 0x0f, 0x85, 0xee];

/// Checks that the format can represent the table, except for lengths.
pub(crate) fn check(table: &Mbr) -> Result<(), Error> {
    if table.disk_signature == 0 {
        return Err(Error::NoDiskSignature);
    }
    if table.partitions.len() > Mbr::MAX_PARTITIONS {
        return Err(Error::TooManyForMbr(table.partitions.len()));
    }
    let mut bootable = None;
    for (number, partition) in (1..).zip(&table.partitions) {
        let partition_type = partition.partition_type;
        if RESERVED_TYPES.contains(&partition_type) {
            return Err(Error::ReservedType { number, partition_type });
        }
        if partition.bootable
            && let Some(first) = bootable.replace(number)
        {
            return Err(Error::SeveralBootable { first, second: number });
        }
    }
    Ok(())
}

/// Returns the first sector of a disk. The table must have been checked.
pub(crate) fn write(table: &Mbr, extents: &[Extent], sector_size: SectorSize) -> Result<Vec<u8>, Error> {
    // The crate names this type after its only use there, but it can represent any MBR.
    let mut mbr = ProtectiveMBR::new();
    mbr.set_partition(0, PartRecord::zero());
    mbr.set_disk_signature(table.disk_signature.to_le_bytes());
    for (index, (partition, extent)) in table.partitions.iter().zip(extents).enumerate() {
        let end_lba = extent.first_lba() + extent.sector_count();
        let beyond = Error::BeyondMbr { number: index + 1, end_lba, sector_size: sector_size.bytes() };
        let (Ok(last_lba), Ok(lb_start), Ok(lb_size)) = (
            u32::try_from(extent.last_lba()),
            u32::try_from(extent.first_lba()),
            u32::try_from(extent.sector_count()),
        ) else {
            return Err(beyond);
        };
        let [start_head, start_sector, start_track] = chs(lb_start);
        let [end_head, end_sector, end_track] = chs(last_lba);
        let record = PartRecord {
            boot_indicator: if partition.bootable { 0x80 } else { 0x00 },
            start_head,
            start_sector,
            start_track,
            os_type: partition.partition_type,
            end_head,
            end_sector,
            end_track,
            lb_start,
            lb_size,
        };
        mbr.set_partition(index, record);
    }
    let mut sector = mbr.to_bytes().to_vec();
    sector.resize(usize::try_from(sector_size.bytes()).expect("a sector fits in memory"), 0);
    Ok(sector)
}

/// The three bytes of a CHS address: head, sector with the upper bits of the cylinder, cylinder.
///
/// The geometry is the 255 heads and 63 sectors that BIOSes assume for LBA disks and `fdisk` and
/// `parted` write; a sector beyond its 1024 cylinders is represented by the last address.
fn chs(lba: u32) -> [u8; 3] {
    const HEADS: u32 = 255;
    const SECTORS: u32 = 63;
    const LAST: [u8; 3] = [0xfe, 0xff, 0xff];

    let cylinder = lba / (HEADS * SECTORS);
    let head = lba / SECTORS % HEADS;
    let sector = lba % SECTORS + 1;
    if cylinder > 1023 {
        return LAST;
    }
    let [.., cylinder_high, cylinder_low] = cylinder.to_be_bytes();
    let [.., head] = head.to_be_bytes();
    let [.., sector] = sector.to_be_bytes();
    [head, cylinder_high << 6 | sector, cylinder_low]
}

#[cfg(test)]
mod tests {
    use super::chs;

    #[test]
    fn addresses_of_the_assumed_geometry() {
        assert_eq!(chs(0), [0, 1, 0]);
        assert_eq!(chs(62), [0, 63, 0]);
        assert_eq!(chs(63), [1, 1, 0]);
        assert_eq!(chs(2048), [32, 33, 0]);
        assert_eq!(chs(255 * 63), [0, 1, 1]);
        assert_eq!(chs(255 * 63 * 256), [0, 1 | 1 << 6, 0]);
        assert_eq!(chs(255 * 63 * 1024 - 1), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(255 * 63 * 1024), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(u32::MAX), [0xfe, 0xff, 0xff]);
    }
}
