//! Machines start from initramfs of recipes that are part of the program.
//!
//! They share the tree of the test of Debian 12, as making it takes most of the time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::systemd::program;
use super::{DONE, compile, run_machine};
use crate::judges;
use crate::oracle::sgdisk;
use crate::product::{Scratch, rootcast_as_root, run, write_program};

const PROBE: &str = "[Unit]\nDefaultDependencies=no\nAfter=basic.target\n[Service]\nExecStart=/probe-units\n";

/// Returns the directory of the modules of the installed kernel, or `None` after a visible skip.
fn modules() -> Option<String> {
    let kernel = judges::cloud_kernel()?;
    let version = kernel.file_name()?.to_str()?.strip_prefix("vmlinuz-")?.to_owned();
    Some(format!("/lib/modules/{version}"))
}

/// Returns an initramfs that mounts root= and switches to it, or `None` after a visible skip.
pub(super) fn switching(scratch: &Scratch, root: &Path) -> Option<PathBuf> {
    let flags = ["--recipe", "systemd-initrd", "--modules", &modules()?];
    Some(initrd(scratch, root, "switching", &flags))
}

pub(super) fn initrd(scratch: &Scratch, root: &Path, name: &str, flags: &[&str]) -> PathBuf {
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
    let (overlay, Some(modules)) = (overlay(scratch), modules()) else { return };
    let flags = ["--recipe", "kata-dracut", "--overlay", overlay.to_str().unwrap(), "--modules", &modules];
    let flags = [&flags[..], &["--keep-module", "zram", "--modules-load", "zram"]].concat();
    let initrd = initrd(scratch, root, "kata", &flags);
    let transcript = run_machine("rdinit=/init", |qemu| _ = qemu.arg("-initrd").arg(&initrd));
    let Some(transcript) = check_units(transcript) else { return };
    assert!(transcript.contains("guest: module zram"), "{transcript}");
}

/// Checks that a program that needs nothing is the first process by `kata-dracut`.
pub(super) fn check_agent(scratch: &Scratch, root: &Path) {
    let Some(agent) = compile(include_str!("alone.c")) else { return };
    let overlay = scratch.join("agent");
    fs::create_dir_all(overlay.join("sbin")).unwrap();
    write_program(&overlay.join("sbin/init"), &agent);
    let flags = ["--recipe", "kata-dracut", "--init", "agent", "--overlay", overlay.to_str().unwrap()];
    let flags = [&flags[..], &["--overlay-conflict", "replace"]].concat();
    let initrd = initrd(scratch, root, "agent-initrd", &flags);
    let transcript = run_machine("rdinit=/init", |qemu| _ = qemu.arg("-initrd").arg(&initrd));
    let Some(transcript) = transcript else { return };
    assert!(transcript.contains("guest: ok the first process") && transcript.contains(DONE), "{transcript}");
}

/// Checks that a machine starts from a measured disk through `systemd-initrd-verity`.
pub(super) fn check_measured(scratch: &Scratch, root: &Path) {
    let Some(modules) = modules() else { return };
    let (overlay, disk) = (scratch.join("overlay"), scratch.join("measured"));
    let mut command = rootcast_as_root();
    command.arg("image").arg(root).args(["--mode", "600", "--layout", "gpt", "--arch", "x86_64", "--verity"]);
    command.args(["--keep", "/sbin/init", "--keep-unit", "basic.target", "--default-target", "basic.target"]);
    command.args(["--keep-unit", "systemd-udevd.service", "--keep-unit", "dbus.socket", "--overlay"]);
    command.arg(&overlay).args(["--guest-files", "--json", "-o"]).arg(&disk);
    let outcome = run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let root_hash = report["verity"]["root_hash"].as_str().unwrap();

    let flags = ["--recipe", "systemd-initrd-verity", "--modules", &modules, "--modules-load", "dm-verity"];
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
