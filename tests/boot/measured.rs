//! A virtual machine opens measured disks by veritysetup, and mounts a disk of Kata as persistent
//! memory.
//!
//! One machine has all disks, since booting the kernel takes most of the time. Its initramfs holds
//! nothing but veritysetup with what that needs, kernel modules and the program of the test.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{DONE, compile, run_machine};
use crate::fixtures::{Fixture, Item, Kind};
use crate::judges;
use crate::product::{Scratch, rootcast, run};

/// The length of the file in the filesystems, as in the guest's program.
const LENGTH: usize = (3 << 20) + 5000;

/// The modules of the machine, in the order of their dependencies.
const MODULES: [&str; 10] = [
    "lib/libcrc32c.ko",
    "fs/erofs/erofs.ko",
    "lib/reed_solomon/reed_solomon.ko",
    "drivers/md/dm-mod.ko",
    "drivers/md/dm-bufio.ko",
    "drivers/md/dm-verity.ko",
    "drivers/nvdimm/libnvdimm.ko",
    "drivers/nvdimm/nd_btt.ko",
    "drivers/nvdimm/nd_pmem.ko",
    "drivers/acpi/nfit/nfit.ko",
];

/// A disk, and the report on it.
struct Disk {
    path: PathBuf,
    report: Value,
}

impl Disk {
    fn cast(scratch: &Scratch, name: &str, arguments: &[&str]) -> Self {
        let path = scratch.join(name);
        let mut command = rootcast();
        command.arg("image").arg(scratch.join("source")).arg("-o").arg(&path).args(["--json", "-q"]);
        let outcome = run(command.args(arguments)).success().unwrap_or_else(|why| panic!("{why}"));
        Self { path, report: serde_json::from_slice(&outcome.stdout).unwrap() }
    }

    /// Returns a copy in which a byte in the middle of the file is changed.
    fn damaged(&self, scratch: &Scratch, name: &str) -> PathBuf {
        let mut bytes = fs::read(&self.path).unwrap();
        let file = contents();
        let start = bytes.windows(4096).position(|window| window == &file[..4096]).unwrap();
        bytes[start + (1 << 20) + 77] ^= 0x10;
        scratch.file(name, bytes)
    }

    fn text(&self, field: &str) -> String {
        self.report["verity"][field].as_str().unwrap().to_owned()
    }

    /// The line with which the guest opens a copy of the disk.
    fn open(&self, serial: &str, options: &str) -> String {
        format!("open {serial} {serial} {}{options}", self.text("root_hash"))
    }
}

fn contents() -> Vec<u8> {
    (0..=250).cycle().take(LENGTH).collect()
}

/// Makes the initramfs from this machine's files, or returns `None` after a visible skip.
fn initramfs(scratch: &Scratch, init: &[u8], cases: &str) -> Option<PathBuf> {
    let kernel = judges::cloud_kernel()?;
    judges::command("veritysetup")?;
    let version = kernel.file_name()?.to_str()?.strip_prefix("vmlinuz-")?.to_owned();
    let below = PathBuf::from("/lib/modules").join(version).join("kernel");
    let mut modules = Vec::new();
    for module in MODULES {
        let plain = below.join(module);
        let packed = plain.with_extension("ko.xz");
        let Some(found) = [plain, packed].into_iter().find(|path| path.is_file()) else {
            judges::skip("boot", &format!("no module {module} of the kernel {}", kernel.display()));
            return None;
        };
        modules.push(found);
    }
    let loads: String = modules.iter().map(|module| format!("load {}\n", module.display())).collect();
    // This machine's files, of which only those that are visited are read.
    let tools = scratch.join("tools.img");
    let mut command = rootcast();
    command
        .args(["initrd", "/", "--init", "none", "--keep", "/usr/sbin/veritysetup", "-q", "-o"])
        .arg(&tools);
    for module in modules {
        command.arg("--keep").arg(module);
    }
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    let items = vec![
        Item::new("", Kind::Directory),
        Item::new("init", Kind::File(init.to_vec())).mode(0o755),
        Item::new("cases", Kind::File((loads + cases).into_bytes())),
    ];
    let source = scratch.join("guest");
    Fixture { items }.make(&source);
    let initrd = scratch.join("initrd");
    let mut command = rootcast();
    command.arg("initrd").arg(source).args(["--owner", "root", "-q", "--append"]).arg(&tools);
    run(command.arg("-o").arg(&initrd)).success().unwrap_or_else(|why| panic!("{why}"));
    Some(initrd)
}

