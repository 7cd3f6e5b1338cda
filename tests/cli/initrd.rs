//! Initramfs archives and their check.

use super::case::{BAD_INPUT, Case, IO, OK, REJECTED, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    good("initrd {initrd} -o {out}", &[]),
    good("initrd {initrd} -o {out} -q --compress none --align=512 --checksums --mode 644", &[]),
    good("initrd {initrd} --digest --compress lz4:1 -q", &[]),
    good("initrd {initrd} --dry-run -q", &["compression  zstd:3", "segments: 1", "nothing was written"]),
    good("initrd {initrd} --dry-run --preset kata --no-rootfs-check -q", &["compression  gzip:6"]),
    good("initrd {source} -o {out} --init none -q", &[]),
    good(
        "initrd {scratch}/agent.dump --init agent --mkdir /sbin --symlink /is-agent:/sbin/init --dry-run -q",
        &["/init is a link that was made"],
    ),
    good("initrd {initrd} --dry-run --json -q", &["\"byte_layout\": \"initramfs-1\"", "\"size\": null"]),
    good("check {scratch}/plain.cpio", &["a kernel accepts it", "warning [init]"]),
    good("check {scratch}/plain.cpio --json", &["\"accepted\": true", "\"rule\": \"init\""]),
    bad(IO, "check {scratch}/no-such-initrd", &["no-such-initrd"]),
    bad(USAGE, "check", &["<FILE>"]),
    bad(USAGE, "check {scratch}/plain.cpio --owner root", &["--owner"]),
    // The alias.
    good("initrd --check {scratch}/plain.cpio", &["a kernel accepts it", "warning [init]"]),
    good("initrd --check {scratch}/plain.cpio --json", &["\"accepted\": true", "\"rule\": \"init\""]),
    Case {
        arguments: "initrd {initrd} -o {out} --compress gzip",
        codes: OK,
        stderr: &["out: ", " bytes, gzip:6 of ", " entries"],
        stdout: &[],
    },
    bad(
        REJECTED,
        "initrd --check {scratch}/garbage",
        &["garbage: a kernel would not accept all of it: 1 error"],
    ),
    bad(IO, "initrd --check {scratch}/no-such-initrd", &["no-such-initrd"]),
    bad(USAGE, "initrd --check {scratch}/plain.cpio {source}", &["--check"]),
    bad(USAGE, "initrd --check {scratch}/plain.cpio --owner root", &["--check", "--owner"]),
    bad(USAGE, "initrd --check {scratch}/plain.cpio -o {out}", &["--check", "--output"]),
    bad(USAGE, "initrd", &["SOURCE", "--output"]),
    bad(USAGE, "initrd {initrd}", &["--output"]),
    bad(USAGE, "initrd {initrd} -o {out} --compress brotli", &["brotli", "none, gzip, zstd, lz4 and xz"]),
    bad(USAGE, "initrd {initrd} -o {out} --compress bzip2", &["bzip2", "none, gzip, zstd, lz4 and xz"]),
    bad(USAGE, "initrd {initrd} -o {out} --compress zstd:20", &["zstd has no level 20", "1 to 19"]),
    bad(USAGE, "initrd {initrd} -o {out} --compress none:1", &["none compresses nothing"]),
    bad(USAGE, "initrd {initrd} -o {out} --align", &["--align", "--compress none"]),
    bad(
        USAGE,
        "initrd {initrd} -o {out} --compress none --align=8192",
        &["8192", "power of two from 4 to 4096"],
    ),
    bad(USAGE, "initrd {initrd} -o {out} --reflink=always", &["--reflink has to be auto or never"]),
    bad(USAGE, "initrd {initrd} -o {out} --compress none --cache {scratch}/cache", &["--cache", "none"]),
    bad(USAGE, "initrd {initrd} -o {out} --cache-size 1G", &["--cache"]),
    bad(USAGE, "initrd {initrd} -o {out} --cache {scratch}/garbage", &["garbage: is not a directory"]),
    bad(USAGE, "initrd {initrd} -o {out} --preset firecracker", &["firecracker", "kata"]),
    bad(USAGE, "initrd {initrd} -o {out} --init sbin/init", &["sbin/init", "/sbin/init"]),
    bad(USAGE, "initrd {initrd} -o - --json", &["--json", "--output"]),
    bad(USAGE, "initrd {initrd} -o {out} --microcode --microcode={scratch}/garbage", &["--microcode"]),
    bad(
        USAGE,
        "initrd {initrd} -o {out} --compress xz --kernel-config {scratch}/config",
        &["--compress: the kernel does not unpack xz", "CONFIG_RD_XZ", "it unpacks gzip, zstd"],
    ),
    bad(
        USAGE,
        "initrd {initrd} -o {out} --append {scratch}/magic.xz --kernel-config {scratch}/config",
        &["magic.xz: the kernel does not unpack xz"],
    ),
    bad(USAGE, "initrd {initrd} -o {out} --kernel-config {scratch}/no-initrd", &["CONFIG_BLK_DEV_INITRD"]),
    bad(USAGE, "initrd {initrd} -o {out} --kernel {dump} --kernel-config {dump}", &["--kernel"]),
    bad(
        BAD_INPUT,
        "initrd {initrd} -o {out} --kernel-config {scratch}/garbage",
        &["garbage: ", "CONFIG_RD_GZIP=y"],
    ),
    bad(
        BAD_INPUT,
        "initrd {initrd} -o {out} --kernel {scratch}/garbage",
        &["CONFIG_IKCONFIG", "--kernel-config"],
    ),
    bad(IO, "initrd {initrd} -o {out} --kernel {scratch}/no-such-kernel", &["no-such-kernel"]),
    bad(BAD_INPUT, "initrd {source} -o {out}", &["the tree has no /init", "--init"]),
    bad(
        BAD_INPUT,
        "initrd {initrd} -o {out} --remove /init --symlink /usr/bin/su:/init",
        &[
            "/init would not start: its interpreter /bin/false: it does not exist; the kernel reports \"Failed to \
             execute /init (error -2)\" and panics",
            "--init none",
        ],
    ),
    Case {
        arguments: "initrd {initrd} -o {out} --remove /init --symlink /usr/bin/su:/init --append {scratch}/plain.cpio",
        codes: OK,
        stderr: &["warning: /init would not start: ", "unless an appended initramfs has what is missing"],
        stdout: &[],
    },
    good("initrd {initrd} --digest -q --init none --remove /init --symlink /usr/bin/su:/init", &[]),
    good("initrd {initrd} --digest -q --static-init", &[]),
    bad(BAD_INPUT, "initrd {source} -o {out} --init systemd", &["/sbin/init is not in the tree"]),
    bad(
        BAD_INPUT,
        "initrd {source} -o {out} --init systemd --preset kata",
        &["/sbin/init is not in it", "--no-rootfs-check"],
    ),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --init /bin/sh", &["/init that is not /bin/sh"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --microcode", &["the tree has no microcode", "--microcode="]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --microcode={scratch}/source", &["source: holds no microcode"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --microcode={dump}", &["tree.dump: is not microcode"]),
    bad(IO, "initrd {initrd} -o {out} --microcode={scratch}/no-such-file", &["no-such-file"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --append {dump}", &["tree.dump: is not an initramfs", "070701"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --append {scratch}/source", &["source: is a directory"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --append {scratch}/tiny", &["tiny: ", "its 2 bytes are \"ab\""]),
    bad(
        BAD_INPUT,
        "initrd {initrd} -o {out} --append {scratch}/empty",
        &["empty: ", "it is empty, and begins"],
    ),
    bad(IO, "initrd {initrd} -o {out} --append {scratch}/no-such-file", &["no-such-file"]),
    bad(
        BAD_INPUT,
        "initrd {scratch}/old.dump -o {out} --init none",
        &["an initramfs cannot represent /old", "-1 s since 1970", "; --clamp-mtime-min 0 raises"],
    ),
    bad(IO, "initrd {initrd} -o {scratch}/no-such-directory/initrd", &["no-such-directory"]),
    good("initrd {scratch}/old.dump -o {out} --init none --clamp-mtime-min 0 -q", &[]),
];

#[test]
fn initramfs_archives_are_made_and_checked() {
    check_all(CASES);
}
