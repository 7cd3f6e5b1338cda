//! Tests in which other programs read and write the tables: `sgdisk`, `sfdisk`, `fdisk`, `partx`
//! and the crate gptman.
//!
//! A judge that is not installed is skipped with a line on standard error; with
//! `ROOTCAST_REQUIRE_JUDGES=1` it fails. Judges of checksums are also given tables with one flipped
//! bit, to prove that they check.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use image_runs::{Image, Run, Source, read_all};
use partition_table::uuid::{Uuid, uuid};
use partition_table::{
    Gpt, GptPartition, LINUX_FILESYSTEM, Layout, MBR_TYPE_LINUX, Mbr, MbrPartition, Options, SectorSize,
    Table, plan,
};
use tempfile::TempDir;

const DISK_GUID: Uuid = uuid!("0f4c8bd3-6b4d-4b54-9a43-9d8f5d2a7c10");
const ROOT_GUID: Uuid = uuid!("5ad0c1d6-0f39-4c36-8c55-1f6b7a0d9e21");
const DATA_GUID: Uuid = uuid!("c39f1a52-7a30-4a4c-b7cf-3f4e12a96b02");
/// Root partition for x86-64, Discoverable Partitions Specification.
const ROOT_TYPE: Uuid = uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");

/// Neither length is a multiple of the sector size; the second partition is large enough for the
/// CHS addresses of its ends to be on several cylinders.
const LENS: [u64; 2] = [(3 << 20) + 700, (20 << 20) + 1];

fn gpt() -> Table {
    let root = GptPartition {
        name: "root".into(),
        type_guid: ROOT_TYPE,
        guid: ROOT_GUID,
        attributes: 1 << 60,
        len: LENS[0],
    };
    let data = GptPartition {
        name: "Dät en".into(),
        type_guid: LINUX_FILESYSTEM,
        guid: DATA_GUID,
        attributes: 0,
        len: LENS[1],
    };
    Table::Gpt(Gpt { disk_guid: DISK_GUID, partitions: vec![root, data] })
}

fn mbr() -> Table {
    let partition = |bootable, len| MbrPartition { partition_type: MBR_TYPE_LINUX, bootable, len };
    let partitions = vec![partition(false, LENS[0]), partition(true, LENS[1])];
    Table::Mbr(Mbr { disk_signature: 0x0a34_abcd, partitions })
}

struct Zeros(u64);

impl Image<Vec<u8>> for Zeros {
    fn len(&self) -> u64 {
        self.0
    }
    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, Vec<u8>>> + Send + '_> {
        Box::new(std::iter::once(Run { len: self.0, source: Source::Zeros }))
    }
}

/// A disk with empty partitions, as bytes.
struct Sample {
    layout: Layout,
    bytes: Vec<u8>,
    dir: TempDir,
}

impl Sample {
    fn new(table: &Table, sector_size: SectorSize) -> Self {
        let layout = plan(table, &Options::new(sector_size)).expect("a valid table");
        let images = LENS.map(Zeros);
        let disk = layout.clone().assemble(&[&images[0], &images[1]]).expect("as planned");
        let bytes = read_all(&disk).expect("memory does not fail");
        Self { layout, bytes, dir: tempfile::tempdir().expect("a temporary directory") }
    }

    fn sector(&self) -> usize {
        usize::try_from(self.layout.sector_size().bytes()).expect("small")
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join("disk");
        fs::write(&path, bytes).expect("the temporary directory takes a file");
        path
    }

    fn write_whole(&self) -> PathBuf {
        self.write(&self.bytes)
    }

