//! Tests of disks.

use image_runs::{Source, read_all};
use uuid::uuid;

use super::*;
use crate::named::Named as _;

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
        disk_guid: uuid!("0f4c8bd3-6b4d-4b54-9a43-9d8f5d2a7c10"),
        mbr_signature: 0x0a34_abcd,
    }
}

fn root(architecture: Option<Architecture>) -> Partition {
    Partition::root(architecture, uuid!("5ad0c1d6-0f39-4c36-8c55-1f6b7a0d9e21"))
}

#[test]
fn layouts_have_names() {
    for layout in DiskLayout::ALL {
        assert_eq!(layout.to_string().parse(), Ok(*layout));
    }
    let error = "GPT".parse::<DiskLayout>().expect_err("names are lower-case");
    assert_eq!(error.to_string(), "\"GPT\" is not a disk layout; the valid values are gpt, mbr and bare");
}

#[test]
fn the_filesystem_lies_at_the_offset_of_its_partition() {
    let root = root(Some(Architecture::Arm64));
    let filesystem = Filesystem((0..3000_u16).flat_map(u16::to_le_bytes).collect());
    for sector_size in [SectorSize::Bytes512, SectorSize::Bytes4096] {
        for (layout, partuuid) in
            [(DiskLayout::Gpt, "5ad0c1d6-0f39-4c36-8c55-1f6b7a0d9e21"), (DiskLayout::Mbr, "0a34abcd-01")]
        {
            let disk =
                place(&[(root.clone(), &filesystem)], &options(layout, sector_size)).expect("a valid disk");
            let bytes = read_all(&disk).expect("memory does not fail");
            let [placed] = disk.partitions() else { panic!("one partition") };
            assert_eq!((placed.number, placed.offset, placed.partuuid.as_str()), (1, 1 << 20, partuuid));
            assert_eq!(overhead(&root, &options(layout, sector_size)).expect("valid").offset, placed.offset);
            assert_eq!(placed.len, 6000_u64.next_multiple_of(sector_size.bytes()));
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
    let disk = place(&[(root.clone(), &filesystem)], &options(DiskLayout::Bare, SectorSize::Bytes512))
        .expect("no table");
    assert_eq!(disk.partitions(), []);
    assert_eq!(read_all(&disk).expect("memory does not fail"), filesystem.0);
}

#[test]
fn the_partition_has_the_type_of_its_architecture() {
    let filesystem = Filesystem(vec![0; 4096]);
    for (architecture, expected) in [
        (Some(Architecture::Arm64), uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae")),
        (None, uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4")),
    ] {
        let options = options(DiskLayout::Gpt, SectorSize::Bytes512);
        let disk = place(&[(root(architecture), &filesystem)], &options).expect("a valid disk");
        let bytes = read_all(&disk).expect("memory does not fail");
        let table = gptman::GPT::read_from(&mut std::io::Cursor::new(bytes), 512).expect("a valid table");
        assert_eq!(table[1].partition_type_guid, expected.to_bytes_le());
        assert_eq!(table[1].partition_name.as_str(), "root");
    }
}

#[test]
fn errors_have_the_kind_of_their_cause() {
    let kind = |len, options: &DiskOptions| {
        let image = Large(len);
        let placed = place(&[(root(None), &image)], options);
        placed.err().map(|error| error.kind())
    };
    let mbr = options(DiskLayout::Mbr, SectorSize::Bytes512);
    assert_eq!(kind(1 << 40, &mbr), None);
    assert_eq!(kind(2 << 40, &mbr), Some(ErrorKind::BadInput));
    assert_eq!(kind(4096, &DiskOptions { mbr_signature: 0, ..mbr }), Some(ErrorKind::Usage));
    let gpt = options(DiskLayout::Gpt, SectorSize::Bytes512);
    assert_eq!(kind(2 << 40, &gpt), None);
    let long = Partition { name: "x".repeat(37), ..root(None) };
    assert_eq!(place(&[(long, &Large(4096))], &gpt).err().map(|error| error.kind()), Some(ErrorKind::Usage));
}

/// A second partition, as one of hashes of the first would be.
#[test]
fn each_partition_has_its_place_range_and_partuuid() {
    let (filesystem, hashes) = (Filesystem(vec![1; 6000]), Filesystem(vec![2; 4096]));
    let root = root(None);
    let second = Partition {
        purpose: "hash tree",
        name: "root-verity".to_owned(),
        guid: uuid!("11111111-2222-8333-8444-555555555555"),
        ..root.clone()
    };
    let members: [Member<'_, Vec<u8>>; 2] = [(root.clone(), &filesystem), (second.clone(), &hashes)];
    for (layout, partuuids) in [
        (DiskLayout::Gpt, [root.guid.to_string(), second.guid.to_string()]),
        (DiskLayout::Mbr, ["0a34abcd-01".to_owned(), "0a34abcd-02".to_owned()]),
    ] {
        let disk = place(&members, &options(layout, SectorSize::Bytes512)).expect("a valid disk");
        let bytes = read_all(&disk).expect("memory does not fail");
        assert_eq!(bytes[1 << 20..][..6000], filesystem.0);
        assert_eq!(bytes[2 << 20..][..4096], hashes.0);
        let found: Vec<_> = disk.partitions().iter().map(|placed| placed.partuuid.clone()).collect();
        assert_eq!(found, partuuids);
        let ranges = disk.ranges();
        let names: Vec<_> = ranges.iter().map(|range| range.name).collect();
        let expected = ["partition table", "alignment", "root filesystem", "alignment", "hash tree"];
        assert_eq!(names[..expected.len()], expected);
        assert_eq!(ranges.iter().map(|range| range.length).sum::<u64>(), disk.len());
        assert!(ranges.windows(2).all(|pair| pair[0].offset + pair[0].length == pair[1].offset));
    }
    let bare = place(&members, &options(DiskLayout::Bare, SectorSize::Bytes512)).err().expect("no table");
    assert_eq!(bare.kind(), ErrorKind::Usage);
    assert!(bare.to_string().ends_with("choose --layout gpt or mbr"), "{bare}");
}
