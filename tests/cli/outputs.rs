//! Images: their outputs, and the reports about them.

use super::case::{Case, IO, OK, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    good("image {source} -o {out}", &[]),
    good("image {source} -o {out} -q -j 2", &[]),
    good("image {source} -o {out} --reflink=never --json", &["\"cloned_bytes\": 0", "\"hole_bytes\": "]),
    good("image {source} -o {out} --reflink=auto -q", &[]),
    good("image {source} --dry-run --reflink", &["nothing was written"]),
    Case {
        arguments: "image {source} -o {out}",
        codes: OK,
        stderr: &[" bytes copied, ", " bytes left as holes"],
        stdout: &[],
    },
    good("image {source} {dump} -o {out}", &[]),
    good("image {source} -o {out} --json", &["\"written\": true", "\"size\": ", "\"uuid\": "]),
    good("image {source} --digest --json -q", &["\"sha256\": \"", "\"written\": false"]),
    good("image {source} --dry-run", &["root filesystem", "journal", "inodes", "nothing was written"]),
    good("image {source} -o {scratch}/never --dry-run -q", &["nothing was written"]),
    good("image {source} -o - --dry-run", &["nothing was written"]),
    good("image {source} -o {scratch}/never --dry-run --json -q", &["/never\"", "\"written\": false"]),
    Case {
        arguments: "image {source} -o {out} -v",
        codes: OK,
        stderr: &["inodes read", "journal"],
        stdout: &[],
    },
    bad(USAGE, "image {source} -o - --json", &["--json", "--output", "standard output"]),
    bad(USAGE, "image {source} --digest --dry-run", &["--dry-run"]),
    bad(USAGE, "image {source} --digest --force", &["--force is for a block device", "--output"]),
    bad(USAGE, "image {source} -o - --force", &["--force is for a block device", "--output"]),
    bad(USAGE, "initrd {initrd} --digest --force", &["--force is for a block device", "--output"]),
    bad(USAGE, "image {source} -o {out} -q -v", &["--quiet"]),
    bad(USAGE, "image", &["SOURCE"]),
    bad(USAGE, "image {source}", &["--output"]),
    bad(USAGE, "image {source} -o {out} --bogus", &["--bogus"]),
    bad(USAGE, "image {source} -o {out} -j many", &["many"]),
    bad(USAGE, "image {source} -o {out} --reflink=sometimes", &["sometimes", "--reflink"]),
    bad(USAGE, "image {source} -o - --reflink=always", &["--reflink=always", "--output"]),
    bad(USAGE, "image {source} --digest --reflink", &["--reflink=always", "--output"]),
    bad(
        USAGE,
        "image {source} -o /dev/null --reflink",
        &["/dev/null: is not a regular file", "--reflink=always"],
    ),
    bad(USAGE, "tree {dump} -o {out}", &["'-o'", "rootcast tree prints to standard output", "> FILE"]),
    bad(USAGE, "image {source} -o {out} --digest", &["--output", "--digest"]),
    bad(
        IO,
        "image {source} -o /proc/disk",
        &["/proc: no file can be created in this directory", "elsewhere"],
    ),
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
        arguments: "image {source} -o {out} --mkdir /sbin --symlink ../nothing:/sbin/init",
        codes: OK,
        stderr: &["the partition has PARTUUID="],
        stdout: &[],
    },
    bad(USAGE, "image {source} -o {scratch}/source", &["source", "is a directory"]),
    Case {
        arguments: "image {source} -o {out} --mkdir /sbin --symlink ../init:/sbin/init --add {scratch}/garbage:/init \
                    --chmod /init:0755",
        codes: OK,
        stderr: &["boot it with root=PARTUUID="],
        stdout: &[],
    },
];

#[test]
fn images_are_written_or_only_planned() {
    check_all(CASES);
}