    /// An offset into each of the four parts covered by a checksum, with the name of the part.
    fn covered(&self) -> [(&'static str, usize); 4] {
        let (len, sector) = (self.bytes.len(), self.sector());
        [
            ("primary header", sector + 40),
            ("primary entries", 2 * sector + 129),
            ("backup header", len - sector + 56),
            ("backup entries", len - sector - 128 * 128 + 40),
        ]
    }

    fn with_flipped(&self, offsets: &[usize]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for offset in offsets {
            bytes[*offset] ^= 0x04;
        }
        bytes
    }
}

/// Returns true if a missing judge is a failure, as it is where all judges must be installed.
#[expect(
    clippy::disallowed_methods,
    reason = "which tests run may depend on the machine; what the crate makes does not"
)]
fn required() -> bool {
    std::env::var_os("ROOTCAST_REQUIRE_JUDGES").is_some_and(|value| value == "1")
}

/// Runs a program and returns its success and its output, or `None` if it is not installed.
fn run(program: &str, args: &[&str], path: &Path, input: &str) -> Option<(bool, String)> {
    let mut command = Command::new(program);
    command.args(args).arg(path).env("LC_ALL", "C.UTF-8").env("PATH", path_with_sbin());
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Written to the descriptor, because the output of the macros is hidden when a test
            // passes.
            assert!(!required(), "{program} is not installed");
            writeln!(io::stderr(), "SKIPPED: {program} is not installed").expect("standard error is open");
            return None;
        }
        child => child.expect("the judge starts"),
    };
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(input.as_bytes()).expect("the judge reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("the judge ends");
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the judges live in /usr/sbin, which is not on every user's path"
)]
fn path_with_sbin() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

#[test]
fn sgdisk_finds_no_problems() {
    let sample = Sample::new(&gpt(), SectorSize::Bytes512);
    let Some((succeeded, said)) = run("sgdisk", &["-v"], &sample.write_whole(), "") else { return };
    // sgdisk reports "No problems found" even after reporting wrong checksums.
    let satisfied = |said: &str| said.contains("No problems found") && !said.contains("CRC");
    assert!(succeeded && satisfied(&said), "{said}");
    for (what, offset) in sample.covered() {
        let path = sample.write(&sample.with_flipped(&[offset]));
        let (_, said) = run("sgdisk", &["-v"], &path, "").expect("it was there");
        assert!(!satisfied(&said), "a wrong {what} passes: {said}");
    }
}

#[test]
fn sgdisk_reads_the_requested_table() {
    let sample = Sample::new(&gpt(), SectorSize::Bytes512);
    let path = sample.write_whole();
    let Some((_, said)) = run("sgdisk", &["-p", "-i", "1"], &path, "") else { return };
    let upper = |guid: Uuid| guid.to_string().to_uppercase();
    for expected in [
        format!("Disk identifier (GUID): {}", upper(DISK_GUID)),
        format!("Partition GUID code: {} (Linux x86-64 root", upper(ROOT_TYPE)),
        format!("Partition unique GUID: {}", upper(ROOT_GUID)),
        "First sector: 2048 ".to_owned(),
        "Last sector: 8193 ".to_owned(),
        "Attribute flags: 1000000000000000".to_owned(),
        "Partition name: 'root'".to_owned(),
        "First usable sector is 34, last usable".to_owned(),
        "Partitions will be aligned on 2048-sector".to_owned(),
    ] {
        assert!(said.contains(&expected), "no {expected:?} in {said}");
    }
}

#[test]
fn sfdisk_finds_no_errors() {
    for table in [gpt(), mbr()] {
        let sample = Sample::new(&table, SectorSize::Bytes512);
        let Some((succeeded, said)) = run("sfdisk", &["--verify"], &sample.write_whole(), "") else { return };
        assert!(succeeded && said.contains("No errors detected") && !said.contains("corrupt"), "{said}");
    }
    let sample = Sample::new(&gpt(), SectorSize::Bytes512);
    for (what, offset) in sample.covered() {
        let path = sample.write(&sample.with_flipped(&[offset]));
        let (_, said) = run("sfdisk", &["--verify"], &path, "").expect("it was there");
        assert!(said.contains("corrupt"), "a wrong {what} passes: {said}");
    }
}

