//! An image on a block device, beside the same image in a file.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::judges;
use crate::product::{NOBODY, Outcome, Scratch, rootcast, rootcast_as_root, run};

/// A loop device of `len` bytes, all of them 0xff, with the given sector size.
struct Loop {
    device: PathBuf,
    backing: PathBuf,
}

impl Loop {
    fn new(scratch: &Scratch, len: usize, sector_size: u32) -> Option<Self> {
        if !judges::may_mount() {
            return None;
        }
        let backing = scratch.file("backing", vec![0xff; len]);
        let mut losetup = judges::command("losetup")?;
        losetup.args(["--find", "--show", "--sector-size"]).arg(sector_size.to_string()).arg(&backing);
        let device =
            PathBuf::from(run(&mut losetup).success().expect("there are loop devices").text().trim());
        Some(Self { device, backing })
    }

    /// Returns the device's bytes from the backing file.
    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.backing).expect("it is there")
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // OK to ignore: the device then remains, as `losetup` shows.
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).status();
    }
}

/// A tree with holes of every length among its files.
fn tree(scratch: &Scratch) -> PathBuf {
    let tree = scratch.join("tree");
    fs::create_dir(&tree).expect("it is new");
    for (name, len) in [("a", 5_u64), ("b", 70_000), ("c", 5 << 20), ("d", 1 << 20)] {
        let file = fs::File::create(tree.join(name)).expect("it is new");
        file.write_all_at(b"first", 0).expect("there is room");
        file.write_all_at(b"last", len).expect("there is room");
    }
    tree
}

fn to_device(arguments: &[&str], source: &Path, device: &Path, mut rootcast: Command) -> Outcome {
    run(rootcast.args(arguments).arg(source).arg("-o").arg(device))
}

const VERBS: [&[&str]; 4] = [
    &["image", "--layout", "bare", "--free", "3M"],
    &["image"],
    &["initrd", "--init", "none", "--compress", "none"],
    &["initrd", "--init", "none", "--compress", "zstd:1"],
];

