//! Tests of plans, without writing a disk.

use image_runs::{Image, Run, Source, read_all};
use partition_table::uuid::{Uuid, uuid};
use partition_table::{
    Error, Gpt, GptPartition, LINUX_FILESYSTEM, MBR_TYPE_LINUX, Mbr, MbrPartition, Options, SectorSize,
    Table, plan,
};

const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

fn gpt(lens: &[u64]) -> Gpt {
    let partition = |(number, len): (u128, &u64)| GptPartition {
        name: format!("part-{number}"),
        type_guid: LINUX_FILESYSTEM,
        guid: Uuid::from_u128(number),
        attributes: 0,
        len: *len,
    };
    Gpt {
        disk_guid: uuid!("0f4c8bd3-6b4d-4b54-9a43-9d8f5d2a7c10"),
        partitions: (1..).zip(lens).map(partition).collect(),
    }
}

fn mbr(lens: &[u64]) -> Mbr {
    let partition = |len: &u64| MbrPartition { partition_type: MBR_TYPE_LINUX, bootable: false, len: *len };
    Mbr { disk_signature: 0x1234_abcd, partitions: lens.iter().map(partition).collect() }
}

/// Returns the extents as (offset, length) and the length of the disk, in bytes.
fn places(table: &Table, options: &Options) -> (Vec<(u64, u64)>, u64) {
    let layout = plan(table, options).expect("a valid table");
    (layout.partitions().iter().map(|place| (place.offset(), place.len())).collect(), layout.len())
}

fn gpt_error(change: impl FnOnce(&mut Gpt)) -> Error {
    let mut table = gpt(&[MIB, MIB]);
    change(&mut table);
    plan(&Table::Gpt(table), &Options::new(SectorSize::Bytes512)).expect_err("an invalid table")
}

fn mbr_error(change: impl FnOnce(&mut Mbr)) -> Error {
    let mut table = mbr(&[MIB, MIB]);
    change(&mut table);
    plan(&Table::Mbr(table), &Options::new(SectorSize::Bytes512)).expect_err("an invalid table")
}

#[test]
fn partitions_are_aligned_and_the_disk_is_the_shortest() {
    let gpt = Table::Gpt(gpt(&[MIB, 1, 3 * MIB + 1]));
    let expected = |sector: u64| vec![(MIB, MIB), (2 * MIB, sector), (3 * MIB, 3 * MIB + sector)];

    // 33 sectors of backup after one sector of data, rounded up to whole pages.
    assert_eq!(places(&gpt, &Options::new(SectorSize::Bytes512)), (expected(512), 6 * MIB + 5 * 4096));
    // One sector of data, 4 of entries, 1 of header.
    assert_eq!(places(&gpt, &Options::new(SectorSize::Bytes4096)), (expected(4096), 6 * MIB + 6 * 4096));

    let mbr = Table::Mbr(mbr(&[MIB, 1, 3 * MIB + 1]));
    assert_eq!(places(&mbr, &Options::new(SectorSize::Bytes512)), (expected(512), 6 * MIB + 4096));
    assert_eq!(places(&mbr, &Options::new(SectorSize::Bytes4096)), (expected(4096), 6 * MIB + 4096));
}

