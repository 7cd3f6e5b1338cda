//! A virtual machine boots from the image and writes to it.
//!
//! Debian's cloud kernel has ext4, NVMe and GPT built in, so it mounts the image's partition
//! without an initramfs. The machine is emulated in software and does not need KVM.

mod containers;
mod guests;
mod initramfs;
mod measured;
mod modules;
mod recipes;
mod start;
mod systemd;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::fixtures::{Fixture, Item, Kind};
use crate::images::mke2fs;
use crate::judges;
use crate::oracle::{Volume, debugfs, e2fsck, sgdisk};
use crate::product::{self, Scratch, run};

/// Software emulation on a busy machine is slow.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The line that a guest prints on success.
pub(crate) const DONE: &str = "guest: done";

/// Boots a disk from its first partition, where `/init` is the program of [`source`]; then checks
/// that the filesystem is clean and holds the files that the guest wrote.
///
/// # Panics
/// On failure, with the output of the machine.
pub(crate) fn boot(disk: &Path) {
    let Some(table) = sgdisk::judge(disk, 512) else { return };
    let partition = &table.partitions[0];
    let root = format!("PARTUUID={}", partition.unique_guid.to_lowercase());
    let Some(transcript) = machine(&root, &[disk.to_owned()]) else { return };
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");

    let volume = Volume::new(disk, Some((partition.offset, partition.len)));
    e2fsck::check_clean(&volume).unwrap_or_else(|why| panic!("after the guest ran: {why}\n{transcript}"));
    if let Some(written) = debugfs::cat(&volume, "/written").unwrap() {
        assert_eq!(written.escape_ascii().to_string(), "written by the guest\\n");
    }
}

/// Makes a tree at `root` with an `/init` that checks the tree, or returns `None` after a visible
/// skip.
pub(crate) fn source(root: &Path) -> Option<()> {
    let init = compile(include_str!("boot/init.c"))?;
    let file = |path: &str, bytes: &[u8]| Item::new(path, Kind::File(bytes.to_vec()));
    let pattern: Vec<u8> = (0..=250).cycle().take(1 << 20).collect();
    let directories = ["", "dev", "etc", "usr", "usr/share"];
    let mut items: Vec<Item> = directories.map(|path| Item::new(path, Kind::Directory)).into();
    items.extend([
        file("init", &init).mode(0o755),
        file("etc/hostname", b"guest\n"),
        file("etc/secret", b"secret\n").mode(0o600),
        Item::new("etc/link", Kind::Symlink(b"../usr/share/hostname".to_vec())),
        Item::new("usr/share/hostname", Kind::HardLink(b"etc/hostname".to_vec())),
        file("usr/share/pattern", &pattern),
    ]);
    Fixture { items }.make(root);
    Some(())
}

/// Compiles a static program for the guest, or returns `None` after a visible skip.
pub(crate) fn compile(code: &str) -> Option<Vec<u8>> {
    if !cfg!(target_arch = "x86_64") {
        judges::skip("boot", "the guest's kernel is for x86-64");
        return None;
    }
    let mut gcc = judges::command("gcc")?;
    let scratch = Scratch::new();
    scratch.file("console.h", include_str!("boot/console.h"));
    let code = scratch.file("init.c", code);
    let init = scratch.join("init");
    run(gcc.args(["-static", "-O1", "-Wall", "-Werror", "-o"]).arg(&init).arg(&code)).success().unwrap();
    Some(fs::read(init).unwrap())
}

/// Returns `bin/busybox` and its libraries, or `None` after a visible skip.
pub(crate) fn busybox() -> Option<Vec<(String, Vec<u8>)>> {
    let (Some(busybox), Some(mut ldd)) = (judges::locate("busybox"), judges::command("ldd")) else {
        judges::skip("busybox", "the program is not installed");
        return None;
    };
    let mut files = vec![("bin/busybox".to_owned(), fs::read(&busybox).unwrap())];
    // A static busybox has none.
    let libraries = run(ldd.arg(&busybox)).text();
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        files.push((library[1..].to_owned(), fs::read(library).unwrap()));
    }
    Some(files)
}

/// Runs a machine until it powers off. Returns the console output, or `None` after a visible skip.
/// The disks are the namespaces 1, 2 and so on of one NVMe controller; `root` is the value of the
/// kernel's parameter.
pub(crate) fn machine(root: &str, disks: &[PathBuf]) -> Option<String> {
    run_machine(&format!("root={root} rootfstype=ext4 rootwait rw init=/init"), |qemu| {
        qemu.args(["-device", "nvme,serial=disks,id=nvme"]);
        // The numbers of namespaces are those given here, but not those of their devices: Linux
        // 6.12 and later number these in any order.
        for (disk, number) in disks.iter().zip(1..) {
            // Flushed data need not survive a power failure of the host.
            qemu.arg("-drive")
                .arg(format!("file={},format=raw,if=none,cache=unsafe,id=disk{number}", disk.display()))
                .args(["-device", &format!("nvme-ns,bus=nvme,drive=disk{number},nsid={number}")]);
        }
    })
}