#[test]
fn a_machine_opens_measured_disks_and_mounts_one_with_dax() {
    let Some(init) = compile(include_str!("measured.c")) else { return };
    let scratch = Scratch::in_memory();
    let items = vec![Item::new("", Kind::Directory), Item::new("file", Kind::File(contents()))];
    Fixture { items }.make(&scratch.join("source"));
    let measured = Disk::cast(&scratch, "good", &["--verity"]);
    let fec = Disk::cast(&scratch, "fec", &["--verity", "--fec"]);
    let kata = Disk::cast(
        &scratch,
        "kata",
        &["--preset", "kata", "--no-rootfs-check", "--measured", "--size-multiple", "2M"],
    );

    let erofs = Disk::cast(&scratch, "erofs", &["--fs", "erofs", "--verity"]);
    let kata_erofs = Disk::cast(
        &scratch,
        "kata-erofs",
        &["--fs", "erofs", "--preset", "kata", "--no-rootfs-check", "--measured", "--size-multiple", "2M"],
    );
    let no_superblock = |disk: &Disk| {
        let blocks = &disk.report["verity"]["data_blocks"];
        format!(" --no-superblock --salt={} --data-blocks={blocks}", disk.text("salt"))
    };
    let repair = format!(" --fec-offset={} --fec-roots=2", fec.report["verity"]["fec"]["offset"]);
    let cases = [
        measured.open("good", ""),
        "whole good".to_owned(),
        measured.open("bad", ""),
        "damaged bad".to_owned(),
        fec.open("repaired", &repair),
        "whole repaired".to_owned(),
        // A partition that is a part of another device cannot be mounted any more.
        "plain kata".to_owned(),
        kata.open("kata", &no_superblock(&kata)),
        "whole kata".to_owned(),
        "plain erofs erofs".to_owned(),
        erofs.open("erofs", ""),
        "whole erofs erofs".to_owned(),
        erofs.open("bad-erofs", ""),
        "damaged bad-erofs erofs".to_owned(),
        "plain kata-erofs erofs".to_owned(),
        kata_erofs.open("kata-erofs", &no_superblock(&kata_erofs)),
        "whole kata-erofs erofs".to_owned(),
        "dax 0".to_owned(),
        "no-dax 1".to_owned(),
    ];
    let Some(initrd) = initramfs(&scratch, &init, &(cases.join("\n") + "\n")) else { return };
    let disks = [
        ("good", measured.path.clone()),
        ("bad", measured.damaged(&scratch, "damaged")),
        ("repaired", fec.damaged(&scratch, "repairable")),
        ("kata", kata.path.clone()),
        ("erofs", erofs.path.clone()),
        ("bad-erofs", erofs.damaged(&scratch, "damaged-erofs")),
        ("kata-erofs", kata_erofs.path.clone()),
    ];
    let mut changed = fs::read(&kata.path).unwrap();
    // A byte that only the checksum of the header covers.
    changed[4096 + 3000] ^= 1;
    let memories = [kata.path.clone(), scratch.file("changed", changed)];
    let Some(transcript) = boot(&initrd, &disks, &memories) else { return };
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");
    for words in ["is corrupted", "corrected 1 errors", "DAX unsupported by block device"] {
        assert!(transcript.contains(words), "the kernel does not report {words:?}:\n{transcript}");
    }
}

/// Runs a machine with NVMe disks by their serial numbers, and with persistent memory.
fn boot(initrd: &Path, disks: &[(&str, PathBuf)], memories: &[PathBuf]) -> Option<String> {
    run_machine("rdinit=/init", |qemu| {
        qemu.args(["-machine", "pc,nvdimm=on", "-m", "512,slots=4,maxmem=4G"]).arg("-initrd").arg(initrd);
        for (serial, disk) in disks {
            qemu.arg("-drive")
                .arg(format!("file={},format=raw,if=none,cache=unsafe,id={serial}", disk.display()))
                .args(["-device", &format!("nvme,serial={serial},drive={serial}")]);
        }
        for (number, memory) in memories.iter().enumerate() {
            let len = fs::metadata(memory).unwrap().len();
            qemu.arg("-object")
                .arg(format!(
                    "memory-backend-file,id=memory{number},share=off,mem-path={},size={len}",
                    memory.display()
                ))
                .args(["-device", &format!("nvdimm,id=nvdimm{number},memdev=memory{number}")]);
        }
    })
}