#[test]
fn alignment_and_length_are_those_requested() {
    let options = |alignment, length_multiple| {
        let mut options = Options::new(SectorSize::Bytes512);
        options.alignment = alignment;
        options.length_multiple = length_multiple;
        options
    };
    let gpt = Table::Gpt(gpt(&[512, 512]));
    assert_eq!(places(&gpt, &options(512, 512)), (vec![(34 * 512, 512), (35 * 512, 512)], (36 + 33) * 512));
    assert_eq!(places(&gpt, &options(3 * 512, MIB)), (vec![(36 * 512, 512), (39 * 512, 512)], MIB));
    let one = Table::Mbr(mbr(&[512]));
    assert_eq!(places(&one, &options(512, 512)), (vec![(512, 512)], 1024));

    let after = |first_partition, alignment| {
        let mut options = options(alignment, 4096);
        options.first_partition = Some(first_partition);
        options
    };
    // A first partition that is not aligned does not move the others.
    let mbr = Table::Mbr(mbr(&[512, 512]));
    assert_eq!(places(&mbr, &after(3 * MIB, MIB)), (vec![(3 * MIB, 512), (4 * MIB, 512)], 4 * MIB + 4096));
    assert_eq!(places(&mbr, &after(512, MIB)), (vec![(512, 512), (MIB, 512)], MIB + 4096));
    assert_eq!(places(&gpt, &after(34 * 512, 4096)).0, [(34 * 512, 512), (5 * 4096, 512)]);
    assert_eq!(
        plan(&gpt, &after(33 * 512, 4096)),
        Err(Error::FirstPartition { offset: 33 * 512, table: 34 * 512 })
    );
    for offset in [0, 513] {
        assert!(matches!(plan(&mbr, &after(offset, MIB)), Err(Error::NotSectors { .. })), "{offset}");
    }
    let far = u64::MAX / 512 * 512;
    assert_eq!(plan(&gpt, &after(far, MIB)), Err(Error::TooLong { number: 1 }));

    for (alignment, multiple) in [(0, 512), (513, 512), (512, 0), (512, 1000)] {
        let result = plan(&gpt, &options(alignment, multiple));
        assert!(matches!(result, Err(Error::NotSectors { sector_size: 512, .. })), "{result:?}");
    }
}

#[test]
fn disks_far_larger_than_memory_are_planned() {
    for sector_size in [SectorSize::Bytes512, SectorSize::Bytes4096] {
        let table = Table::Gpt(gpt(&[20 * TIB, 3000 * TIB]));
        let layout = plan(&table, &Options::new(sector_size)).expect("a GPT counts in 64 bits");
        assert_eq!(layout.partitions()[1].offset(), 20 * TIB + MIB);
        assert_eq!(layout.len() - layout.tail().len() as u64, 3020 * TIB + MIB + slack(sector_size));
        // The protective MBR covers as much as 32 bits can represent.
        assert_eq!(layout.head()[446 + 12..446 + 16], [0xff; 4]);
    }
    let longest = i64::MAX.unsigned_abs();
    for len in [u64::MAX, longest, longest - 2 * MIB] {
        let table = Table::Gpt(gpt(&[MIB, len]));
        let result = plan(&table, &Options::new(SectorSize::Bytes512));
        assert_eq!(result, Err(Error::TooLong { number: 2 }));
    }
    let fits = Table::Gpt(gpt(&[longest - 3 * MIB]));
    assert!(plan(&fits, &Options::new(SectorSize::Bytes512)).is_ok());
}

/// The number of zero bytes between data that ends at a page boundary and a tail that does too.
fn slack(sector_size: SectorSize) -> u64 {
    match sector_size {
        SectorSize::Bytes512 => 5 * 4096 - 33 * 512,
        SectorSize::Bytes4096 => 0,
    }
}

#[test]
fn disks_beyond_the_last_sector_of_an_mbr_are_errors() {
    for (sector_size, or) in [(SectorSize::Bytes512, "4096"), (SectorSize::Bytes4096, "use GPT")] {
        let most = (sector_size.bytes() << 32) - MIB;
        let options = Options::new(sector_size);
        let layout = plan(&Table::Mbr(mbr(&[most])), &options).expect("2^32 sectors");
        assert_eq!(layout.partitions()[0].last_lba(), u64::from(u32::MAX));

        let error =
            plan(&Table::Mbr(mbr(&[most - MIB, MIB + 1])), &options).expect_err("one sector too many");
        let end_lba = (1 << 32) + 1;
        assert_eq!(error, Error::BeyondMbr { number: 2, end_lba, sector_size: sector_size.bytes() });
        assert!(error.to_string().contains(or), "{error}");
    }
    // Starts and lengths that 32 bits cannot represent.
    for lens in [vec![20 * TIB, MIB], vec![MIB, 20 * TIB], vec![MIB, TIB, TIB, TIB]] {
        let result = plan(&Table::Mbr(mbr(&lens)), &Options::new(SectorSize::Bytes512));
        assert!(matches!(result, Err(Error::BeyondMbr { .. })), "{result:?}");
    }
}