/// Runs a machine with an initramfs and a disk of virtio, whose driver is a module.
fn machine_with(kernel: &Path, root: &str, disk: &Path, initrd: &Path) -> Option<String> {
    run_kernel(kernel, &format!("{root} rootfstype=ext4 rootwait rw"), |qemu| {
        qemu.arg("-initrd").arg(initrd).arg("-drive");
        qemu.arg(format!("file={},format=raw,if=none,cache=unsafe,id=disk", disk.display()));
        qemu.args(["-device", "virtio-blk-pci,drive=disk"]);
    })
}
/// Runs a machine with the arguments of `add`.
fn run_machine(append: &str, add: impl FnOnce(&mut Command)) -> Option<String> {
    run_kernel(&judges::cloud_kernel()?, append, add)
}

/// Runs a machine of a kernel with the arguments of `add`.
fn run_kernel(kernel: &Path, append: &str, add: impl FnOnce(&mut Command)) -> Option<String> {
    let mut qemu = judges::command("qemu-system-x86_64")?;
    let _heavy = judges::heavy();
    qemu.args(["-accel", "tcg", "-m", "512", "-smp", "1", "-nographic", "-no-reboot", "-nodefaults"])
        .args(["-serial", "stdio", "-kernel"])
        .arg(kernel)
        // On a busy host the emulated timer may not tick while the kernel tests it.
        .args(["-append", &format!("console=ttyS0 no_timer_check {append} panic=-1 loglevel=6")]);
    add(&mut qemu);
    Some(transcript(&mut qemu))
}

/// Returns the output of a program until it ends or [`TIMEOUT`] is over.
fn transcript(command: &mut Command) -> String {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = Ended(child.unwrap_or_else(|error| panic!("{command:?}: {error}")));
    let mut stdout = child.0.stdout.take().unwrap();
    let mut stderr = child.0.stderr.take().unwrap();
    let read = |reader: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        let end = reader.read_to_end(&mut bytes).err().map(|error| error.to_string());
        String::from_utf8_lossy(&bytes).into_owned() + &end.unwrap_or_default()
    };
    std::thread::scope(|scope| {
        let printed = scope.spawn(move || read(&mut stdout));
        let complained = scope.spawn(move || read(stderr.by_ref()));
        let started = Instant::now();
        let how = loop {
            match child.0.try_wait().unwrap() {
                Some(status) => break status.to_string(),
                None if started.elapsed() > TIMEOUT => {
                    child.0.kill().unwrap();
                    break format!("it was still running after {} s", TIMEOUT.as_secs());
                }
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        format!("{}\n{}{how}", printed.join().unwrap(), complained.join().unwrap())
    })
}

/// A child that is killed on drop.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both do nothing if it has ended, which is the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the source of a bootable tree in a scratch directory, or `None` after a visible skip.
fn scratch_with_source() -> Option<(Scratch, PathBuf)> {
    let scratch = Scratch::new();
    let root = scratch.join("root");
    source(&root)?;
    Some((scratch, root))
}

#[test]
fn a_machine_boots_from_a_disk_of_mke2fs_and_sgdisk() {
    let Some((scratch, root)) = scratch_with_source() else { return };
    let (filesystem, disk) = (scratch.join("filesystem"), scratch.join("disk"));
    if mke2fs::mke2fs(&root, &filesystem, 64 << 20, &["-E", "root_owner=0:0"]).is_none()
        || mke2fs::gpt_disk(&filesystem, &disk).is_none()
    {
        return;
    }
    // mke2fs keeps the owner of every file; the guest expects root's.
    let secret = ["set_inode_field /etc/secret uid 0", "set_inode_field /etc/secret gid 0"];
    let volume = Volume::new(&disk, Some((1 << 20, 64 << 20)));
    debugfs::change(&volume, &secret.map(str::to_owned)).unwrap();
    boot(&disk);
}

#[test]
fn a_machine_boots_from_a_disk() {
    let Some((scratch, root)) = scratch_with_source() else { return };
    let disk = scratch.join("disk");
    product::image(&root, &disk, &["--layout", "gpt", "--arch", "x86_64", "--free", "8388608"]);
    boot(&disk);
}
