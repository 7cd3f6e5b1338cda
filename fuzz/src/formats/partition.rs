//! Partition tables and disks.

use gptman::{GPT, GPTHeader};
use image_runs::{Image, Run};
use partition_table::{
    Gpt, GptPartition, Layout, Mbr, MbrPartition, Options, SectorSize, Table, plan, uuid::Uuid,
};

use crate::input::pattern::Pattern;
use crate::input::snapshot::{self, Snapshot};
use crate::{Choices, Outcome};

/// Plans an arbitrary table; if there is a disk, another reader must find the table on it.
pub fn check(bytes: &[u8]) -> Outcome {
    let mut choices = Choices::new(bytes);
    let options = options(&mut choices);
    let table = if choices.up_to(2) < 2 { gpt(&mut choices) } else { mbr(&mut choices) };
    let layout = match plan(&table, &options) {
        Ok(layout) => layout,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    check_places(&layout, &options);
    let snapshot = assemble(&layout);
    match &table {
        Table::Gpt(table) => {
            let backup = snapshot.clone().without_head(layout.head().len() as u64);
            check_gpt(table, &layout, &read_gpt(&layout, snapshot, GPTHeader::is_primary));
            check_gpt(table, &layout, &read_gpt(&layout, backup, GPTHeader::is_backup));
        }
        Table::Mbr(table) => check_mbr(table, &layout, &snapshot),
        table => panic!("{table:?} has no check"),
    }
    Outcome::Checked
}

fn options(choices: &mut Choices<'_>) -> Options {
    let sector_size = choices.one_of(&[SectorSize::Bytes512, SectorSize::Bytes4096]);
    let unit = |choices: &mut Choices<'_>| match choices.up_to(7) {
        _ if choices.wrong() => choices.u64(),
        0..=2 => 4096,
        3 => 1 << 20,
        4 => sector_size.bytes() << choices.up_to(40),
        _ => sector_size.bytes() * (1 + choices.up_to(100)),
    };
    let mut options = Options::new(sector_size);
    options.alignment = unit(choices);
    options.length_multiple = unit(choices);
    options.first_partition = choices.rarely(3).then(|| unit(choices));
    options
}

fn gpt(choices: &mut Choices<'_>) -> Table {
    let disk_guid = guid(choices, 1 << 32);
    let mut partitions = Vec::new();
    let count = count(choices, Gpt::MAX_PARTITIONS);
    while partitions.len() < count {
        partitions.push(GptPartition {
            name: label(choices),
            type_guid: guid(choices, 1 << 32),
            guid: guid(choices, partitions.len() as u64),
            attributes: choices.u64(),
            len: len(choices),
        });
    }
    Table::Gpt(Gpt { disk_guid, partitions })
}

fn mbr(choices: &mut Choices<'_>) -> Table {
    let disk_signature = if choices.wrong() { 0 } else { choices.u32().max(1) };
    let mut partitions = Vec::new();
    let count = count(choices, Mbr::MAX_PARTITIONS);
    while partitions.len() < count {
        let partition_type = match choices.up_to(255) {
            byte if choices.wrong() => u8::try_from(byte).expect("a byte"),
            _ => choices.one_of(&[0x83, 0x82, 0x8e, 0x0c, 0xef, 0x01, 0xff]),
        };
        partitions.push(MbrPartition { partition_type, bootable: choices.wrong(), len: len(choices) });
    }
    Table::Mbr(Mbr { disk_signature, partitions })
}

fn count(choices: &mut Choices<'_>, max: usize) -> usize {
    if choices.wrong() { choices.one_of(&[0, max + 1]) } else { 1 + choices.index(max) }
}

/// Chooses a GUID, rarely one that another partition may have.
fn guid(choices: &mut Choices<'_>, number: u64) -> Uuid {
    if choices.wrong() {
        Uuid::from_u128(choices.u128())
    } else {
        Uuid::from_u64_pair(number + 1, choices.u64())
    }
}

fn label(choices: &mut Choices<'_>) -> String {
    match choices.up_to(3) {
        _ if choices.wrong() => String::from_utf8_lossy(choices.bytes(40)).into_owned(),
        0 => "root".to_owned(),
        // 36 code units are the limit; one character may take two.
        1 => choices.one_of(&["x", "ä", "\u{ffff}"]).repeat(choices.index(37)),
        2 => "\u{1f427}".repeat(choices.index(19)),
        _ => choices.bytes(36).iter().map(|byte| char::from(byte | 1)).collect(),
    }
}