#[test]
fn a_device_gets_every_byte_of_the_image() {
    for verb in VERBS {
        let scratch = Scratch::new();
        let source = tree(&scratch);
        let Some(device) = Loop::new(&scratch, 32 << 20, 512) else { return };
        let file = scratch.join("file");
        let outcome = run(rootcast_as_root().args(verb).arg(&source).arg("-o").arg(&file));
        outcome.success().unwrap_or_else(|why| panic!("{why}"));
        let expected = fs::read(&file).expect("it was made");

        let refused = to_device(verb, &source, &device.device, rootcast_as_root());
        assert_eq!(refused.code, Some(2), "{refused}");
        assert!(refused.stderr.contains("is a block device: --force overwrites what is on it"), "{refused}");
        assert!(device.bytes().iter().all(|byte| *byte == 0xff), "it was written to without --force");

        // An ordinary user who owns the device node needs no further privileges.
        std::os::unix::fs::chown(&device.device, Some(NOBODY), None).expect("root may");
        let written = to_device(&[verb, &["--force"]].concat(), &source, &device.device, rootcast());
        std::os::unix::fs::chown(&device.device, Some(0), None).expect("root may");
        written.success().unwrap_or_else(|why| panic!("{why}"));
        let found = device.bytes();
        assert!(
            found[..expected.len()] == expected[..],
            "{verb:?}: the device has other bytes than the file"
        );
        assert!(found[expected.len()..].iter().all(|byte| *byte == 0xff), "{verb:?}: more was written");
        if verb == VERBS[0] {
            let Some(mut e2fsck) = judges::command("e2fsck") else { return };
            run(e2fsck.arg("-fn").arg(&device.device)).success().unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

#[test]
fn a_device_that_is_too_small_or_in_use_is_not_written() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let Some(device) = Loop::new(&scratch, 1 << 20, 512) else { return };
    for verb in &VERBS[..3] {
        let outcome =
            to_device(&[verb, &["--force"][..]].concat(), &source, &device.device, rootcast_as_root());
        assert_eq!(outcome.code, Some(4), "{outcome}");
        for part in [": the image has ", " bytes, the device 1048576: it is ", "nothing was written"] {
            assert!(outcome.stderr.contains(part), "{outcome}");
        }
        assert!(device.bytes().iter().all(|byte| *byte == 0xff), "it was written to");
    }
    let Some(mut mke2fs) = judges::command("mke2fs") else { return };
    run(mke2fs.arg("-q").arg(&device.device)).success().unwrap();
    let at = scratch.join("mounted");
    fs::create_dir(&at).expect("it is new");
    let (Some(mut mount), Some(mut umount)) = (judges::command("mount"), judges::command("umount")) else {
        return;
    };
    run(mount.arg(&device.device).arg(&at)).success().unwrap();
    let empty = scratch.join("empty");
    fs::create_dir(&empty).expect("it is new");
    let outcome =
        to_device(&["image", "--force", "--profile", "ro-min"], &empty, &device.device, rootcast_as_root());
    run(umount.arg(&at)).success().unwrap();
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("is mounted or in use by another device"), "{outcome}");
}

/// A device gets the disk in two stages: the hash tree, and the tables that have its root hash, come
/// after the data.
#[test]
fn a_measured_disk_on_a_device_is_the_one_in_a_file() {
    for flags in [
        &["--verity", "--fec"][..],
        &["--preset", "kata", "--no-rootfs-check", "--measured", "--size-multiple", "2M"],
    ] {
        let scratch = Scratch::new();
        let source = tree(&scratch);
        let Some(device) = Loop::new(&scratch, 32 << 20, 512) else { return };
        let image = [&["image", "-q"], flags].concat();
        let file = scratch.join("file");
        let outcome = run(rootcast_as_root().args(&image).arg(&source).arg("-o").arg(&file));
        outcome.success().unwrap_or_else(|why| panic!("{why}"));
        let expected = fs::read(&file).expect("it was made");
        let line = fs::read_to_string(scratch.join("root_hash.txt")).expect("it is beside the file");

        std::os::unix::fs::chown(&device.device, Some(NOBODY), None).expect("root may");
        let text = scratch.join("of-device.txt");
        let mut command = rootcast();
        command.args(&image).args(["--force", "--root-hash-file"]).arg(&text);
        let written = to_device(&[], &source, &device.device, command);
        let offset = if flags.contains(&"kata") { "3M" } else { "1M" };
        let check = |threads| {
            let mut command = rootcast();
            command.args(["root-hash", "--offset", offset, "--check", line.trim(), "-j", threads]);
            run(command.arg(&device.device))
        };
        let intact = check("2");
        // A byte of the third data block.
        let at = if offset == "3M" { 3 << 20 } else { 1 << 20 } + 2 * 4096 + 5;
        let node = fs::File::options().read(true).write(true).open(&device.device).expect("root may");
        let mut byte = [0];
        node.read_exact_at(&mut byte, at).expect("it is within");
        let found = device.bytes();
        node.write_all_at(&[byte[0] ^ 1], at).and_then(|()| node.sync_all()).expect("it is within");
        let damaged = check("1");
        std::os::unix::fs::chown(&device.device, Some(0), None).expect("root may");

        written.success().unwrap_or_else(|why| panic!("{why}"));
        assert!(found[..expected.len()] == expected[..], "{flags:?}: the device has other bytes");
        assert!(found[expected.len()..].iter().all(|byte| *byte == 0xff), "{flags:?}: more was written");
        assert_eq!(fs::read_to_string(&text).expect("it was made"), line);
        intact.success().unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(damaged.code, Some(1), "{damaged}");
        assert!(damaged.stderr.contains("data block 2, at byte "), "{damaged}");
    }
}

#[test]
fn the_sector_size_must_match_the_device() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let Some(device) = Loop::new(&scratch, 32 << 20, 4096) else { return };
    let outcome = to_device(&["image", "--force"], &source, &device.device, rootcast_as_root());
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("its sectors have 4096 bytes"), "{outcome}");
    assert!(outcome.stderr.contains("give --sector-size 4096"), "{outcome}");
    assert!(device.bytes().iter().all(|byte| *byte == 0xff), "it was written to");
    for flags in [&["--sector-size", "4096"][..], &["--layout", "bare"]] {
        let flags = [&["image", "--force"], flags].concat();
        to_device(&flags, &source, &device.device, rootcast_as_root()).success().unwrap();
    }
}

/// A device cannot be restored: the error reports its contents.
#[test]
fn a_failed_run_reports_the_partial_image_on_the_device() {
    let scratch = Scratch::new();
    let source = tree(&scratch);
    let mut noise = vec![0; 8 << 20];
    fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut noise)).expect("it is there");
    fs::write(source.join("noise"), noise).expect("it is new");
    let in_part = "the previous contents of the device are lost, and it holds only a part of the image: write the image again";
    let Some(device) = Loop::new(&scratch, 1 << 20, 512) else { return };
    let arguments = ["initrd", "--init", "none", "--compress", "gzip:1", "--force"];
    let outcome = to_device(&arguments, &source, &device.device, rootcast_as_root());
    assert_eq!(outcome.code, Some(4), "{outcome}");
    assert!(
        outcome.stderr.contains("the image is longer than the device, which has 1048576 bytes"),
        "{outcome}"
    );
    assert!(outcome.stderr.contains(in_part), "{outcome}");
}
