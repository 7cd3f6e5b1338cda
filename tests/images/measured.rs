//! Measured disks: their hash trees before veritysetup, their tables before partitioning tools, and
//! `root-hash` on them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::fixtures::{Creation, Fixture, Item, Kind, small};
use crate::judges;
use crate::oracle::sgdisk;
use crate::product::{Outcome, Scratch, rootcast, run};

const MIB: usize = 1 << 20;

/// A measured disk and the report on it.
struct Disk {
    path: PathBuf,
    bytes: Vec<u8>,
    report: Value,
}

impl Disk {
    /// Casts a directory with these arguments.
    fn cast(source: &Path, path: PathBuf, arguments: &str) -> Self {
        let mut command = rootcast();
        command.arg("image").arg(source).arg("-o").arg(&path).args(["--json", "-q"]);
        let outcome = run(command.args(arguments.split_whitespace()));
        let outcome = outcome.success().unwrap_or_else(|why| panic!("{why}"));
        let report = serde_json::from_slice(&outcome.stdout).unwrap_or_else(|why| panic!("{why}: {outcome}"));
        Self { bytes: fs::read(&path).unwrap(), path, report }
    }

    fn text(&self, field: &str) -> String {
        match &self.report["verity"][field] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            other => panic!("{field} is {other}: {}", self.report),
        }
    }

    /// The offset and the length of a partition in bytes.
    fn place(&self, index: usize) -> (usize, usize) {
        let number = |field| self.report["partitions"][index][field].as_u64().unwrap();
        (usize::try_from(number("offset")).unwrap(), usize::try_from(number("length")).unwrap())
    }

    fn partition(&self, index: usize) -> &[u8] {
        let (offset, len) = self.place(index);
        &self.bytes[offset..][..len]
    }

    /// Compares the hash partition with what `veritysetup format` writes for the data, and has it
    /// verify ours; returns `None` after a visible skip.
    fn judge(&self, scratch: &Scratch) -> Option<()> {
        let (data, theirs, ours) = (
            scratch.file("data", self.partition(0)),
            scratch.join("theirs"),
            scratch.file("ours", self.partition(1)),
        );
        fs::write(&theirs, b"").unwrap();
        let mut parameters = vec![
            format!("--hash={}", self.text("hash")),
            format!("--format={}", self.text("format")),
            format!("--salt={}", self.text("salt")),
            format!("--data-block-size={}", self.text("data_block_size")),
            format!("--hash-block-size={}", self.text("hash_block_size")),
        ];
        let superblock = self.report["verity"]["superblock"].as_str();
        match superblock {
            Some(uuid) => parameters.push(format!("--uuid={uuid}")),
            None => parameters.extend([
                "--no-superblock".to_owned(),
                format!("--data-blocks={}", self.text("data_blocks")),
            ]),
        }
        let fec = |hashes: &Path| match &self.report["verity"]["fec"] {
            Value::Null => Vec::new(),
            fec => vec![
                format!("--fec-device={}", hashes.display()),
                format!("--fec-offset={}", fec["offset"]),
                format!("--fec-roots={}", fec["roots"]),
            ],
        };
        let mut veritysetup = judges::command("veritysetup")?;
        let formatted =
            run(veritysetup.arg("format").arg(&data).arg(&theirs).args(&parameters).args(fec(&theirs)));
        let formatted = formatted.success().unwrap_or_else(|why| panic!("{why}")).text();
        let root_hash = formatted.lines().find_map(|line| line.strip_prefix("Root hash:")).unwrap().trim();
        assert_eq!(root_hash, self.text("root_hash"));
        assert!(fs::read(&theirs).unwrap() == self.partition(1), "another hash partition: {}", self.report);
        let verify = judges::command("veritysetup")?;
        let checked: Vec<String> =
            parameters.into_iter().filter(|word| !word.starts_with("--uuid")).collect();
        let checked = if superblock.is_some() { Vec::new() } else { checked };
        veritysetup_verify(verify, &data, &ours, root_hash, &[checked, fec(&ours)].concat())
            .success()
            .unwrap_or_else(|why| panic!("{why}"));
        Some(())
    }

    /// Runs `rootcast root-hash` on the data partition.
    fn root_hash(&self, disk: &Path, arguments: &[&str]) -> Outcome {
        let (offset, len) = self.place(0);
        let mut command = rootcast();
        command.arg("root-hash").arg(disk);
        run(command.args([format!("--offset={offset}"), format!("--size={len}")]).args(arguments))
    }
}

