//! Tests of disks.

use image_runs::{Image, Placed, Run, Source, read_all};
use uuid::uuid;

use super::*;
use crate::architecture::Architecture;
use crate::error::{ErrorKind, Result};
use crate::named::Named as _;

const MIB: u64 = 1 << 20;

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

fn options(layout: DiskLayout, sector_size: SectorSize) -> DiskOptions {
    let multiple = match layout {
        DiskLayout::Bare => 1,
        DiskLayout::Kata => DAX_UNIT,
        DiskLayout::Gpt | DiskLayout::Mbr => DISK_UNIT,
    };
    DiskOptions {
        layout,
        dax: true,
        sector_size,
        length: DiskLength::Multiple(multiple),
        disk_guid: uuid!("0f4c8bd3-6b4d-4b54-9a43-9d8f5d2a7c10"),
        mbr_signature: 0x0a34_abcd,
    }
}

fn root(architecture: Option<Architecture>) -> Partition {
    Partition::root(architecture, uuid!("5ad0c1d6-0f39-4c36-8c55-1f6b7a0d9e21"))
}

fn hash_tree(architecture: Option<Architecture>) -> Partition {
    Partition::hash_tree(architecture, uuid!("11111111-2222-8333-8444-555555555555"))
}

/// Returns the plan and the bytes of a disk with these filesystems.
fn disk(members: &[(Partition, &Filesystem)], options: &DiskOptions) -> Result<(DiskPlan, Vec<u8>)> {
    let lens: Vec<_> = members.iter().map(|(partition, image)| (partition.clone(), image.len())).collect();
    let plan = plan(&lens, options)?;
    let images: Vec<Option<&dyn Image<Vec<u8>>>> =
        members.iter().map(|(_, image)| -> Option<&dyn Image<Vec<u8>>> { Some(*image) }).collect();
    let bytes = read_all(&plan.whole(&images)?).expect("memory does not fail");
    assert_eq!(bytes.len() as u64, plan.len());
    check_ranges(&plan, &bytes);
    Ok((plan, bytes))
}

/// Checks that ranges cover the disk, and that what is between its parts is zeros.
fn check_ranges(plan: &DiskPlan, bytes: &[u8]) {
    let mut end = 0;
    for range in plan.ranges() {
        assert_eq!(range.offset, end, "{range:?}");
        assert!(range.length > 0, "{range:?}");
        end += range.length;
        let start = usize::try_from(range.offset).expect("small");
        let bytes = &bytes[start..][..usize::try_from(range.length).expect("small")];
        let is_between = matches!(range.name, "alignment" | "padding");
        assert_eq!(is_between, bytes.iter().all(|byte| *byte == 0), "{range:?}");
    }
    assert_eq!(end, plan.len());
}

#[test]
fn layouts_have_names() {
    for layout in DiskLayout::ALL {
        assert_eq!(layout.to_string().parse(), Ok(*layout));
    }
    let error = "GPT".parse::<DiskLayout>().expect_err("names are lower-case");
    assert_eq!(
        error.to_string(),
        "\"GPT\" is not a disk layout; the valid values are gpt, mbr, kata and bare"
    );
}

#[test]
fn the_filesystem_lies_at_the_offset_of_its_partition() {
    let root = root(Some(Architecture::Arm64));
    let filesystem = Filesystem((1..3000_u16).flat_map(u16::to_le_bytes).collect());
    for sector_size in [SectorSize::Bytes512, SectorSize::Bytes4096] {
        for (layout, partuuid) in
            [(DiskLayout::Gpt, "5ad0c1d6-0f39-4c36-8c55-1f6b7a0d9e21"), (DiskLayout::Mbr, "0a34abcd-01")]
        {
            let options = options(layout, sector_size);
            let (plan, bytes) = disk(&[(root.clone(), &filesystem)], &options).expect("a valid disk");
            let [placed] = plan.partitions() else { panic!("one partition") };
            assert_eq!((placed.number, placed.offset, placed.partuuid.as_str()), (1, MIB, partuuid));
            let frame = DiskFrame { options, filesystem: root.clone(), hash_tree: None };
            assert_eq!(frame.offset().expect("valid"), placed.offset);
            assert_eq!(frame.len_for(filesystem.len()).expect("valid"), plan.len());
            assert_eq!(placed.len, 5998_u64.next_multiple_of(sector_size.bytes()));
            assert_eq!(bytes[1 << 20..][..5998], filesystem.0);
        }
    }
    let options = options(DiskLayout::Bare, SectorSize::Bytes512);
    let (plan, bytes) = disk(&[(root.clone(), &filesystem)], &options).expect("no table");
    assert_eq!((plan.partitions(), bytes), (&[][..], filesystem.0.clone()));
    let options = DiskOptions { length: DiskLength::Multiple(8192), ..options };
    let (plan, bytes) = disk(&[(root, &filesystem)], &options).expect("no table");
    assert_eq!((plan.len(), &bytes[..5998]), (8192, &filesystem.0[..]));
}