/// An `sfdisk` script for the same table. Fields that it does not set, such as CHS addresses, are
/// up to `sfdisk`.
fn script(layout: &Layout, table: &Table) -> String {
    let mut script = match table {
        Table::Gpt(gpt) => {
            let sector = layout.sector_size().bytes();
            let first = layout.head().len() as u64 / sector;
            let last = (layout.len() - layout.tail().len() as u64) / sector - 1;
            format!("label: gpt\nlabel-id: {}\nfirst-lba: {first}\nlast-lba: {last}\n\n", gpt.disk_guid)
        }
        Table::Mbr(mbr) => format!("label: dos\nlabel-id: 0x{:08x}\n\n", mbr.disk_signature),
        table => panic!("{table:?} has no script"),
    };
    for (index, place) in layout.partitions().iter().enumerate() {
        script += &format!("start={}, size={}", place.first_lba(), place.sector_count());
        script += &match table {
            Table::Gpt(gpt) => {
                let GptPartition { name, type_guid, guid, attributes, .. } = &gpt.partitions[index];
                let attributes = if *attributes == 0 { "" } else { ", attrs=\"GUID:60\"" };
                format!(", type={type_guid}, uuid={guid}, name=\"{name}\"{attributes}\n")
            }
            Table::Mbr(mbr) => {
                let MbrPartition { partition_type, bootable, .. } = mbr.partitions[index];
                format!(", type={partition_type:x}{}\n", if bootable { ", bootable" } else { "" })
            }
            table => panic!("{table:?} has no script"),
        };
    }
    script
}

#[test]
fn sfdisk_writes_the_same_bytes() {
    for table in [gpt(), mbr()] {
        let sample = Sample::new(&table, SectorSize::Bytes512);
        let path = sample.write(&vec![0; sample.bytes.len()]);
        let script = script(&sample.layout, &table);
        let Some((succeeded, said)) = run("sfdisk", &["--quiet"], &path, &script) else { return };
        assert!(succeeded, "{said}");
        assert_same(&sample.bytes, &fs::read(&path).expect("it was written"));
    }
}

/// The second partition begins within the 1024 cylinders of a CHS address and ends beyond them, the
/// third is wholly beyond. The file is sparse.
#[test]
fn sfdisk_writes_the_same_mbr_of_a_disk_beyond_its_cylinders() {
    let partition = |len| MbrPartition { partition_type: MBR_TYPE_LINUX, bootable: false, len };
    let partitions = [4, 5, 1].map(|gib: u64| partition(gib << 30)).to_vec();
    let table = Table::Mbr(Mbr { disk_signature: 0xfedc_ba98, partitions });
    let layout = plan(&table, &Options::new(SectorSize::Bytes512)).expect("a valid table");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("disk");
    let file = fs::OpenOptions::new().create_new(true).read(true).write(true).open(&path);
    let mut file = file.expect("the temporary directory takes a file");
    file.set_len(layout.len()).expect("the file may be sparse");
    let Some((succeeded, said)) = run("sfdisk", &["--quiet"], &path, &script(&layout, &table)) else {
        return;
    };
    assert!(succeeded, "{said}");
    let mut theirs = [0; 512];
    file.read_exact(&mut theirs).expect("it was written");
    assert_same(layout.head(), &theirs);
}

/// `sfdisk` has no option for the sector size of a file, but `fdisk` has one, and reads the same
/// scripts.
#[test]
fn fdisk_writes_the_same_bytes_in_4096_byte_sectors() {
    for table in [gpt(), mbr()] {
        let sample = Sample::new(&table, SectorSize::Bytes4096);
        let path = sample.write(&vec![0; sample.bytes.len()]);
        let script_path = sample.dir.path().join("script");
        fs::write(&script_path, script(&sample.layout, &table))
            .expect("the temporary directory takes a file");
        let commands = format!("I\n{}\nw\n", script_path.display());
        let Some((succeeded, said)) = run("fdisk", &["-b", "4096"], &path, &commands) else { return };
        assert!(succeeded, "{said}");
        assert_same(&sample.bytes, &fs::read(&path).expect("it was written"));
    }
}

