//! Command lines and their results.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::fixtures::{self, big};
use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

/// One command line. In the arguments, `{source}` is a directory with one small file, `{dump}` a
/// dump, `{initrd}` one with an `/init`, `{out}` a new file in an existing directory, `{scratch}`
/// that directory.
struct Case {
    arguments: &'static str,
    /// The accepted exit codes; more than one if two faults coincide.
    codes: &'static [i32],
    /// Words on standard error.
    stderr: &'static [&'static str],
    /// Words on standard output.
    stdout: &'static [&'static str],
}

const OK: &[i32] = &[0];
const REJECTED: &[i32] = &[1];
const USAGE: &[i32] = &[2];
const BAD_INPUT: &[i32] = &[3];
const DOES_NOT_FIT: &[i32] = &[4];
const IO: &[i32] = &[6];

const fn good(arguments: &'static str, stdout: &'static [&'static str]) -> Case {
    Case { arguments, codes: OK, stderr: &[], stdout }
}

const fn bad(codes: &'static [i32], arguments: &'static str, stderr: &'static [&'static str]) -> Case {
    Case { arguments, codes, stderr, stdout: &[] }
}

const CASES: &[Case] = &[
    good("--help", &["Usage", "image", "tree", "Exit codes"]),
    good("-h", &["Usage: rootcast", "Examples:", "image", "completions", "man"]),
    good("image -h", &["Usage: rootcast image <SOURCE>", "Examples:", "Input:", "--output", "--free"]),
    good("help initrd", &["Kernel and guest:", "--microcode", "Examples:"]),
    good("--version", &["rootcast 0."]),
    good(
        "image --help",
        &[
            "--output",
            "--layout",
            "--sector-size",
            "--owner",
            "--free",
            "--seed",
            "--digest",
            "--setcap",
            "--reflink",
            "--recipe",
            "--profile",
            "--feature",
            "--hardlinks",
            "--dedupe",
            "--one-file-system",
            "--keep-directory-symlink",
            "--whiteouts",
            "--decoder-memory",
        ],
    ),
    good("tree --help", &["SOURCE"]),
    good(
        "closure --help",
        &["--keep", "--keep-unit", "--keep-rule", "--why", "--json", "--missing", "--hwcaps"],
    ),
    good("tree {source}", &["/small "]),
    good("tree {dump}", &["/etc/hostname 6 100644 1 0 0 0 1600000000.0 - guest\\n -"]),
    good("image {source} -o {out}", &[]),
    good("image {source} -o {out} -q -j 2", &[]),
    good("image {dump} -o {out} --layout bare", &[]),
    good("image {source} -o {out} --reflink=never --json", &["\"cloned_bytes\": 0", "\"hole_bytes\": "]),
    good("image {source} -o {out} --reflink=auto -q", &[]),
    good("image {source} --dry-run --reflink", &["nothing was written"]),
    Case {
        arguments: "image {source} -o {out}",
        codes: OK,
        stderr: &[" bytes copied, ", " bytes left as holes"],
        stdout: &[],
    },
    good("tree {source} {dump}", &["/small ", "/etc/hostname "]),
    good("image {source} {dump} -o {out}", &[]),
    good("--version --json", &["\"name\": \"rootcast\"", "\"byte_layout\": \"ext4-2\""]),
    good("image {source} -o {out} --json", &["\"written\": true", "\"size\": ", "\"uuid\": "]),
    good("image {source} --digest --json -q", &["\"sha256\": \"", "\"written\": false"]),
    good(
        "image {source} -o {out} --profile kata --json",
        &["\"profile\": \"kata\"", "\"journal_blocks\": 1024"],
    ),
    good(
        "image {source} -o {out} --profile ro-min --dedupe --json",
        &["\"journal_blocks\": 0", "\"shared_files\": "],
    ),
    good("image {source} -o {out} --profile rw -b 1K -O ^orphan_file,inline_data", &[]),
    good("image {source} -o {out} --journal 8M --json", &["\"journal_blocks\": 2048"]),
    good("image {source} -o {out} --huge-pages --resize-limit 64G --directory-slack 10%", &[]),
    good("tree {source} --hardlinks content", &["/small "]),
    good("image {source} -o {out} --sparse always --json", &["\"sparse_files\": ", "\"hole_bytes\": "]),
    good("image {source} -o {out} --sparse never -q", &[]),
    good("image {source} --dry-run", &["root filesystem", "journal", "inodes", "nothing was written"]),
    good("image {source} -o {scratch}/never --dry-run -q", &["nothing was written"]),
    good("image {source} -o - --dry-run", &["nothing was written"]),
    good("image {source} -o {scratch}/never --dry-run --json -q", &["/never\"", "\"written\": false"]),
    good("tree {dump} --file-contexts {scratch}/contexts", &["security.selinux=u:r:any:s0\\x00"]),
    good("man", &["rootcast"]),
    good("completions bash", &["--file-contexts"]),
    Case {
        arguments: "image {scratch}/twins.dump -o {out} --profile ro-min --dedupe",
        codes: OK,
        stderr: &["1 files share blocks of 4096 bytes with others", "for reading only"],
        stdout: &[],
    },
    good(
        "image {scratch}/set-id.dump -o {out} --owner root --json",
        &["1 set-id file now runs as root: /su; --owner keep leaves the owners as they are"],
    ),
    // Excluded files are not reported.
    good("image {scratch}/set-id.dump -o {out} --owner root --exclude /su --json", &["\"warnings\": []"]),
    good("image {scratch}/set-id.dump -o {out} --owner root --keep /file --json", &["\"warnings\": []"]),
    // Inline data is not shared.
    good(
        "image {scratch}/twins.dump -o {out} --profile ro-min --dedupe -O inline_data --json",
        &["\"shared_files\": 0"],
    ),
    Case {
        arguments: "image {source} -o {out} -v",
        codes: OK,
        stderr: &["inodes read", "journal"],
        stdout: &[],
    },
    Case {
        arguments: "tree {dump} --file-contexts {scratch}/few",
        codes: OK,
        stderr: &["warning: file_contexts say nothing of 2 files"],
        stdout: &["security.selinux=u:r:root:s0"],
    },
    // Initramfs.
    good(
        "initrd --help",
        &["--compress", "--kernel-config", "--microcode", "--append", "--check", "--cache-size"],
    ),
    good("initrd {initrd} -o {out}", &[]),
    good("initrd {initrd} -o {out} -q --compress none --align=512 --checksums --mode 644", &[]),
    good("initrd {initrd} --digest --compress lz4:1 -q", &[]),
    good("initrd {initrd} --dry-run -q", &["compression  zstd:3", "segments: 1", "nothing was written"]),
    good("initrd {initrd} --dry-run --preset kata -q", &["compression  gzip:6"]),
    good("initrd {source} -o {out} --init none -q", &[]),
    good(
        "initrd {initrd} --init agent --remove /init --mkdir /sbin --symlink /usr/bin/su:/sbin/init --dry-run -q",
        &["/init is a link that was made"],
    ),
    good("initrd {initrd} --dry-run --json -q", &["\"byte_layout\": \"initramfs-1\"", "\"size\": null"]),
    good("initrd --recipe {scratch}/initrd.toml -o {out} -q --mode 600", &[]),
    good("initrd --check {scratch}/plain.cpio", &["a kernel takes it", "warning [init]"]),
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
        &["garbage: a kernel would not take all of it: 1 error"],
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
    bad(USAGE, "initrd {initrd} -o {out} --reflink=always", &["--reflink is auto or never"]),
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
    bad(BAD_INPUT, "initrd {source} -o {out} --init systemd", &["/sbin/init is not in the tree"]),
    bad(
        BAD_INPUT,
        "initrd {source} -o {out} --init systemd --preset kata",
        &["/usr/bin/kata-agent is not in the tree"],
    ),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --init /bin/sh", &["/init that is not /bin/sh"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --microcode", &["the tree has no microcode", "--microcode="]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --microcode={scratch}/source", &["source: holds no microcode"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --microcode={dump}", &["tree.dump: is no microcode"]),
    bad(IO, "initrd {initrd} -o {out} --microcode={scratch}/no-such-file", &["no-such-file"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --append {dump}", &["tree.dump: is no initramfs", "070701"]),
    bad(BAD_INPUT, "initrd {initrd} -o {out} --append {scratch}/source", &["source: is a directory"]),
    bad(IO, "initrd {initrd} -o {out} --append {scratch}/no-such-file", &["no-such-file"]),
    bad(
        BAD_INPUT,
        "initrd {scratch}/old.dump -o {out} --init none",
        &["an initramfs cannot hold /old", "-1 s since 1970", "; --clamp-mtime-min 0 raises"],
    ),
    bad(IO, "initrd {initrd} -o {scratch}/no-such-directory/initrd", &["no-such-directory"]),
    good("initrd {scratch}/old.dump -o {out} --init none --clamp-mtime-min 0 -q", &[]),
    // Times that a format cannot hold.
    bad(
        BAD_INPUT,
        "image {scratch}/older.dump -o {out}",
        &["ext4 cannot hold /old", "-2147483649 s since 1970", "--clamp-mtime-min -2147483648 raises"],
    ),
    good("image {scratch}/older.dump -o {out} --clamp-mtime-min -2147483648 -q", &[]),
    good("tree {scratch}/older.dump --clamp-mtime-min -7", &["/old 0 100644 1 0 0 0 -7.0 "]),
    bad(
        BAD_INPUT,
        "image {scratch}/later.dump -o {out}",
        &["ext4 cannot hold /late", "15032385536 s since 1970", "--source-date-epoch 15032385535 sets"],
    ),
    good("image {scratch}/later.dump -o {out} --source-date-epoch 15032385535 -q", &[]),
    bad(
        USAGE,
        "tree {dump} --clamp-mtime-min 8 --source-date-epoch 7",
        &["--clamp-mtime-min 8 is after", "--source-date-epoch"],
    ),
    bad(USAGE, "tree {dump} --clamp-mtime-min -2147483649", &["-2147483649", "from -2147483648 to"]),
    // Extended attributes that Linux rejects or ignores.
    bad(
        BAD_INPUT,
        "image {scratch}/apple.dump -o {out}",
        &["/f", "xattr \"com.apple.quarantine\"", "--xattr-filter 'drop=com.apple.*'"],
    ),
    good("image {scratch}/apple.dump -o {out} --xattr-filter drop=com.apple.* -q", &[]),
    good("tree {scratch}/apple.dump --xattr-filter keep=user.*", &["com.apple.quarantine="]),
    good("tree {scratch}/apple.dump --recipe {scratch}/filter.toml", &["user.a=b"]),
    bad(USAGE, "tree {dump} --xattr-filter user.*", &["user.*", "keep=GLOB,… or drop=GLOB,…"]),
    Case {
        arguments: "image {scratch}/unusable.dump -o {out}",
        codes: OK,
        stderr: &[
            "warning: 1 file has a user.* xattr",
            "the first is user.a of /link",
            "warning: 1 file has an ACL that is malformed: dropped",
            "system.posix_acl_access of /f",
        ],
        stdout: &[],
    },
    // The invalid id 4294967295, from every source.
    bad(BAD_INPUT, "tree {scratch}/nobody.dump", &["/f: its user is 4294967295", "--chown or --owner"]),
    good("tree {scratch}/nobody.dump --chown /f:1", &["/f 0 100644 1 1 0 "]),
    good("tree {scratch}/nobody.dump --owner 3:4", &["/f 0 100644 1 3 4 "]),
    bad(
        BAD_INPUT,
        "tree {scratch}/nobody.dump --owner map:0:0:65536",
        &["/f: user 4294967295 is in no range of the map"],
    ),
    bad(BAD_INPUT, "tree {dump} --owner {scratch}/nobody.mtree", &["/etc/hostname: its user is 4294967295"]),
    bad(USAGE, "tree {dump} --owner 4294967295:0", &["from 0 to 4294967294", "-1 of chown(2)"]),
    bad(USAGE, "tree {dump} --chown /etc:4294967295:0", &["0 to 4294967294", "-1 of chown(2)"]),
    bad(USAGE, "tree {dump} --mkdir /x:755:0:4294967295", &["0 to 4294967294"]),
    // Owners.
    good("tree {source} --owner 7:8", &["/ 0 40755 2 7 8 0 "]),
    good("tree {dump} --owner map:0:0:65536", &["/ 0 40755 "]),
    good("tree {dump} --owner {scratch}/owners.mtree", &["/etc/hostname 6 100600 1 7 0 "]),
    good("tree {dump} --owner xattr", &["/etc/hostname "]),
    // Edits, in their order across flags.
    good("tree {dump} --remove /etc --mkdir /etc:0700", &["/etc 0 40700 2 0 0 0 0.0 - - -"]),
    good(
        "tree {dump} --mkdir /srv:1777:33:34 --symlink /srv:/data --mknod /null:c:1:3:666 --chmod /etc/*:u+x \
         --chown /etc/hostname:5 --xattr /srv:user.by=me --exclude /none/**",
        &[
            "/srv 0 41777 2 33 34 ",
            "user.by=me",
            "/data 4 120777 ",
            "/null 0 20666 1 0 0 259 ",
            "/etc/hostname 6 100744 1 5 ",
        ],
    ),
    good("tree {dump} --setcap /etc/hostname:cap_net_raw+ep", &["security.capability="]),
    good("tree {dump} --add {source}/small:/opt/", &["/opt 0 40755 ", "/opt/small "]),
    // Recipes; flags on the command line take precedence, and their edits come after.
    good("tree --recipe {scratch}/recipe.toml", &["/from-recipe 0 40700 2 3 4 "]),
    good("tree --recipe {scratch}/recipe.toml --mkdir /from-recipe:0711", &["/from-recipe 0 40711 2 3 4 "]),
    good("tree {source} --recipe {scratch}/sourceless.toml", &["/small ", "/from-recipe "]),
    good("image {source} --recipe {scratch}/image.toml -o {out}", &[]),
    good("image {source} --recipe {scratch}/image.toml -o {out} --size 16M", &[]),
    good("tree {source} --unreadable skip", &["/small "]),
    // The part that is kept.
    good("closure {dump} --keep /etc/hostname", &["/etc\n/etc/hostname\n"]),
    good("closure {dump} --keep /etc/host*", &["/etc\n/etc/hostname\n"]),
    good("closure {dump} --keep /etc --why etc/hostname", &["/etc/hostname\n  asked for by /etc\n"]),
    good("closure {dump} --keep /etc/hostname --json", &["\"kind\": \"parent\"", "\"missing\": []"]),
    good("tree {source} {dump} --keep /etc/hostname", &["/etc/hostname "]),
    good("tree {source} --symlink /small:/link --keep /link", &["/link ", "/small "]),
    good("image {dump} --keep /etc/hostname -o {out}", &[]),
    good("tree {dump} --recipe {scratch}/keep.toml", &["/etc/hostname "]),
    Case {
        arguments: "closure {dump} --keep /etc/hostname --keep /none --missing warn",
        codes: OK,
        stderr: &["warning: missing: /none: it is not there"],
        stdout: &["/etc/hostname\n"],
    },
    bad(BAD_INPUT, "closure {dump} --keep /none", &["missing from the tree: /none"]),
    bad(BAD_INPUT, "image {dump} --keep /none* -o {out}", &["/none*", "no file of the tree matches"]),
    bad(BAD_INPUT, "closure {dump} --keep /etc/hostname --why /none", &["/none is not kept"]),
    bad(BAD_INPUT, "closure {dump} --keep-unit none.service", &["none.service"]),
    bad(BAD_INPUT, "closure {dump} --keep-unit none*.service", &["--keep-unit none*.service"]),
    bad(BAD_INPUT, "closure {dump} --keep-rule 60-none.rules", &["--keep-rule 60-none.rules"]),
    bad(BAD_INPUT, "closure {dump} --keep /etc --pam login", &["--pam login"]),
    bad(BAD_INPUT, "tree {dump} --ld-cache", &["--ld-cache", "glibc"]),
    bad(USAGE, "closure {dump}", &["--keep"]),
    bad(USAGE, "tree {dump} --hwcaps none", &["--keep"]),
    bad(USAGE, "closure {dump} --keep /x[", &["--keep", "/x["]),
    bad(USAGE, "closure {dump} --keep /etc --hwcaps pentium", &["pentium", "x86-64-v3"]),
    bad(USAGE, "closure {dump} --keep /etc --missing maybe", &["maybe"]),
    bad(USAGE, "closure {dump} --keep /etc --dlopen none --dlopen-allow *:x", &["--dlopen required"]),
    bad(USAGE, "closure {dump} --keep /etc --dlopen-deny x:", &["--dlopen-deny"]),
    bad(USAGE, "closure {dump} --keep /etc --why /etc --json", &["--why", "--json"]),
    // Invalid command lines.
    bad(USAGE, "--json", &["--version"]),
    bad(USAGE, "--version tree {dump}", &["tree"]),
    bad(USAGE, "completions tcsh", &["tcsh"]),
    bad(USAGE, "image {source} -o - --json", &["--json", "--output", "standard output"]),
    bad(USAGE, "image {source} --digest --dry-run", &["--dry-run"]),
    bad(USAGE, "image {source} -o {out} -q -v", &["--quiet"]),
    bad(
        BAD_INPUT,
        "tree {dump} --file-contexts auto",
        &["/etc/selinux/config in the tree", "--file-contexts"],
    ),
    bad(BAD_INPUT, "tree {dump} --file-contexts {scratch}/no-contexts", &["no-contexts", "--file-contexts"]),
    bad(BAD_INPUT, "tree {dump} --file-contexts {scratch}/garbage", &["garbage: line 1"]),
    bad(BAD_INPUT, "tree {dump} --file-contexts {scratch}/bad", &["bad: line 2", "/a(", "not closed"]),
    bad(BAD_INPUT, "tree {dump} --file-contexts {scratch}/compiled", &["compiled"]),
    bad(USAGE, "", &["Usage"]),
    bad(USAGE, "melt {source}", &["melt"]),
    bad(USAGE, "image", &["SOURCE"]),
    bad(USAGE, "image {source}", &["--output"]),
    bad(USAGE, "image {source} -o {out} --bogus", &["--bogus"]),
    bad(USAGE, "tree - {source} -", &["standard input (-) can be one SOURCE only"]),
    bad(USAGE, "tree {source} --basedir {scratch}", &["--basedir is for dumps"]),
    bad(USAGE, "tree {source} --max-size big", &["big", "--max-size"]),
    bad(USAGE, "tree {source} --max-entries -1", &["-1"]),
    bad(USAGE, "image {source} -o {out} -j many", &["many"]),
    bad(USAGE, "tree", &["SOURCE"]),
    // Invalid values.
    bad(USAGE, "image {source} -o {out} --layout floppy", &["floppy", "--layout"]),
    bad(USAGE, "image {source} -o {out} --sector-size 1000", &["1000"]),
    bad(USAGE, "image {source} -o {out} --reflink=sometimes", &["sometimes", "--reflink"]),
    bad(USAGE, "image {source} -o - --reflink=always", &["--reflink=always", "--output"]),
    bad(USAGE, "image {source} --digest --reflink", &["--reflink=always", "--output"]),
    bad(
        USAGE,
        "image {source} -o /dev/null --reflink",
        &["/dev/null: is not a regular file", "--reflink=always"],
    ),
    bad(USAGE, "image {source} -o {out} --arch vax", &["vax"]),
    bad(USAGE, "image {source} -o {out} --owner somebody", &["somebody"]),
    bad(USAGE, "image {source} -o {out} --size large", &["large"]),
    bad(USAGE, "image {source} -o {out} --size -1", &["-1"]),
    bad(USAGE, "image {source} -o {out} --free some", &["some"]),
    bad(USAGE, "image {source} -o {out} --inodes few", &["few"]),
    bad(USAGE, "image {source} -o {out} --reserved 200%", &["200"]),
    bad(USAGE, "image {source} -o {out} --label seventeen-bytes-1", &["seventeen-bytes-1", "16"]),
    bad(USAGE, "image {source} -o {out} --uuid 0123", &["0123"]),
    bad(USAGE, "image {source} -o {out} --seed chance", &["chance"]),
    bad(USAGE, "image {source} -o {out} --source-date-epoch yesterday", &["yesterday"]),
    bad(USAGE, "tree {source} --owner map:1:2", &["map:1:2", "INSIDE:OUTSIDE:COUNT"]),
    bad(USAGE, "tree {source} --owner 1:2:3", &["1:2:3"]),
    bad(USAGE, "tree {source} --unreadable maybe", &["maybe", "--unreadable"]),
    bad(USAGE, "tree {source} --hardlinks some", &["some", "--hardlinks", "content"]),
    bad(USAGE, "image {source} -o {out} -b 8192", &["1024, 2048 or 4096", "8192"]),
    bad(USAGE, "image {source} -o {out} --profile best", &["best", "ro-min"]),
    bad(USAGE, "image {source} -o {out} --dedupe", &["--profile ro-min"]),
    bad(USAGE, "image {source} -o {out} -O casefold", &["casefold", "not made here"]),
    bad(USAGE, "image {source} -o {out} -O quota,extent", &["quota", "not made here"]),
    bad(USAGE, "image {source} -o {out} -O ^extent", &["every filesystem here has extent"]),
    bad(
        USAGE,
        "image {source} -o {out} -O ^metadata_csum,metadata_csum_seed",
        &["metadata_csum_seed", "neither"],
    ),
    good("image {source} -o {out} -O ^64bit,^metadata_csum,^dir_index,ea_inode", &[]),
    bad(USAGE, "image {source} -o {out} -O orphan_file,^has_journal", &["orphan_file", "journal"]),
    bad(USAGE, "image {source} -o {out} --journal 1M", &["journal", "1024"]),
    bad(USAGE, "image {source} -o {out} --journal 999T", &["journal", "10240000"]),
    bad(USAGE, "image {source} -o {out} --huge-pages=3M", &["3145728"]),
    bad(USAGE, "image {source} -o {out} --profile ro-min --resize-limit 1T", &["resize_inode"]),
    bad(USAGE, "tree {source} --chmod /x:9", &["--chmod", "/x:9"]),
    bad(USAGE, "tree {source} --mknod /x:q:1:2", &["PATH:c|b:MAJOR:MINOR"]),
    bad(USAGE, "tree {source} --setcap /x:cap_flight+ep", &["cap_flight"]),
    bad(BAD_INPUT, "tree {dump} --owner map:0:100000:65536", &["/: user 0 is in no range of the map"]),
    bad(
        BAD_INPUT,
        "tree {dump} --owner {scratch}/wrong.mtree",
        &["wrong.mtree: line 2: /none: is not in the tree"],
    ),
    bad(BAD_INPUT, "tree {dump} --owner fakeroot:{scratch}/wrong.mtree", &["wrong.mtree: line 1"]),
    bad(BAD_INPUT, "tree {dump} --remove /none*", &["--remove /none*: nothing in the tree matches"]),
    bad(
        BAD_INPUT,
        "tree {dump} --mknod /etc/hostname/x:c:1:3",
        &["--mknod /etc/hostname/x:c:1:3: /etc/hostname is not a directory"],
    ),
    bad(BAD_INPUT, "tree {dump} --mkdir /etc/hostname/x/", &["/etc/hostname is not a directory"]),
    good("tree {dump} --mkdir //a//b/", &["/a/b 0 40755 "]),
    bad(BAD_INPUT, "tree {dump} --chown /etc:nobody-here", &["/etc/passwd has no user", "nobody-here"]),
    bad(IO, "tree {dump} --add {scratch}/no-such-file:/x", &["no-such-file"]),
    bad(USAGE, "tree {source} --recipe {scratch}/no-such-recipe", &["no-such-recipe"]),
    bad(
        USAGE,
        "tree {source} --recipe {scratch}/unknown.toml",
        &["unknown.toml: line 2, column 1", "colour"],
    ),
    bad(USAGE, "tree {source} --recipe {scratch}/value.toml", &["value.toml: line 1, column 1", "many"]),
    bad(USAGE, "tree {source} --recipe {scratch}/edit.toml", &["edit.toml: line 3, column 5", "/x:9"]),
    bad(
        USAGE,
        "tree --recipe {scratch}/number.toml",
        &["number.toml: line 2, column 1", "\"source\" takes a text", "quotation marks"],
    ),
    bad(USAGE, "tree {dump} --recipe {scratch}/edit-number.toml", &["line 1", "\"remove\" takes a text"]),
    // The text output of these goes to standard output.
    bad(USAGE, "tree {dump} -o {out}", &["'-o'", "rootcast tree prints to standard output", "> FILE"]),
    bad(USAGE, "closure {dump} --keep /etc --output={out}", &["rootcast closure prints", "> FILE"]),
    // Flags that contradict each other.
    bad(USAGE, "image {source} -o {out} --size 99999999 --free 10%", &["--size", "--free"]),
    bad(USAGE, "image {source} -o {out} --digest", &["--output", "--digest"]),
    // Sources.
    bad(IO, "image {scratch}/no-such-source -o {out}", &["no-such-source"]),
    bad(IO, "tree {scratch}/no-such-source", &["no-such-source"]),
    bad(BAD_INPUT, "image {scratch}/garbage -o {out}", &["garbage"]),
    bad(BAD_INPUT, "image {scratch}/cut.dump -o {out}", &["cut.dump", "2"]),
    // Sizes.
    bad(DOES_NOT_FIT, "image {source} -o {out} --size 65536", &["65536", "bytes"]),
    bad(DOES_NOT_FIT, "image {source} -o {out} --layout bare --size 65536", &["65536", "bytes"]),
    bad(DOES_NOT_FIT, "image {source} -o {out} --inodes 4", &["4", "inodes"]),
    // Outputs.
    bad(
        IO,
        "image {source} -o {scratch}/no-such-directory/disk",
        &["no-such-directory: the directory of the output does not exist"],
    ),
    Case {
        arguments: "image {source} -o {out}",
        codes: OK,
        stderr: &["the partition has PARTUUID="],
        stdout: &[],
    },
    Case {
        arguments: "image {source} -o {out} --mkdir /sbin --symlink ../init:/sbin/init --add {scratch}/garbage:/init \
                    --chmod /init:0755",
        codes: OK,
        stderr: &["boot it with root=PARTUUID="],
        stdout: &[],
    },
    Case {
        arguments: "image {source} -o {out} --mkdir /sbin --symlink ../nothing:/sbin/init",
        codes: OK,
        stderr: &["the partition has PARTUUID="],
        stdout: &[],
    },
    bad(USAGE, "image {source} -o {scratch}/source", &["source", "is a directory"]),
];

#[test]
fn a_standard_error_that_is_closed_is_no_error() {
    let scratch = scratch();
    let mut command = rootcast();
    command.arg("image").arg(scratch.join("source")).arg("-o").arg(scratch.join("out-of-closed")).arg("-v");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command.stderr(writer).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn every_command_line_does_what_the_table_says() {
    let wrong: Vec<String> = CASES.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), CASES.len(), wrong.join("\n\n"));
}