fn len(choices: &mut Choices<'_>) -> u64 {
    if choices.wrong() {
        choices.u64()
    } else if choices.rarely(8) {
        1 + choices.up_to(1 << 40)
    } else {
        1 + choices.up_to(1 << 24)
    }
}

/// An image of zeros, since the table does not depend on the content of a partition.
struct Zeros(u64);

impl Image<Pattern> for Zeros {
    fn len(&self) -> u64 {
        self.0
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Pattern>> + Send + '_> {
        Box::new(std::iter::once(Run::zeros(self.0)))
    }
}

fn assemble(layout: &Layout) -> Snapshot {
    let images: Vec<Zeros> = layout.partitions().iter().map(|place| Zeros(place.image_len())).collect();
    let images: Vec<&dyn Image<Pattern>> =
        images.iter().map(|image| -> &dyn Image<Pattern> { image }).collect();
    let disk = layout.clone().assemble(&images).expect("the images are as long as planned");
    snapshot::take(&disk).expect("a table fits in memory")
}

fn check_places(layout: &Layout, options: &Options) {
    let sector = options.sector_size.bytes();
    let mut end = layout.head().len() as u64;
    for (index, place) in layout.partitions().iter().enumerate() {
        assert!(place.offset() >= end, "{place:?}");
        match options.first_partition.filter(|_| index == 0) {
            Some(offset) => assert_eq!(place.offset(), offset),
            None => {
                assert!(place.offset().is_multiple_of(options.alignment), "{place:?}");
                assert!(place.offset() - end < options.alignment, "{place:?} could begin sooner");
            }
        }
        assert_eq!(place.first_lba() * sector, place.offset());
        assert_eq!(place.len(), place.image_len().next_multiple_of(sector));
        assert_eq!(place.last_lba() + 1, place.first_lba() + place.sector_count());
        end = place.offset() + place.len();
    }
    end += layout.tail().len() as u64;
    assert!(layout.len() >= end && layout.len() - end < options.length_multiple, "{} bytes", layout.len());
    assert!(layout.len().is_multiple_of(options.length_multiple));
}

fn read_gpt(layout: &Layout, mut snapshot: Snapshot, is_expected: fn(&GPTHeader) -> bool) -> GPT {
    let found = GPT::read_from(&mut snapshot, layout.sector_size().bytes()).expect("a valid table");
    assert!(is_expected(&found.header), "the other header was read");
    found
}

fn check_gpt(table: &Gpt, layout: &Layout, found: &GPT) {
    assert_eq!(found.header.disk_guid, table.disk_guid.to_bytes_le());
    let mut entries = found.iter();
    for (partition, place) in table.partitions.iter().zip(layout.partitions()) {
        let (_, entry) = entries.next().expect("an entry for each partition");
        assert_eq!((entry.starting_lba, entry.ending_lba), (place.first_lba(), place.last_lba()));
        assert!(entry.starting_lba >= found.header.first_usable_lba);
        assert!(entry.ending_lba <= found.header.last_usable_lba);
        assert_eq!(entry.partition_type_guid, partition.type_guid.to_bytes_le());
        assert_eq!(entry.unique_partition_guid, partition.guid.to_bytes_le());
        assert_eq!(entry.attribute_bits, partition.attributes);
        assert_eq!(entry.partition_name.as_str(), partition.name);
    }
    assert!(entries.all(|(_, entry)| entry.is_unused()));
}

/// Checks the master boot record as specified by UEFI 2.10, section 5.2.1.
fn check_mbr(table: &Mbr, layout: &Layout, snapshot: &Snapshot) {
    let mut sector = [0; 512];
    assert_eq!(snapshot.read_at(&mut sector, 0), sector.len());
    let u32_at = |offset: usize| {
        let bytes = sector[offset..][..4].try_into().expect("four bytes");
        u64::from(u32::from_le_bytes(bytes))
    };
    assert_eq!(sector[510..], [0x55, 0xaa]);
    assert_eq!(u32_at(440), u64::from(table.disk_signature));
    for (index, record) in sector[446..510].chunks(16).enumerate() {
        let offset = 446 + 16 * index;
        let Some((partition, place)) = table.partitions.get(index).zip(layout.partitions().get(index)) else {
            assert!(record.iter().all(|byte| *byte == 0), "record {index} is in use");
            continue;
        };
        assert_eq!(record[0], if partition.bootable { 0x80 } else { 0 });
        assert_eq!(record[4], partition.partition_type);
        assert_eq!((u32_at(offset + 8), u32_at(offset + 12)), (place.first_lba(), place.sector_count()));
    }
    assert!(snapshot.len() >= sector.len() as u64);
}