#[test]
fn partitions_have_the_types_of_their_architecture() {
    let filesystem = Filesystem(vec![1; 4096]);
    for (architecture, expected) in [
        (
            Some(Architecture::Arm64),
            [uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae"), uuid!("df3300ce-d69f-4c92-978c-9bfb0f38d820")],
        ),
        (
            None,
            [uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4"), uuid!("8da63339-0007-60c0-c436-083ac8230908")],
        ),
    ] {
        let options = options(DiskLayout::Gpt, SectorSize::Bytes512);
        let members = [(root(architecture), &filesystem), (hash_tree(architecture), &filesystem)];
        let (_, bytes) = disk(&members, &options).expect("a valid disk");
        let table = gptman::GPT::read_from(&mut std::io::Cursor::new(bytes), 512).expect("a valid table");
        for (number, (expected, name)) in (1..).zip(expected.into_iter().zip(["root", "root-verity"])) {
            assert_eq!(table[number].partition_type_guid, expected.to_bytes_le());
            assert_eq!(table[number].partition_name.as_str(), name);
        }
    }
}

#[test]
fn errors_have_the_kind_of_their_cause() {
    let kind = |len, options: &DiskOptions| {
        let planned = plan(&[(root(None), len)], options);
        planned.err().map(|error| error.kind())
    };
    let mbr = options(DiskLayout::Mbr, SectorSize::Bytes512);
    assert_eq!(kind(1 << 40, &mbr), None);
    assert_eq!(kind(2 << 40, &mbr), Some(ErrorKind::BadInput));
    assert_eq!(kind(4096, &DiskOptions { mbr_signature: 0, ..mbr }), Some(ErrorKind::Usage));
    let gpt = options(DiskLayout::Gpt, SectorSize::Bytes512);
    assert_eq!(kind(2 << 40, &gpt), None);
    let exact = DiskOptions { length: DiskLength::Exact(MIB), ..gpt };
    assert_eq!(kind(4096, &exact), Some(ErrorKind::DoesNotFit));
    let long = Partition { name: "x".repeat(37), ..root(None) };
    assert_eq!(plan(&[(long, 4096)], &gpt).err().map(|error| error.kind()), Some(ErrorKind::Usage));
    let planned = plan(&[(root(None), 4096)], &gpt).expect("valid");
    let short = Filesystem(vec![1; 4095]);
    let images: [Option<&dyn Image<Vec<u8>>>; 1] = [Some(&short)];
    assert_eq!(planned.whole(&images).err().map(|error| error.kind()), Some(ErrorKind::Verification));
}

#[test]
fn each_partition_has_its_place_range_and_partuuid() {
    let (filesystem, hashes) = (Filesystem(vec![1; 6000]), Filesystem(vec![2; 4096]));
    let (root, second) = (root(None), hash_tree(None));
    let members = [(root.clone(), &filesystem), (second.clone(), &hashes)];
    for (layout, partuuids) in [
        (DiskLayout::Gpt, [root.guid.to_string(), second.guid.to_string()]),
        (DiskLayout::Mbr, ["0a34abcd-01".to_owned(), "0a34abcd-02".to_owned()]),
    ] {
        let options = options(layout, SectorSize::Bytes512);
        let (plan, bytes) = disk(&members, &options).expect("a valid disk");
        assert_eq!(bytes[1 << 20..][..6000], filesystem.0);
        assert_eq!(bytes[2 << 20..][..4096], hashes.0);
        let found: Vec<_> = plan.partitions().iter().map(|placed| placed.partuuid.clone()).collect();
        assert_eq!(found, partuuids);
        let ranges = plan.ranges();
        let names: Vec<_> = ranges.iter().map(|range| range.name).collect();
        let expected = ["partition table", "alignment", "root filesystem", "alignment", "hash tree"];
        assert_eq!(names[..expected.len()], expected);

        // The parts make the whole.
        let one: [Option<&dyn Image<Vec<u8>>>; 2] = [Some(&filesystem), None];
        let other: [Option<&dyn Image<Vec<u8>>>; 2] = [None, Some(&hashes)];
        let read =
            |image: Result<Placed<'_, Vec<u8>>>| read_all(&image.expect("as planned")).expect("memory");
        let parts = [read(plan.without_tables(&one)), read(plan.whole(&other))];
        let sum: Vec<u8> = parts[0].iter().zip(&parts[1]).map(|(one, other)| one | other).collect();
        assert!(sum == bytes && parts.iter().all(|part| *part != bytes));
    }
    let bare = disk(&members, &options(DiskLayout::Bare, SectorSize::Bytes512)).err().expect("no table");
    assert_eq!(bare.kind(), ErrorKind::Usage);
    assert!(bare.to_string().ends_with("choose --layout gpt or mbr"), "{bare}");
}

/// Reads the records of an MBR as the first sector and the number of sectors.
fn records(sector: &[u8]) -> Vec<(u32, u32)> {
    assert_eq!(sector[510..512], [0x55, 0xaa]);
    let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|index| sector[at + index]));
    let records = (0..4).map(|index| 446 + 16 * index).filter(|at| sector[at + 4] != 0);
    records.map(|at| (word(at + 8), word(at + 12))).collect()
}

