//! Measured disks, presets of Kata, and root hashes.

use super::case::{BAD_INPUT, Case, DOES_NOT_FIT, IO, OK, USAGE, bad, check_all, good};

const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

const CASES: &[Case] = &[
    good("image {source} --verity --digest --root-hash-file /dev/null", &[]),
    good("image {source} --verity --dry-run", &["hash tree", "with a PARTUUID of the root hash"]),
    good("image {source} --verity --dry-run --json", &["\"root_hash\": null", "\"partuuid\": null"]),
    good(
        "image {source} --preset kata --no-rootfs-check --dry-run --json",
        &["\"size\": 134217728", "\"profile\": \"kata\""],
    ),
    good(
        "image {source} --preset kata --no-rootfs-check --layout mbr --profile ro-min --size-multiple 4K --dry-run --json",
        &["\"layout\": \"mbr\"", "\"profile\": \"ro-min\""],
    ),
    good(
        "image {source} --preset kata --no-rootfs-check --size 10M --dry-run --json",
        &["\"size\": 10485760"],
    ),
    good("image {source} --layout bare --size-multiple 64M --dry-run", &["64.0 MiB", "padding"]),
    Case {
        arguments: "image {source} -o {out} --preset kata-extension",
        codes: OK,
        stderr: &["Kata's guests mount extensions as erofs"],
        stdout: &[],
    },
    bad(USAGE, "image {source} -o {out} --salt 00", &["--salt", "--verity"]),
    bad(USAGE, "image {source} -o {out} --fec", &["--fec", "--verity"]),
    bad(USAGE, "image {source} -o {out} --root-hash-file f", &["--root-hash-file", "--verity"]),
    bad(USAGE, "image {source} -o {out} --verity --fec-roots 3", &["--fec"]),
    bad(USAGE, "image {source} -o {out} --verity --fec --fec-roots 25", &["25", "2 to 24"]),
    bad(USAGE, "image {source} -o {out} --verity --salt 0", &["salt", "even number"]),
    bad(USAGE, "image {source} -o {out} --verity --hash md5", &["md5", "sha256 and sha512"]),
    bad(USAGE, "image {source} -o {out} --verity --format 2", &["2", "0"]),
    bad(USAGE, "image {source} -o {out} --verity --data-block-size 1000", &["1000", "power of two"]),
    bad(USAGE, "image {source} -o {out} --verity --hash-block-size 128K", &["131072", "power of two"]),
    bad(
        USAGE,
        "image {source} -o {out} --verity --data-block-size 8K --arch x86-64",
        &["8192", "page", "4096", "--data-block-size"],
    ),
    bad(
        USAGE,
        "image {source} -o {out} --verity --sector-size 4096 --hash-block-size 512",
        &["--hash-block-size 512", "4096", "sector"],
    ),
    bad(
        USAGE,
        "image {source} -o {out} --verity --fec --data-block-size 512",
        &["--fec", "--data-block-size", "--hash-block-size"],
    ),
    bad(USAGE, "image {source} -o {out} --verity --layout bare", &["--layout gpt or mbr"]),
    bad(USAGE, "image {source} -o {out} --verity --profile rw", &["--profile rw", "measured"]),
    bad(
        USAGE,
        "image {source} -o {out} --preset kata --no-rootfs-check --measured --profile rw",
        &["--profile rw"],
    ),
    bad(
        USAGE,
        "image {source} -o {out} --preset kata --no-rootfs-check --measured --hash sha512",
        &["sha256", "--hash sha512"],
    ),
    bad(
        USAGE,
        "image {source} -o {out} --preset kata --no-rootfs-check --measured --format 0",
        &["version 1"],
    ),
    bad(USAGE, "image {source} -o {out} --preset kata --no-rootfs-check --measured --fec", &["--fec"]),
    bad(USAGE, "image {source} -o {out} --layout kata --measured --data-block-size 8K", &["8192", "page"]),
    bad(
        USAGE,
        "image {source} -o {out} --verity --no-superblock --verity-uuid 00112233-4455-6677-8899-aabbccddeeff",
        &["--verity-uuid"],
    ),
    bad(USAGE, "image {source} -o {out} --size-multiple 3M", &["3145728", "power of two"]),
    bad(USAGE, "image {source} -o {out} --size-multiple 2T", &["power of two from 4K to 1T"]),
    bad(USAGE, "image {source} -o {out} --size-multiple 512", &["power of two from 4K to 1T"]),
    bad(USAGE, "image {source} -o {out} --size-multiple 1M --size 5M", &["--size"]),
    bad(
        USAGE,
        "image {source} -o {out} --preset kata --no-rootfs-check --size-multiple 1M",
        &["2 MiB", "--no-dax"],
    ),
    bad(
        USAGE,
        "image {source} -o {out} --preset kata --no-rootfs-check --size 9M",
        &["2097152", "persistent memory"],
    ),
    bad(
        USAGE,
        "image {source} -o {out} --preset kata --no-rootfs-check --sector-size 4096",
        &["512", "--no-dax"],
    ),
    bad(USAGE, "image {source} -o {out} --no-dax", &["--layout kata"]),
    bad(USAGE, "image {source} -o {out} --preset ovirt", &["ovirt", "kata"]),
    bad(USAGE, "image {source} -o {out} --extension-name coco", &["--preset kata-extension"]),
    bad(USAGE, "image {source} -o {out} --preset kata-extension --extension-name a.b", &["a.b", "letters"]),
    bad(USAGE, "image {source} -o {out} --preset kata-extension --print-kata-config", &["--extension-name"]),
    bad(
        USAGE,
        "image {source} --preset kata --no-rootfs-check --print-kata-config --digest",
        &["--print-kata-config"],
    ),
    bad(USAGE, "image {source} -o - --preset kata --no-rootfs-check --print-kata-config", &["--output"]),
    bad(
        DOES_NOT_FIT,
        "image {source} -o {out} --verity --size 1M",
        &["too small", "the tree and its hash tree need", "--size"],
    ),
    bad(
        DOES_NOT_FIT,
        "image {source} -o {out} --preset kata --no-rootfs-check --measured --size 4M",
        &["too small", "hash tree"],
    ),
    bad(
        USAGE,
        "image {source} -o {out} --verity --root-hash-file {out}",
        &["is the output", "--root-hash-file"],
    ),
    bad(USAGE, "image {source} -o {out} --verity --root-hash-file -", &["standard output", "/dev/stdout"]),
    bad(USAGE, "image {dump} -o {out} --verity --root-hash-file {dump}", &["input", "--root-hash-file"]),
    bad(USAGE, "image {source} -o {out} --verity --root-hash-file {source}", &["input", "--root-hash-file"]),
    bad(
        IO,
        "image {source} -o {out} --verity --root-hash-file {scratch}/no/file",
        &["/no", "does not exist"],
    ),
    bad(IO, "image {source} -o {out} --verity --root-hash-file /proc/root_hash", &["/proc"]),
    bad(USAGE, "root-hash", &["FILE"]),
    bad(IO, "root-hash {scratch}/no-such-file", &["no-such-file"]),
    bad(USAGE, "root-hash /dev/null", &["/dev/null", "regular file or block device"]),
    bad(USAGE, "root-hash {source}", &["regular file"]),
    bad(BAD_INPUT, "root-hash {dump} --data-block-size 512", &["512-byte", "smaller --data-block-size"]),
    bad(BAD_INPUT, "root-hash /proc/self/exe --size 9001", &["4096-byte", "--size 8192 leaves"]),
    bad(BAD_INPUT, "root-hash {dump} --size 1M", &["the file has", "bytes behind its end"]),
    bad(BAD_INPUT, "root-hash {dump} --offset 1G", &["starts", "bytes behind its end"]),
    bad(BAD_INPUT, "root-hash {dump} --size 0", &["positive multiple"]),
    bad(USAGE, "root-hash {dump} --check 00", &["1 bytes", "sha256 has 32"]),
    bad(USAGE, "root-hash {dump} --check root_hash=00", &["root_hash"]),
    bad(USAGE, "root-hash {dump} --salt xyz", &["xyz"]),
    bad(USAGE, "root-hash {dump} --format -1", &["-1"]),
    bad(USAGE, "root-hash {dump} --offset -1", &["-1"]),
];

#[test]
fn command_lines_of_measured_disks() {
    check_all(CASES);
}

#[test]
fn contradictions_to_an_expected_root_hash_are_named() {
    let long: &'static str =
        Box::leak(format!("root-hash {{dump}} --hash sha512 --check {HASH}").into_boxed_str());
    let line: &'static str = Box::leak(
        format!("root-hash {{dump}} --salt 00 --check root_hash={HASH},salt=-,data_blocks=1,data_block_size=512,hash_block_size=512")
            .into_boxed_str(),
    );
    let salt: &'static str = Box::leak(
        format!("image {{source}} -o {{out}} --verity --salt {}", "ab".repeat(257)).into_boxed_str(),
    );
    check_all(&[
        bad(USAGE, long, &["--hash"]),
        bad(USAGE, line, &["--salt"]),
        bad(USAGE, salt, &["257", "256"]),
    ]);
}