/// A recipe without a source. `--label` does not apply to `tree`.
const RECIPE: &str = "\
owner = \"root\"
label = \"unused\"
edits = [{ mkdir = \"/from-recipe:0755\" }, { chmod = \"/from-recipe:0700\" }, { chown = \"/from-recipe:3:4\" }]
";

/// Creates a directory with the files that the cases name.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    big::small_only().make(&scratch.join("source"));
    scratch.file("tree.dump", fixtures::MINIMAL_DUMP);
    scratch.file("initrd.dump", fixtures::INITRD_DUMP);
    let recipe = "compress = \"none\"\nalign = \"512\"\nchecksums = true\npreset = \"kata\"\n";
    scratch.file("initrd.toml", format!("source = \"{}\"\n{recipe}", scratch.join("initrd.dump").display()));
    scratch.file("plain.cpio", plain_cpio());
    scratch.file("magic.xz", b"\xfd7zXZ\0");
    scratch.file("config", "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_RD_ZSTD=y\n");
    scratch.file("no-initrd", "# CONFIG_BLK_DEV_INITRD is not set\n");
    scratch.file(
        "twins.dump",
        "/ 0 40755 2 0 0 0 0.0 - - -\n/a 3 100644 1 0 0 0 0.0 - two -\n/b 3 100600 1 0 0 0 0.0 - two -\n",
    );
    scratch.file(
        "set-id.dump",
        "/ 0 40755 2 0 0 0 0.0 - - -\n/file 1 100644 1 0 0 0 0.0 - x -\n/su 1 104755 1 7 0 0 0.0 - x -\n",
    );
    scratch.file("old.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/old 0 100644 1 0 0 0 -1.0 - - -\n");
    scratch.file("older.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/old 0 100644 1 0 0 0 -2147483649.0 - - -\n");
    scratch.file("later.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/late 0 100644 1 0 0 0 15032385536.0 - - -\n");
    scratch.file(
        "apple.dump",
        "/ 0 40755 2 0 0 0 0.0 - - -\n/f 0 100644 1 0 0 0 0.0 - - - com.apple.quarantine=x user.a=b\n",
    );
    scratch.file("filter.toml", "xattr-filter = [\"drop=*\", \"keep=user.a\"]\n");
    scratch.file(
        "unusable.dump",
        "/ 0 40755 2 0 0 0 0.0 - - -\n/f 0 100644 1 0 0 0 0.0 - - - system.posix_acl_access=x\n\
         /link 1 120777 1 0 0 0 0.0 f - - user.a=b\n",
    );
    scratch.file("nobody.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/f 0 100644 1 4294967295 0 0 0.0 - - -\n");
    scratch.file("nobody.mtree", "#mtree\n./etc/hostname uid=4294967295\n");
    scratch.file("number.toml", "quiet = true\nsource = 5\n");
    scratch.file("edit-number.toml", "edits = [{ remove = 5 }]\n");
    scratch.file("owners.mtree", "#mtree\n./etc/hostname uid=7 mode=600 type=file\n");
    scratch.file("wrong.mtree", "#mtree\n./none uid=7\n");
    scratch.file("recipe.toml", format!("source = \"{}\"\n{RECIPE}", scratch.join("tree.dump").display()));
    scratch.file("sourceless.toml", RECIPE);
    scratch.file("image.toml", "free = \"10%\"\nquiet = true\nreserved = 1\nlabel = \"recipe\"\n");
    scratch.file("keep.toml", "keep = [\"/etc/hostname\"]\n");
    scratch.file("unknown.toml", "owner = \"root\"\ncolour = \"red\"\n");
    scratch.file("value.toml", "jobs = \"many\"\n");
    scratch.file("edit.toml", "edits = [\n  { mkdir = \"/x\" },\n  { chmod = \"/x:9\" },\n]\n");
    scratch.file("garbage", b"\x7fELF\x02\x01\x01 this is no tree");
    scratch.file("contexts", "/.* u:r:any:s0\n");
    scratch.file("few", "/ u:r:root:s0\n");
    scratch.file("bad", "/.* u:r:any:s0\n/a( u:r:any:s0\n");
    scratch.file("compiled", b"\x8a\xff\x7c\xf9\x05\0\0\0");
    scratch.file("cut.dump", "/ 0 40755 2 0 0 0 0.0 - - -\n/file 0 100644\n");
    scratch
}

/// Returns an archive with only a trailer.
fn plain_cpio() -> String {
    let fields = ["00000000"; 11].concat();
    format!("070701{fields}0000000B00000000TRAILER!!!\0\0\0\0")
}

fn check(case: &Case) -> Result<(), String> {
    let scratch = scratch();
    let before = listing(scratch.path());
    let place = scratch.path().to_str().unwrap();
    let arguments = case
        .arguments
        .replace("{source}", "{scratch}/source")
        .replace("{dump}", "{scratch}/tree.dump")
        .replace("{initrd}", "{scratch}/initrd.dump")
        .replace("{out}", "{scratch}/out")
        .replace("{scratch}", place);
    let outcome = run(rootcast().args(arguments.split_whitespace()));
    let wrong = |what: String| Err(format!("rootcast {}\n{what}\n{outcome}", case.arguments));

    if !outcome.code.is_some_and(|code| case.codes.contains(&code)) {
        return wrong(format!("exit code: expected {:?}", case.codes));
    }
    let (stdout, stderr) = (outcome.text(), &outcome.stderr);
    if let Some(word) = case.stdout.iter().find(|word| !stdout.contains(**word)) {
        return wrong(format!("standard output does not say “{word}”"));
    }
    if let Some(word) = case.stderr.iter().find(|word| !stderr.contains(**word)) {
        return wrong(format!("standard error does not say “{word}”"));
    }
    if stderr.contains("panicked") {
        return wrong("it panicked".to_owned());
    }
    if case.codes == OK && case.arguments.contains(" -q") && !stderr.is_empty() {
        return wrong("it is not quiet".to_owned());
    }
    let mut expected = before;
    if case.codes == OK && case.arguments.contains("{out}") {
        expected.push("out".to_owned());
        expected.sort();
    }
    if listing(scratch.path()) != expected {
        return wrong(format!("it left {:?}", listing(scratch.path())));
    }
    Ok(())
}

/// Returns the names in a directory, including hidden ones.
fn listing(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let scratch = scratch();
    let secret = scratch.join("source/secret");
    fs::write(&secret, "root's").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let outcome = image(&scratch);
    assert!(matches!(outcome.code, Some(3 | 6)), "{outcome}");
    assert!(outcome.stderr.contains("source/secret"), "{outcome}");
    assert!(!scratch.join("out").exists(), "an image was left behind");
}

#[test]
fn an_output_that_is_there_is_replaced_whole() {
    let scratch = scratch();
    let out = scratch.file("out", vec![0xff; 1 << 20]);
    if judges::is_root() {
        std::os::unix::fs::chown(&out, Some(crate::product::NOBODY), None).unwrap();
    }
    image(&scratch).success().unwrap();
    let first = fs::read(&out).unwrap();
    fs::remove_file(&out).unwrap();
    image(&scratch).success().unwrap();
    assert!(first == fs::read(&out).unwrap(), "what was there shows in the image");
}

fn image(scratch: &Scratch) -> Outcome {
    run(rootcast().arg("image").arg(scratch.join("source")).arg("-o").arg(scratch.join("out")))
}