fn veritysetup_verify(
    mut veritysetup: std::process::Command,
    data: &Path,
    hashes: &Path,
    root_hash: &str,
    arguments: &[String],
) -> Outcome {
    run(veritysetup.arg("verify").arg(data).arg(hashes).arg(root_hash).args(arguments))
}

fn source() -> Scratch {
    let scratch = Scratch::new();
    let mut fixture: Fixture = small::small();
    let long: Vec<u8> =
        (0..3 * MIB + 5000).map(|at| (at / 5).wrapping_mul(0x9e37_79b9).to_le_bytes()[2]).collect();
    let mut half = vec![0; 2 * MIB];
    half[MIB + 4096..][..5000].fill(7);
    fixture.items.extend([Item::new("long", Kind::File(long)), Item::new("half", Kind::File(half))]);
    fixture.make_as(&scratch.join("source"), Creation::DEFAULT);
    scratch
}

#[test]
fn hash_trees_are_those_of_veritysetup() {
    let scratch = source();
    let cases = [
        "--verity",
        "--verity --hash sha512 --salt - --fec --fec-roots 24",
        "--verity --format 0 --data-block-size 1024 --hash-block-size 512 --salt 00ff -b 1024 --exclude /links --exclude /xattrs",
        "--verity --data-block-size 512 --hash-block-size 65536 --no-superblock --sparse always",
        "--verity --layout mbr --fec --verity-uuid 00112233-4455-6677-8899-aabbccddeeff",
        // A block of the filesystem is smaller than one of the data, which zeros fill up.
        "--verity --arch arm64 --data-block-size 64K --hash-block-size 64K --fec --profile ro-min -b 1024 --exclude /links --exclude /xattrs",
        "--verity --sector-size 4096 --size 40M",
        "--preset kata --no-rootfs-check --measured",
        "--preset kata --no-rootfs-check --measured --no-dax --size-multiple 2M --free 5M",
        "--preset kata-extension --measured --hash-block-size 1024",
    ];
    for (index, arguments) in cases.into_iter().enumerate() {
        let disk = Disk::cast(&scratch.join("source"), scratch.join(format!("disk{index}")), arguments);
        if disk.judge(&scratch).is_none() {
            return;
        }
        let line = fs::read_to_string(scratch.join("root_hash.txt")).unwrap();
        assert!(line.starts_with(&format!("root_hash={},", disk.text("root_hash"))), "{line}");
        assert!(line.ends_with(&format!("hash_block_size={}\n", disk.text("hash_block_size"))), "{line}");
        // Without a superblock the parameters are in the line alone.
        let block_size = disk.text("data_block_size");
        let arguments = match disk.report["verity"]["superblock"].is_string() {
            true => ["--check", &disk.text("root_hash"), "--data-block-size", &block_size]
                .map(str::to_owned)
                .to_vec(),
            false => vec!["--check".to_owned(), line.trim().to_owned()],
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        disk.root_hash(&disk.path, &arguments).success().unwrap_or_else(|why| panic!("{why}"));
    }
}

/// With 16 digests in a hash block, levels end at 256 and at 4096 data blocks; the tests of the crate
/// have many more.
#[test]
fn disks_around_the_end_of_a_level_are_those_of_veritysetup() {
    let scratch = Scratch::new();
    let source = scratch.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "contents").unwrap();
    for (size, blocks) in [
        (3 * MIB, 200..=256),
        (3 * MIB + (12 << 10), 257..=400),
        (18 * MIB, 4000..=4096),
        (18 * MIB + (144 << 10), 4097..=4400),
    ] {
        let arguments = format!(
            "--verity --layout mbr --profile ro-min --no-superblock --hash-block-size 512 --size {size}"
        );
        let disk = Disk::cast(&source, scratch.join("disk"), &arguments);
        assert_eq!(disk.bytes.len(), size);
        let found: usize = disk.text("data_blocks").parse().unwrap();
        assert!(blocks.contains(&found), "{found} blocks: {size}");
        if disk.judge(&scratch).is_none() {
            return;
        }
    }
}

