//! A machine boots from the disk of an image of containers, with an init added to it.

use super::{DONE, run_machine};
use crate::containers::built::{Builder, context};
use crate::containers::layout::oci;
use crate::judges;
use crate::product::{self, Scratch};

const INIT: &str = "#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc && $b mount -t sysfs sys /sys && $b mount -t tmpfs run /run || $b poweroff -f
$b stat -c 'guest: %a %u:%g %h %n' /bin/ash /d /d/new /tmp /proc
echo guest: new $($b cat /d/new)
echo guest: root $($b cut -d ' ' -f 3 /proc/mounts)
[ -e /d/old ] || echo guest: done
$b poweroff -f
";

#[test]
fn a_machine_boots_from_an_image_of_containers() {
    if !judges::may_mount() {
        return;
    }
    let scratch = Scratch::new();
    let Some(context) = context(&scratch) else { return };
    let builder = Builder { program: "buildah", is_root: true };
    let Some(layout) = builder.build(&scratch, &context) else { return };
    let (disk, init) = (scratch.join("disk"), scratch.file("init", INIT));
    let init = format!("{}:/sbin/init", init.display());
    let source = format!("{}:v1", oci(&layout));
    product::image(
        source.as_ref(),
        &disk,
        &["--layout", "bare", "--add", &init, "--chmod", "/sbin/init:0755", "--guest-files"],
    );
    let append = "root=/dev/nvme0n1 rootfstype=ext4 rootwait rw";
    let Some(transcript) = run_machine(append, |qemu| {
        qemu.arg("-drive").arg(format!("file={},format=raw,if=none,cache=unsafe,id=disk", disk.display()));
        qemu.args(["-device", "nvme,serial=disk,drive=disk"]);
    }) else {
        return;
    };
    for line in [
        "guest: 4755 7:8 2 /bin/ash",
        "guest: 755 0:0 2 /d",
        "guest: 644 0:0 1 /d/new",
        "guest: 1777 0:0 2 /tmp",
        "guest: 555 0:0 ",
        "guest: new new",
        "guest: root ext4",
        DONE,
    ] {
        assert!(transcript.contains(line), "{line} is missing:\n{transcript}");
    }
}
