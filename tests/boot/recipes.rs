//! Machines start from initramfs of recipes that are part of the program.
//!
//! They share the tree of the test of Debian 12, as making it takes most of the time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::systemd::program;
use super::{DONE, run_machine};
use crate::judges;
use crate::oracle::sgdisk;
use crate::product::{Scratch, rootcast_as_root, run};

const PROBE: &str = "[Unit]\nDefaultDependencies=no\nAfter=basic.target\n[Service]\nExecStart=/probe-units\n";

/// The files of the kernel's modules that modprobe reads, and the modules of dm-verity.
const MODULES: [&str; 9] = [
    "modules.dep",
    "modules.dep.bin",
    "modules.alias.bin",
    "modules.builtin.bin",
    "modules.devname",
    "modules.symbols.bin",
    "modules.softdep",
    "kernel/drivers/md",
    "kernel/lib/reed_solomon",
];

/// Returns an initramfs that mounts root= and switches to it.
pub(super) fn switching(scratch: &Scratch, root: &Path) -> PathBuf {
    initrd(scratch, root, "switching", &["--recipe", "systemd-initrd"])
}

fn initrd(scratch: &Scratch, root: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let path = scratch.join(name);
    let mut command = rootcast_as_root();
    command.arg("initrd").arg(root).args(["-q", "--mode", "600", "--compress", "none", "-o"]);
    run(command.arg(&path).args(flags)).success().unwrap_or_else(|why| panic!("{why}"));
    path
}

/// Makes a directory with a unit that reports on others, and with the link of Kata's overlay.
fn overlay(scratch: &Scratch) -> PathBuf {
    let overlay = scratch.join("overlay");
    let wants = overlay.join("etc/systemd/system/basic.target.wants");
    fs::create_dir_all(&wants).unwrap();
    fs::create_dir(overlay.join("var")).unwrap();
    symlink("../tmp", overlay.join("var/tmp")).unwrap();
    fs::write(overlay.join("etc/systemd/system/units.service"), PROBE).unwrap();
    symlink("../units.service", wants.join("units.service")).unwrap();
    program(&overlay.join("probe-units"), include_str!("recipes/probe-units.sh"));
    overlay
}

/// Checks that a machine reaches `basic.target` with the daemons that `kata-dracut` has, and what an
/// overlay adds.
pub(super) fn check_kata(scratch: &Scratch, root: &Path) {
    let overlay = overlay(scratch);
    let flags = ["--recipe", "kata-dracut", "--overlay", overlay.to_str().unwrap()];
    let initrd = initrd(scratch, root, "kata", &flags);
    let transcript = run_machine("rdinit=/init", |qemu| _ = qemu.arg("-initrd").arg(&initrd));
    check_units(transcript);
}

/// Checks that a machine starts from a measured disk through `systemd-initrd-verity`.
pub(super) fn check_measured(scratch: &Scratch, root: &Path) {
    let Some(kernel) = judges::cloud_kernel() else { return };
    let version = kernel.file_name().unwrap().to_str().unwrap().strip_prefix("vmlinuz-").unwrap();
    let (overlay, disk) = (scratch.join("overlay"), scratch.join("measured"));
    let mut command = rootcast_as_root();
    command.arg("image").arg(root).args(["--mode", "600", "--layout", "gpt", "--arch", "x86_64", "--verity"]);
    command.args(["--keep", "/sbin/init", "--keep-unit", "basic.target", "--default-target", "basic.target"]);
    command.args(["--keep-unit", "systemd-udevd.service", "--keep-unit", "dbus.socket", "--overlay"]);
    command.arg(&overlay).args(["--guest-files", "--json", "-o"]).arg(&disk);
    let outcome = run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let root_hash = report["verity"]["root_hash"].as_str().unwrap();

    let modules = Path::new("/lib/modules").join(version);
    let adds = MODULES.map(|name| modules.join(name)).into_iter().filter(|path| path.exists());
    let adds: Vec<String> = adds.map(|path| format!("--add={0}:/usr{0}", path.display())).collect();
    let flags =
        ["--recipe", "systemd-initrd-verity", "--keep", "/usr/lib/modules", "--modules-load", "dm-verity"];
    let flags: Vec<&str> = flags.into_iter().chain(adds.iter().map(String::as_str)).collect();
    let initrd = initrd(scratch, root, "verity", &flags);
    let Some(table) = sgdisk::judge(&disk, 512) else { return };
    let [data, hash] = [0, 1].map(|number| table.partitions[number].unique_guid.to_lowercase());
    let append = format!(
        "root=/dev/mapper/root rootfstype=ext4 ro roothash={root_hash} \
         systemd.verity_root_data=PARTUUID={data} systemd.verity_root_hash=PARTUUID={hash}"
    );
    let transcript = run_machine(&append, |qemu| {
        qemu.arg("-initrd").arg(&initrd).arg("-drive");
        qemu.arg(format!("file={},format=raw,if=none,cache=unsafe,id=disk", disk.display()));
        qemu.args(["-device", "nvme,serial=disk,drive=disk"]);
    });
    let Some(transcript) = check_units(transcript) else { return };
    assert!(transcript.contains("guest: root /dev/mapper/root "), "{transcript}");
}

/// Checks what the machine reports about units. Returns the console output, or `None` after a
/// visible skip.
fn check_units(transcript: Option<String>) -> Option<String> {
    let transcript = transcript?;
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");
    for unit in ["basic.target", "systemd-journald.service", "systemd-udevd.service", "dbus.socket"] {
        assert!(transcript.contains(&format!("guest: {unit} active")), "{unit}:\n{transcript}");
    }
    Some(transcript)
}