#[test]
fn the_first_bad_block_is_named() {
    let scratch = source();
    for arguments in ["--verity", "--preset kata --no-rootfs-check --measured"] {
        let disk = Disk::cast(&scratch.join("source"), scratch.join("disk"), arguments);
        let line = fs::read_to_string(scratch.join("root_hash.txt")).unwrap();
        let (data, _) = disk.place(0);
        let (hash, _) = disk.place(1);
        let tree = hash + if arguments == "--verity" { 4096 } else { 0 };
        for (damaged, expected) in [
            (
                vec![data + 700 * 4096 + 1, data + 300 * 4096 + 5],
                format!("data block 300, at byte {}", data + 300 * 4096),
            ),
            (vec![tree + 4096 + 17], format!("hash block 0 of level 0 at offset {}", tree + 4096)),
            (
                vec![tree + 5 * 4096, data + 1200 * 4096],
                format!("hash block 4 of level 0 at offset {}", tree + 5 * 4096),
            ),
        ] {
            let mut bytes = disk.bytes.clone();
            damaged.iter().for_each(|at| bytes[*at] ^= 1);
            let bad = scratch.file("bad", bytes);
            for threads in ["1", "7"] {
                let outcome = disk.root_hash(&bad, &["--check", line.trim(), "-j", threads]);
                assert_eq!(outcome.code, Some(1), "{outcome}");
                assert!(outcome.stderr.contains(&expected), "{expected}: {outcome}");
            }
        }
        let printed = disk.root_hash(&disk.path, &["--salt", &disk.text("salt"), "--parameters"]);
        assert_eq!(printed.success().unwrap_or_else(|why| panic!("{why}")).text(), line);
        // Without a tree, both root hashes are named.
        let alone = scratch.file("alone", disk.partition(0));
        let mut command = rootcast();
        let wrong = "00".repeat(32);
        let outcome =
            run(command.arg("root-hash").arg(alone).args(["--salt", &disk.text("salt"), "--check", &wrong]));
        assert_eq!(outcome.code, Some(1), "{outcome}");
        for words in [disk.text("root_hash"), wrong, "--hash-offset".to_owned()] {
            assert!(outcome.stderr.contains(&words), "{words}: {outcome}");
        }
    }
}