#[test]
fn a_dax_disk_has_the_same_partitions_by_both_tables() {
    let members_of = |len: u64| {
        let (filesystem, hashes) =
            (Filesystem(vec![1; usize::try_from(len).expect("small")]), Filesystem(vec![2; 8192]));
        let options = options(DiskLayout::Kata, SectorSize::Bytes512);
        disk(&[(root(None), &filesystem), (hash_tree(None), &hashes)], &options).expect("a valid disk")
    };
    // Around the lengths at which image_builder.sh divides disks differently for each table.
    for len in [4096, MIB, 2 * MIB - 4096, 2 * MIB, 2 * MIB + 4096, 5 * MIB] {
        let (plan, bytes) = members_of(len);
        let outer = records(&bytes);
        let inner = records(&bytes[2 << 20..]);
        let shifted: Vec<_> = inner.iter().map(|(first, count)| (first + 4096, *count)).collect();
        assert_eq!(outer, shifted);
        let sectors = u32::try_from(len / 512).expect("small");
        let second = u32::try_from((3 * MIB + len).next_multiple_of(MIB) / 512).expect("small");
        assert_eq!(outer, [(3 * 2048, sectors), (second, 16)]);
        assert_eq!(plan.offset(0), Some(3 * MIB));
        assert!(plan.len().is_multiple_of(DAX_UNIT));
        dax_header::InfoBlock::parse(&bytes[4096..8192])
            .expect("a valid block")
            .check_device(plan.len())
            .expect("fits");
        let names: Vec<_> = plan.ranges().iter().map(|range| range.name).collect();
        let first =
            ["partition table", "alignment", "dax header", "alignment", "dax partition table", "alignment"];
        assert_eq!(names[..6], first);
    }
    let without = DiskOptions { dax: false, ..options(DiskLayout::Kata, SectorSize::Bytes512) };
    let (plan, bytes) = disk(&[(root(None), &Filesystem(vec![1; 4096]))], &without).expect("a valid disk");
    assert_eq!((plan.offset(0), records(&bytes)), (Some(MIB), vec![(2048, 8)]));
    let odd =
        DiskOptions { length: DiskLength::Multiple(MIB), ..options(DiskLayout::Kata, SectorSize::Bytes512) };
    let kind = plan_kind(MIB + 4096, &odd);
    assert_eq!(kind, Some(ErrorKind::Usage), "persistent memory is a multiple of 2 MiB");
}

fn plan_kind(len: u64, options: &DiskOptions) -> Option<ErrorKind> {
    plan(&[(root(None), len)], options).err().map(|error| error.kind())
}

/// The room in a disk is the longest filesystem for which the disk is long enough.
#[test]
fn the_room_is_for_filesystem_and_hash_tree() {
    let mut with_fec = dm_verity::Options::new(dm_verity::Salt::EMPTY);
    with_fec.fec = Some(dm_verity::FecRoots::DEFAULT);
    for (layout, verity) in [
        (DiskLayout::Gpt, dm_verity::Options::new(dm_verity::Salt::EMPTY)),
        (DiskLayout::Mbr, with_fec),
        (DiskLayout::Kata, dm_verity::Options::new(dm_verity::Salt::EMPTY)),
    ] {
        let frame = DiskFrame {
            options: options(layout, SectorSize::Bytes512),
            filesystem: root(None),
            hash_tree: Some(HashTreePartition { partition: hash_tree(None), verity }),
        };
        for total in [6 * MIB, 8 * MIB, 64 * MIB, 1 << 30] {
            let room = frame.room_in(total).expect("there is room");
            assert!(frame.len_for(room).expect("it fits") <= total, "{layout} {total}");
            assert!(frame.len_for(room + 4096).expect("valid") > total, "{layout} {total}");
            let exact = DiskOptions { length: DiskLength::Exact(total), ..frame.options };
            let frame = DiskFrame { options: exact, ..frame.clone() };
            assert_eq!(frame.plan(room).expect("it fits").len(), total);
            let error = frame.plan(room + 4096).err().expect("it does not fit");
            assert_eq!(error.kind(), ErrorKind::DoesNotFit);
        }
        assert_eq!(frame.room_in(MIB).expect("no error"), 0);
    }
}