fn assert_same(ours: &[u8], theirs: &[u8]) {
    assert_eq!(ours.len(), theirs.len());
    let first = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
    let Some(at) = first else { return };
    let around = at & !15..(at & !15) + 16;
    panic!("they differ at {at:#x}: {:02x?}, {:02x?}", &ours[around.clone()], &theirs[around]);
}

#[test]
fn partx_names_the_partitions_as_the_kernel_will() {
    for (sector_size, option) in [(SectorSize::Bytes512, "512"), (SectorSize::Bytes4096, "4096")] {
        let args = ["-g", "-r", "-S", option, "-o", "NR,START,SECTORS,TYPE,UUID"];
        for table in [gpt(), mbr()] {
            let sample = Sample::new(&table, sector_size);
            let Some((succeeded, said)) = run("partx", &args, &sample.write_whole(), "") else { return };
            assert!(succeeded, "{said}");
            let names = match &table {
                Table::Gpt(_) => [ROOT_GUID.to_string(), DATA_GUID.to_string()],
                Table::Mbr(_) => ["0a34abcd-01".to_owned(), "0a34abcd-02".to_owned()],
                table => panic!("{table:?} has no names"),
            };
            let types = match &table {
                Table::Gpt(_) => [ROOT_TYPE.to_string(), LINUX_FILESYSTEM.to_string()],
                Table::Mbr(_) => ["0x83".to_owned(), "0x83".to_owned()],
                table => panic!("{table:?} has no types"),
            };
            // partx counts in units of 512 bytes, regardless of the sector size.
            let places = sample.layout.partitions().iter();
            let lines: Vec<_> = (1..)
                .zip(places.zip(types.iter().zip(&names)))
                .map(|(nr, (place, (kind, name)))| {
                    format!("{nr} {} {} {kind} {name}\n", place.offset() / 512, place.len() / 512)
                })
                .collect();
            assert_eq!(said, lines.concat());
        }
    }
}

#[test]
fn gptman_reads_the_requested_table() {
    for sector_size in [SectorSize::Bytes512, SectorSize::Bytes4096] {
        let sample = Sample::new(&gpt(), sector_size);
        let read = |bytes| gptman::GPT::read_from(&mut Cursor::new(bytes), sector_size.bytes());
        let [primary_header, primary_entries, backup_header, backup_entries] =
            sample.covered().map(|(_, offset)| offset);

        let table = read(sample.bytes.clone()).expect("a valid table");
        assert!(table.header.is_primary());
        assert_eq!(table.header.disk_guid, DISK_GUID.to_bytes_le());
        for (number, place) in (1..).zip(sample.layout.partitions()) {
            let entry = &table[number];
            assert_eq!((entry.starting_lba, entry.ending_lba), (place.first_lba(), place.last_lba()));
        }
        let root = &table[1];
        assert_eq!(root.partition_type_guid, ROOT_TYPE.to_bytes_le());
        assert_eq!(root.unique_partition_guid, ROOT_GUID.to_bytes_le());
        assert_eq!(root.partition_name.as_str(), "root");
        assert_eq!(root.attribute_bits, 1 << 60);
        assert_eq!(table[2].partition_name.as_str(), "Dät en");
        assert!(table[3].is_unused());

        for primary in [primary_header, primary_entries] {
            let backup = read(sample.with_flipped(&[primary])).expect("the backup is valid");
            assert!(backup.header.is_backup(), "the primary at {primary} is wrong and was taken");
            assert_eq!(backup[1], table[1]);
            for backup in [backup_header, backup_entries] {
                assert!(read(sample.with_flipped(&[primary, backup])).is_err(), "both are wrong");
            }
        }
    }
}