#[test]
fn a_measured_gpt_disk_is_discoverable() {
    let scratch = source();
    let disk = Disk::cast(&scratch.join("source"), scratch.join("disk"), "--verity --arch x86-64");
    let root_hash = disk.text("root_hash").to_uppercase();
    let uuid = |hex: &str| [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    let Some(table) = sgdisk::judge(&disk.path, 512) else { return };
    let expected = [
        ("4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", uuid(&root_hash[..32]), "root"),
        ("2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5", uuid(&root_hash[32..]), "root-verity"),
    ];
    for (index, (partition, (type_guid, guid, name))) in table.partitions.iter().zip(expected).enumerate() {
        assert_eq!(
            (partition.type_guid.as_str(), &partition.unique_guid, partition.name.as_str()),
            (type_guid, &guid, name)
        );
        assert_eq!(disk.report["partitions"][index]["partuuid"], guid.to_lowercase());
        let (offset, len) = disk.place(index);
        assert_eq!((partition.offset, partition.len), (offset as u64, len as u64));
    }
    assert_eq!(disk.report["kernel_parameters"], format!("roothash={}", disk.text("root_hash")));
    let Some(mut blkid) = judges::command("blkid") else { return };
    let (offset, len) = disk.place(1);
    let probed = run(blkid
        .args(["-p", "-o", "export", "-O", &offset.to_string(), "-S", &len.to_string()])
        .arg(&disk.path));
    let probed = probed.success().unwrap_or_else(|why| panic!("{why}")).text();
    assert!(probed.contains("TYPE=DM_verity_hash"), "{probed}");
    assert!(probed.contains(&format!("UUID={}", disk.text("superblock"))), "{probed}");
}

/// The partitions that a tool finds, as first sector and number of sectors.
fn tables(disk: &Path) -> Vec<Vec<(u64, u64)>> {
    let mut all = Vec::new();
    let number = |text: &str| text.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap();
    if let Some(mut sfdisk) = judges::command("sfdisk") {
        let text = run(sfdisk.arg("-d").arg(disk)).success().unwrap_or_else(|why| panic!("{why}")).text();
        let rows = text.lines().filter_map(|line| line.split_once("start="));
        all.push(
            rows.map(|(_, row)| {
                let mut words = row.split(',');
                (number(words.next().unwrap()), number(words.next().unwrap()))
            })
            .collect(),
        );
    }
    if let Some(mut parted) = judges::command("parted") {
        let outcome = run(parted.args(["-s", "-m"]).arg(disk).args(["unit", "s", "print"]));
        let text = outcome.success().unwrap_or_else(|why| panic!("{why}")).text();
        let rows = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        all.push(
            rows.map(|row| {
                let words: Vec<&str> = row.split(':').collect();
                (number(words[1]), number(words[3]))
            })
            .collect(),
        );
    }
    if let Some(mut partx) = judges::command("partx") {
        let outcome = run(partx.args(["-g", "-o", "START,SECTORS"]).arg(disk));
        let text = outcome.success().unwrap_or_else(|why| panic!("{why}")).text();
        all.push(
            text.lines()
                .map(|line| {
                    let mut words = line.split_whitespace();
                    (number(words.next().unwrap()), number(words.next().unwrap()))
                })
                .collect(),
        );
    }
    all
}

#[test]
fn both_tables_of_a_dax_disk_are_read_by_other_programs() {
    let scratch = source();
    for measured in ["", " --measured"] {
        let disk = Disk::cast(
            &scratch.join("source"),
            scratch.join("disk"),
            &format!("--preset kata --no-rootfs-check{measured}"),
        );
        assert_eq!(disk.bytes.len(), 128 * MIB);
        let inner = scratch.file("inner", &disk.bytes[2 * MIB..]);
        let count = if measured.is_empty() { 1 } else { 2 };
        let places: Vec<(u64, u64)> = (0..count)
            .map(|index| disk.place(index))
            .map(|(offset, len)| (offset as u64 / 512, len as u64 / 512))
            .collect();
        let shifted: Vec<_> = places.iter().map(|(first, len)| (first - 4096, *len)).collect();
        assert_eq!(places[0].0, 3 * 2048);
        tables(&disk.path).into_iter().for_each(|found| assert_eq!(found, places));
        tables(&inner).into_iter().for_each(|found| assert_eq!(found, shifted));
        // Both begin with the filesystem, whose magic number is at 1080.
        let magic = [0x53, 0xef];
        assert_eq!([disk.bytes[3 * MIB + 1080], disk.bytes[3 * MIB + 1081]], magic);
        if let Some(mut ndctl) = judges::command("ndctl") {
            let read = run(ndctl.args(["read-infoblock", "-j", "-V", "-i"]).arg(&disk.path));
            assert!(read.text().replace(' ', "").contains("\"dataoff\":2097152"), "{read}");
        }
    }
    let plain =
        Disk::cast(&scratch.join("source"), scratch.join("disk"), "--preset kata --no-rootfs-check --no-dax");
    assert_eq!((plain.place(0).0, plain.bytes.len()), (MIB, 128 * MIB));
    assert!(plain.bytes[4096..8192].iter().all(|byte| *byte == 0), "no header of persistent memory");
}

/// The parameters that the runtimes pass to the kernel, character by character.
#[test]
fn parameters_are_those_of_the_runtimes() {
    let scratch = source();
    let disk = Disk::cast(
        &scratch.join("source"),
        scratch.join("disk"),
        "--preset kata --no-rootfs-check --measured --no-dax",
    );
    let blocks = disk.report["verity"]["data_blocks"].as_u64().unwrap();
    let (hash, salt) = (disk.text("root_hash"), disk.text("salt"));
    let line = format!(
        "root_hash={hash},salt={salt},data_blocks={blocks},data_block_size=4096,hash_block_size=4096"
    );
    assert_eq!(disk.text("parameters"), line);
    assert_eq!(
        disk.report["kernel_parameters"],
        format!(
            "dm-mod.create=\"dm-verity,,,ro,0 {} verity 1 /dev/vda1 /dev/vda2 4096 4096 {blocks} 0 sha256 {hash} {salt}\" \
             root=/dev/dm-0",
            blocks * 8
        )
    );
    let config = |arguments: &[&str], name: &str| {
        let mut command = rootcast();
        command.arg("image").arg(scratch.join("source")).arg("-o").arg(scratch.join(name));
        let outcome = run(command.args(arguments).args(["-q", "--print-kata-config"]));
        outcome.success().unwrap_or_else(|why| panic!("{why}")).text()
    };
    let path = |name: &str| scratch.join(name).display().to_string();
    assert_eq!(
        config(&["--preset", "kata", "--no-rootfs-check", "--measured", "--no-dax"], "kata.img"),
        format!(
            "[hypervisor.qemu]\nimage = \"{}\"\nrootfs_type = \"ext4\"\nkernel_verity_params = \"{line}\"\n",
            path("kata.img")
        )
    );
    assert_eq!(
        config(&["--preset", "kata-extension"], "kata-containers-coco-extension.img"),
        format!(
            "[[hypervisor.qemu.guest_extension_images]]\nname = \"coco\"\npath = \"{}\"\nverity_params = \"\"\n",
            path("kata-containers-coco-extension.img")
        )
    );
    let extension = Disk::cast(
        &scratch.join("source"),
        scratch.join("gpu-extension.img"),
        "--preset kata-extension --measured",
    );
    let parameters = format!("kata.extension.gpu.verity_params={}", extension.text("parameters"));
    assert_eq!(extension.report["kernel_parameters"], parameters);
    assert_eq!(extension.place(0).0, MIB);
}

/// The hash is computed while a file is written, in a pass of its own before a stream or digest of
/// a GPT disk, and beside cloning; none of it makes a difference.
#[test]
fn every_way_of_writing_gives_the_same_root_hash() {
    let scratch = source();
    for arguments in [&["--verity", "--fec"][..], &["--preset", "kata", "--no-rootfs-check", "--measured"]] {
        let disk = Disk::cast(&scratch.join("source"), scratch.join("disk"), &arguments.join(" "));
        let line = fs::read(scratch.join("root_hash.txt")).unwrap();
        for threads in ["1", "2", "7"] {
            for (how, own) in [(&["-o", "-"][..], true), (&["--digest"], false)] {
                let mut command = rootcast();
                command
                    .arg("image")
                    .arg(scratch.join("source"))
                    .args(how)
                    .args(arguments)
                    .args(["-q", "-j", threads]);
                let file = scratch.join("streamed.txt");
                let outcome = run(command.arg("--root-hash-file").arg(&file));
                let outcome = outcome.success().unwrap_or_else(|why| panic!("{why}"));
                assert_eq!(fs::read(&file).unwrap(), line, "{how:?} {arguments:?}");
                if own {
                    assert!(outcome.stdout == disk.bytes, "{arguments:?} on {threads} threads");
                }
            }
            let again = Disk::cast(
                &scratch.join("source"),
                scratch.join("again"),
                &(arguments.join(" ") + " -j " + threads),
            );
            assert!(again.bytes == disk.bytes && again.text("root_hash") == disk.text("root_hash"));
        }
    }
}

/// As Kata's tool to collect data does it: the only partition, without replaying the journal.
#[test]
fn an_unmeasured_kata_disk_has_one_partition_that_mounts() {
    let scratch = source();
    let disk = Disk::cast(&scratch.join("source"), scratch.join("disk"), "--preset kata --no-rootfs-check");
    let partitions = disk.report["partitions"].as_array().unwrap().len();
    assert_eq!((partitions, disk.report["verity"].is_null()), (1, true));
    if !judges::may_mount() {
        return;
    }
    let (offset, len) = disk.place(0);
    let at = scratch.join("mounted");
    fs::create_dir(&at).unwrap();
    let Some(mut mount) = judges::command("mount") else { return };
    let options = format!("loop,ro,noload,offset={offset},sizelimit={len}");
    run(mount.args(["-o", &options]).arg(&disk.path).arg(&at))
        .success()
        .unwrap_or_else(|why| panic!("{why}"));
    let long = fs::metadata(at.join("long")).map(|found| found.len());
    let mut umount = judges::command("umount").expect("of the same package");
    run(umount.arg(&at)).success().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(long.unwrap(), (3 * MIB + 5000) as u64);
}
