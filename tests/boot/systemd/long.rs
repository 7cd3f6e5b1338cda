//! Longer tests of the tree of Debian 12: a kernel in which the disk and its filesystem are modules,
//! and an encrypted root.

use std::fs;
use std::path::Path;

use crate::boot::recipes::initrd;
use crate::boot::{DONE, machine_with};
use crate::depmod::debian::Apt;
use crate::judges;
use crate::oracle::sgdisk;
use crate::product::{Scratch, rootcast_as_root, run};

/// The flags of an image that reaches `basic.target` and reports its units.
const BASIC: [&str; 10] = [
    "--keep",
    "/sbin/init",
    "--keep-unit",
    "basic.target",
    "--default-target",
    "basic.target",
    "--keep-unit",
    "systemd-udevd.service",
    "--keep-unit",
    "dbus.socket",
];

/// Makes an image that reports its units, with the overlay of the recipes' tests.
fn image(scratch: &Scratch, root: &Path, name: &str, layout: &str) -> std::path::PathBuf {
    let disk = scratch.join(name);
    let mut command = rootcast_as_root();
    command.arg("image").arg(root).args(["-q", "--mode", "600", "--arch", "x86_64", "--layout", layout]);
    command.args(["--guest-files", "--free", "32M", "--overlay"]).arg(scratch.join("overlay"));
    run(command.args(BASIC).arg("-o").arg(&disk)).success().unwrap_or_else(|why| panic!("{why}"));
    disk
}

/// Checks that a machine of Debian's generic kernel starts from a disk through `systemd-initrd`.
pub(super) fn check_generic_kernel(scratch: &Scratch, root: &Path) {
    let Some(apt) = Apt::new("bookworm", "amd64") else { return };
    let Some(modules) = apt.kernel("linux-image-amd64") else { return };
    let version = modules.file_name().unwrap().to_str().unwrap();
    let kernel = modules.ancestors().nth(3).unwrap().join(format!("boot/vmlinuz-{version}"));
    let config = fs::read_to_string(kernel.with_file_name(format!("config-{version}"))).unwrap();
    assert!(config.contains("CONFIG_EXT4_FS=m") && config.contains("CONFIG_VIRTIO_BLK=m"));
    let disk = image(scratch, root, "generic", "gpt");
    let flags = ["--recipe", "systemd-initrd", "--modules", modules.to_str().unwrap()];
    let initrd = initrd(scratch, root, "generic-initrd", &flags);
    let Some(table) = sgdisk::judge(&disk, 512) else { return };
    let partition = format!("root=PARTUUID={}", table.partitions[0].unique_guid.to_lowercase());
    let Some(transcript) = machine_with(&kernel, &partition, &disk, &initrd) else { return };
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");
    assert!(transcript.contains("guest: module ext4"), "{transcript}");
    assert!(transcript.contains("guest: module virtio_blk"), "{transcript}");
}

/// Checks that a machine starts from an encrypted disk through `systemd-initrd-luks`. cryptsetup
/// encrypts the image in place.
pub(super) fn check_encrypted(scratch: &Scratch, root: &Path) {
    const HEADER: u64 = 32 << 20;
    let disk = image(scratch, root, "encrypted", "bare");
    let key = scratch.file("key", "secret");
    let len = fs::metadata(&disk).unwrap().len();
    fs::File::options().write(true).open(&disk).unwrap().set_len(len + HEADER).unwrap();
    let (Some(mut encrypt), Some(mut uuid)) = (judges::command("cryptsetup"), judges::command("cryptsetup"))
    else {
        return;
    };
    encrypt.args(["reencrypt", "--encrypt", "--type", "luks2", "--reduce-device-size", "32M", "-q"]);
    encrypt.args(["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file"]);
    run(encrypt.arg(&key).arg(&disk)).success().unwrap_or_else(|why| panic!("{why}"));
    let uuid = run(uuid.arg("luksUUID").arg(&disk)).success().unwrap().text();
    let Some(kernel) = judges::cloud_kernel() else { return };
    let version = kernel.file_name().unwrap().to_str().unwrap().strip_prefix("vmlinuz-").unwrap();
    let modules = format!("/lib/modules/{version}");
    let flags = ["--recipe", "systemd-initrd-luks", "--modules", &modules, "--write", "/key:600:secret"];
    let initrd = initrd(scratch, root, "luks-initrd", &[&flags[..], &["--keep", "/key"]].concat());
    let append = format!("root=/dev/mapper/root rd.luks.name={0}=root rd.luks.key={0}=/key", uuid.trim());
    let Some(transcript) = machine_with(&kernel, &append, &disk, &initrd) else { return };
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");
    assert!(transcript.contains("guest: root /dev/mapper/root "), "{transcript}");
}