#[test]
fn tables_that_a_gpt_cannot_represent_are_errors() {
    assert_eq!(gpt_error(|table| table.partitions.clear()), Error::NoPartitions);
    assert_eq!(gpt_error(|table| table.disk_guid = Uuid::nil()), Error::NilDiskGuid);
    assert_eq!(gpt_error(|table| table.partitions[1].len = 0), Error::EmptyPartition { number: 2 });
    let nil = |what| Error::NilGuid { what, number: 1 };
    assert_eq!(gpt_error(|table| table.partitions[0].guid = Uuid::nil()), nil("GUID"));
    assert_eq!(gpt_error(|table| table.partitions[0].type_guid = Uuid::nil()), nil("type GUID"));
    let twice = Error::DuplicateGuid { first: 1, second: 2, guid: Uuid::from_u128(1) };
    assert_eq!(gpt_error(|table| table.partitions[1].guid = Uuid::from_u128(1)), twice);
    let nul = gpt_error(|table| table.partitions[0].name = "a\0b".into());
    assert!(matches!(nul, Error::NameHoldsNul { number: 1, .. }));

    assert_eq!(gpt_error(|table| *table = gpt(&[512; 129])), Error::TooManyForGpt(129));
    let most = Table::Gpt(gpt(&[512; 128]));
    assert!(plan(&most, &Options::new(SectorSize::Bytes512)).is_ok());
}

#[test]
fn a_name_is_measured_in_utf_16() {
    let longest = format!("{}\u{1f427}", "ä".repeat(34));
    let mut table = gpt(&[512]);
    table.partitions[0].name = longest.clone();
    let layout = plan(&Table::Gpt(table), &Options::new(SectorSize::Bytes512)).expect("36 units fit");
    let entry = &layout.head()[2 * 512..2 * 512 + 128];
    let written: Vec<u16> =
        entry[56..].chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    assert_eq!(String::from_utf16(&written).expect("whole characters"), longest);

    let name = format!("{longest}x");
    let error = gpt_error(|table| table.partitions[1].name.clone_from(&name));
    assert_eq!(error, Error::NameTooLong { number: 2, name, units: 37 });
}

#[test]
fn tables_that_an_mbr_cannot_represent_are_errors() {
    assert_eq!(mbr_error(|table| table.partitions.clear()), Error::NoPartitions);
    assert_eq!(mbr_error(|table| table.disk_signature = 0), Error::NoDiskSignature);
    assert_eq!(mbr_error(|table| table.partitions[0].len = 0), Error::EmptyPartition { number: 1 });
    assert_eq!(mbr_error(|table| *table = mbr(&[512; 5])), Error::TooManyForMbr(5));
    for partition_type in [0x00, 0x05, 0x0f, 0x85, 0xee] {
        let error = mbr_error(|table| table.partitions[1].partition_type = partition_type);
        assert_eq!(error, Error::ReservedType { number: 2, partition_type });
    }
    let both = mbr_error(|table| table.partitions.iter_mut().for_each(|partition| partition.bootable = true));
    assert_eq!(both, Error::SeveralBootable { first: 1, second: 2 });
}

/// The checksums cover every byte of headers and entries, so these few values pin them all.
/// `judges.rs` shows that such tables are correct.
#[test]
fn tables_are_pinned() {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|index| bytes[at + index]));
    for (sector_size, sector, expected) in [
        (SectorSize::Bytes512, 512, [0x3a33_a27c, 0xcf3e_a5a9, 0x5e84_b342]),
        (SectorSize::Bytes4096, 4096, [0x2d11_d460, 0x7fec_471e, 0xcdd3_dd67]),
    ] {
        let layout = plan(&Table::Gpt(gpt(&[3 * MIB, 700])), &Options::new(sector_size)).expect("valid");
        let (primary, backup) = (&layout.head()[sector..], &layout.tail()[128 * 128..]);
        assert_eq!([word(primary, 88), word(primary, 16), word(backup, 16)], expected);
        assert_eq!(layout.head()[2 * sector..], layout.tail()[..128 * 128], "the entries are there twice");
    }
    let layout = plan(&Table::Mbr(mbr(&[3 * MIB])), &Options::new(SectorSize::Bytes512)).expect("valid");
    let (code, table) = layout.head().split_at(440);
    assert!(code.iter().all(|byte| *byte == 0), "there is no boot code");
    let mut expected = [0; 72];
    expected[..4].copy_from_slice(&[0xcd, 0xab, 0x34, 0x12]);
    expected[6..22].copy_from_slice(&[0, 32, 33, 0, 0x83, 130, 2, 0, 0, 8, 0, 0, 0, 24, 0, 0]);
    expected[70..].copy_from_slice(&[0x55, 0xaa]);
    assert_eq!(table, expected);
}

