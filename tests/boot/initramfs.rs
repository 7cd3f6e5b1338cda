//! A virtual machine boots from an initramfs of every codec, and its `/init` verifies every file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use initramfs::codec::Codec;

use super::{DONE, compile, run_machine};
use crate::fixtures::{Fixture, Item, Kind, MTIME};
use crate::judges;
use crate::product::{Scratch, rootcast, run};

/// Files that an ordinary user cannot create in a directory.
const EDITS: [&str; 12] = [
    "--mknod",
    "/dev/console:c:5:1:600",
    "--mknod",
    "/dev/zero:c:1:5:666",
    "--mknod",
    "/dev/disk:b:259:70000:660",
    "--chown",
    "/dev/disk:0:6",
    "--chown",
    "/etc/hostname:7:8",
    "--chown",
    "/usr/share/ids:70000:4000000000",
];

/// The guest's output for each path.
type Lines = BTreeMap<String, String>;

/// A file's line: type and mode, owner, time, names, device, length, hash.
struct Line<'b> {
    mode: u32,
    owner: &'static str,
    time: i64,
    names: usize,
    device: &'static str,
    bytes: &'b [u8],
}

impl Line<'_> {
    fn put(&self, path: &str, lines: &mut Lines) {
        let Self { mode, owner, time, names, device, bytes } = self;
        let (len, hash) = (bytes.len(), fnv1a(bytes));
        lines
            .insert(path.to_owned(), format!("{mode:06o} {owner} {time} {names} {device} {len} {hash:016x}"));
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Returns a tree with every kind of file, and one file longer than a piece of the codec.
fn fixture(init: &[u8], codec: &Codec) -> Fixture {
    let file = |path: &str, bytes: &[u8]| Item::new(path, Kind::File(bytes.to_vec()));
    let long = usize::try_from(codec.max_piece_len() + 100_000).unwrap();
    let long: Vec<u8> = (0..long).map(|at| (at / 7).wrapping_mul(0x9e37_79b9).to_le_bytes()[3]).collect();
    let directories = ["", "dev", "etc", "usr", "usr/lib", "usr/share"];
    let mut items: Vec<Item> = directories.map(|path| Item::new(path, Kind::Directory)).into();
    items.extend([
        Item::new("root", Kind::Directory).mode(0o700),
        Item::new("tmp", Kind::Directory).mode(0o1777),
        file("init", init).mode(0o755),
        file("etc/hostname", b"guest\n"),
        file("etc/empty", b"").mode(0o4711),
        file("usr/lib/long", &long).mtime(4_294_967_295, 0),
        file("usr/lib/a.ko.xz", &long[..70_000]).mtime(0, 0),
        file("usr/share/ids", &long[..20_000]).mode(0o2640),
        Item::new("etc/link", Kind::Symlink(b"../usr/share/hostname".to_vec())),
        Item::new("etc/fifo", Kind::Fifo).mode(0o620),
        Item::new("usr/share/hostname", Kind::HardLink(b"etc/hostname".to_vec())),
        Item::new("usr/share/third", Kind::HardLink(b"etc/hostname".to_vec())),
    ]);
    Fixture { items }
}

/// Returns the expected output of the guest for the fixture and the edits.
fn expected(fixture: &Fixture) -> Lines {
    let mut lines = Lines::new();
    for item in &fixture.items {
        let path = format!("/{}", String::from_utf8(item.path.clone()).unwrap());
        let usual =
            Line { mode: item.mode, owner: "0:0", time: item.mtime.0, names: 1, device: "0:0", bytes: b"" };
        let hostname = Line { mode: 0o100_644, owner: "7:8", names: 3, bytes: b"guest\n", ..usual };
        let line = match &item.kind {
            Kind::Directory => Line { mode: 0o40_000 | item.mode, names: 0, ..usual },
            Kind::Symlink(target) => Line { mode: 0o120_777, bytes: target, ..usual },
            Kind::Fifo => Line { mode: 0o10_000 | item.mode, ..usual },
            Kind::HardLink(_) => hostname,
            Kind::File(_) if path == "/etc/hostname" => hostname,
            Kind::File(bytes) => {
                let owner = if path == "/usr/share/ids" { "70000:4000000000" } else { "0:0" };
                Line { mode: 0o100_000 | item.mode, owner, bytes, ..usual }
            }
            other => panic!("{other:?} is not in the fixture"),
        };
        line.put(&path, &mut lines);
    }
    let node = |mode, owner, device| Line { mode, owner, time: 0, names: 1, device, bytes: b"" };
    node(0o20_600, "0:0", "5:1").put("/dev/console", &mut lines);
    node(0o20_666, "0:0", "1:5").put("/dev/zero", &mut lines);
    node(0o60_660, "0:6", "259:70000").put("/dev/disk", &mut lines);
    lines
}

/// Adds a minimal AMD container and a minimal Intel update, and the expected output of the guest
/// for them.
fn add_microcode(scratch: &Scratch, arguments: &mut Vec<String>, lines: &mut Lines) {
    let (amd, intel) = (&b"DMA\0amd, says the guest"[..], &b"\x01\0\0\0intel"[..]);
    for (name, bytes) in [("amd", amd), ("intel", intel)] {
        arguments.push(format!("--microcode={}", scratch.file(name, bytes).display()));
    }
    let usual = Line { mode: 0o40_755, owner: "0:0", time: 0, names: 0, device: "0:0", bytes: b"" };
    for path in ["/kernel", "/kernel/x86", "/kernel/x86/microcode"] {
        usual.put(path, lines);
    }
    for (name, bytes) in [("AuthenticAMD", amd), ("GenuineIntel", intel)] {
        let path = format!("/kernel/x86/microcode/{name}.bin");
        Line { mode: 0o100_644, names: 1, bytes, ..usual }.put(&path, lines);
    }
}

/// Appends the output of other programs: GNU cpio's archive of one file, uncompressed or
/// compressed.
fn add_appended(
    scratch: &Scratch,
    compress: &str,
    arguments: &mut Vec<String>,
    lines: &mut Lines,
) -> Option<()> {
    let name = format!("from-{}", compress.split(' ').next().unwrap_or_default());
    let directory = scratch.join(format!("{name}.d"));
    let item = Item::new(&name, Kind::File(compress.into()));
    Fixture { items: vec![Item::new("", Kind::Directory), item] }.make(&directory);
    judges::command("cpio")?;
    judges::command(compress.split(' ').next().unwrap_or_default())?;
    let file = scratch.join(&name);
    let script = format!("echo {name} | cpio -o -H newc -R 0:0 --quiet | {compress} > \"$0\"");
    let mut shell = judges::command("sh")?;
    run(shell.args(["-c", &script]).arg(&file).current_dir(&directory)).success().unwrap();
    arguments.extend(["--append".to_owned(), file.display().to_string()]);
    let bytes = compress.as_bytes();
    let line = Line { mode: 0o100_644, owner: "0:0", time: MTIME.0, names: 1, device: "0:0", bytes };
    line.put(&format!("/{name}"), lines);
    Some(())
}

/// Boots an initramfs of a codec, with microcode before it and files appended.
fn boot(codec: &str, more: &[&str], microcode: bool, append: &[&str]) {
    let scratch = Scratch::new();
    let Some(init) = compile(include_str!("initramfs.c")) else { return };
    let fixture = fixture(&init, &codec.parse().unwrap());
    let (root, initrd) = (scratch.join("root"), scratch.join("initrd"));
    fixture.make(&root);
    let mut lines = expected(&fixture);
    let mut arguments: Vec<String> = Vec::new();
    if microcode {
        add_microcode(&scratch, &mut arguments, &mut lines);
    }
    for compress in append {
        if add_appended(&scratch, compress, &mut arguments, &mut lines).is_none() {
            return;
        }
    }
    let mut command = rootcast();
    command.arg("initrd").arg(&root).arg("-o").arg(&initrd).args(["--owner", "root", "--compress", codec]);
    run(command.args(EDITS).args(more).args(arguments)).success().unwrap_or_else(|why| panic!("{why}"));
    check_by_rules(&initrd);
    let Some(transcript) = run_machine("rdinit=/init", |qemu| {
        qemu.arg("-initrd").arg(&initrd);
    }) else {
        return;
    };
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");
    let found: Lines = transcript
        .lines()
        .filter_map(|line| line.trim_end().split_once("guest: file "))
        .filter_map(|(_, line)| line.split_once(' '))
        .map(|(path, rest)| (path.to_owned(), rest.to_owned()))
        .collect();
    let differences: Vec<String> = lines
        .keys()
        .chain(found.keys())
        .filter(|path| lines.get(*path) != found.get(*path))
        .map(|path| format!("{path}: expected {:?}, found {:?}", lines.get(path), found.get(path)))
        .collect();
    assert!(differences.is_empty(), "{}\n{transcript}", differences.join("\n"));
}

/// Checks it with `rootcast check` and the kernel's own configuration, if there is one.
fn check_by_rules(initrd: &Path) {
    let mut command = rootcast();
    command.arg("check").arg(initrd);
    if let Some(config) = judges::cloud_kernel().and_then(|kernel| config_of(&kernel)) {
        command.arg("--kernel-config").arg(config);
    }
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
}

fn config_of(kernel: &Path) -> Option<PathBuf> {
    let name = kernel.file_name()?.to_str()?.replace("vmlinuz", "config");
    Some(kernel.with_file_name(name)).filter(|path| fs::File::open(path).is_ok())
}

#[test]
fn a_machine_boots_from_an_uncompressed_initramfs() {
    boot("none", &["--align", "--checksums"], false, &["cat"]);
}

#[test]
fn a_machine_boots_from_gzip() {
    boot("gzip", &["--preset", "kata", "--no-rootfs-check"], true, &[]);
}

#[test]
fn a_machine_boots_from_zstd() {
    boot("zstd", &[], false, &["lz4 -lc", "gzip -c"]);
}

#[test]
fn a_machine_boots_from_lz4() {
    boot("lz4", &["--checksums"], true, &["cat", "xz --check=crc32 -c"]);
}

#[test]
fn a_machine_boots_from_xz() {
    boot("xz", &[], false, &[]);
}