struct Filled(u64, u8);

impl Image<Vec<u8>> for Filled {
    fn len(&self) -> u64 {
        self.0
    }
    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
        Box::new(std::iter::repeat_n(
            Run { len: 1, source: Source::Bytes(std::slice::from_ref(&self.1)) },
            usize::try_from(self.0).expect("a small image"),
        ))
    }
}

#[test]
fn images_are_at_their_offsets_with_zeros_around_them() {
    for table in [Table::Gpt(gpt(&[4096, 700, 4096])), Table::Mbr(mbr(&[4096, 700, 4096]))] {
        for sector_size in [SectorSize::Bytes512, SectorSize::Bytes4096] {
            let mut options = Options::new(sector_size);
            options.alignment = 8192;
            let layout = plan(&table, &options).expect("valid");
            let images = [Filled(4096, 1), Filled(700, 2), Filled(4096, 3)];
            let disk = layout.clone().assemble(&[&images[0], &images[1], &images[2]]).expect("as planned");
            let mut bytes = read_all(&disk).expect("memory does not fail");
            assert_eq!(
                bytes,
                read_all(&disk).expect("memory does not fail"),
                "each call gives the same runs"
            );
            assert_eq!(bytes.len() as u64, layout.len());

            assert!(bytes.starts_with(layout.head()) && bytes.ends_with(layout.tail()));
            bytes[..layout.head().len()].fill(0);
            let tail = bytes.len() - layout.tail().len();
            bytes[tail..].fill(0);
            for (place, image) in layout.partitions().iter().zip(&images) {
                let start = usize::try_from(place.offset()).expect("a small disk");
                let range = start..start + usize::try_from(image.0).expect("a small image");
                assert!(bytes[range.clone()].iter().all(|byte| *byte == image.1));
                bytes[range].fill(0);
            }
            assert!(bytes.iter().all(|byte| *byte == 0), "a byte is outside table and images");
        }
    }
}

#[test]
fn sectors_of_unused_entries_are_runs_of_zeros() {
    let layout = plan(&Table::Gpt(gpt(&[512])), &Options::new(SectorSize::Bytes512)).expect("valid");
    let runs = |end: &dyn Image<Vec<u8>>| -> Vec<(u64, bool)> {
        end.runs().map(|run| (run.len, matches!(run.source, Source::Zeros))).collect()
    };
    // The protective MBR, the header and the sector of the first entry.
    assert_eq!(runs(layout.head_image()), [(3 * 512, false), (31 * 512, true)]);
    assert_eq!(runs(layout.tail_image()), [(512, false), (31 * 512, true), (512, false)]);
}

#[test]
fn images_of_another_length_or_number_are_rejected() {
    let layout = plan(&Table::Mbr(mbr(&[4096, 700])), &Options::new(SectorSize::Bytes512)).expect("valid");
    let (right, wrong) = (Filled(4096, 1), Filled(701, 2));
    let error = layout.clone().assemble(&[&right as &dyn Image<Vec<u8>>]).err();
    assert_eq!(error, Some(Error::ImageCount { given: 1, planned: 2 }));
    let error = layout.assemble(&[&right as &dyn Image<Vec<u8>>, &wrong]).err();
    assert_eq!(error, Some(Error::ImageLength { number: 2, given: 701, planned: 700 }));
}
