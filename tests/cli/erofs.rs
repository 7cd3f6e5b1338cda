//! EROFS filesystems.

use super::case::{BAD_INPUT, Case, DOES_NOT_FIT, OK, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    good("image {source} -o {out} --fs erofs --layout bare", &[]),
    good("image {dump} -o {out} --fs erofs --json", &["\"type\": \"erofs\"", "\"oldest_kernel\": \"5.4\""]),
    good(
        "image {source} --dry-run --fs erofs --json --preset kata --no-rootfs-check",
        &["\"size\": 134217728", "\"profile\": \"kata\"", "\"inline_files\": 0", "\"rootflags\": \"ro\""],
    ),
    good("image {source} --dry-run --fs erofs --inline tails", &["with the tails of 1 file"]),
    good("image {source} --dry-run --fs erofs --profile kata --inline tails", &["with the tails of 1 file"]),
    good("image {source} --dry-run --fs erofs -b 512", &["of 512 bytes", "Linux 6.4 and later"]),
    good("image {source} --dry-run --fs erofs -b 512 --max-kernel 6.4", &["rootflags"]),
    good("image {source} --digest --fs erofs --verity --root-hash-file /dev/null", &[]),
    good("image {source} --dry-run --fs erofs --size 64M", &["67108864"]),
    Case {
        arguments: "image {scratch}/twins.dump -o {out} --fs erofs",
        codes: OK,
        stderr: &["an EROFS filesystem of 2 files, for Linux 5.4 and later"],
        stdout: &[],
    },
    good(
        "image {source} --dry-run --fs erofs --json --profile kata",
        &["\"compression\": \"lz4hc:9\"", "\"compressed_files\": 0"],
    ),
    good(
        "image {source} --dry-run --fs erofs --json --profile kata --compress none",
        &["\"compression\": \"none\""],
    ),
    good(
        "image {source} --dry-run --fs erofs --compress zstd --fragments",
        &["compression  zstd:3 of 1 file", "Linux 6.10 and later"],
    ),
    good(
        "image {source} --dry-run --fs erofs --compress lz4 --fragments --max-kernel 6.1",
        &["lz4 of 1 file"],
    ),
    good(
        "image {source} --dry-run --fs erofs --compress lz4 --fragments --compress-exclude /sm*",
        &["lz4 of 0 files", "Linux 5.4 and later"],
    ),
    bad(USAGE, "image {source} -o {out} --fs squashfs", &["squashfs", "ext4", "erofs"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --free 1G", &["--free", "for reading only", "--fs ext4"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --journal auto", &["--journal is for --fs ext4"]),
    bad(USAGE, "image {source} -o {out} --fs erofs -O inline_data", &["--feature is for --fs ext4"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --reserved 1%", &["--reserved is for --fs ext4"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --profile rw", &["--profile rw", "--fs ext4"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --inodes 7", &["--inodes is for --fs ext4"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --huge-pages", &["--huge-pages is for --fs ext4"]),
    bad(USAGE, "image {source} -o {out} --inline none", &["--inline is for --fs erofs"]),
    bad(USAGE, "image {source} -o {out} --max-kernel 6.1", &["--max-kernel is for --fs erofs"]),
    bad(USAGE, "image {source} -o {out} --kernel-config f", &["--kernel-config is for --fs erofs"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --max-kernel six", &["six", "6.1"]),
    bad(USAGE, "image {source} -o {out} --fs erofs -b 512 --max-kernel 6.1", &["6.1", "6.4", "--block-size"]),
    bad(USAGE, "image {source} -o {out} --fs erofs -b 256", &["256", "512 to 65536"]),
    bad(USAGE, "image {source} -o {out} -b 8192", &["1024, 2048 or 4096", "8192"]),
    bad(USAGE, "image {source} -o {out} --compress lz4", &["--compress is for --fs erofs"]),
    bad(
        USAGE,
        "image {source} -o {out} --fs erofs --compress xz",
        &["xz", "none, lz4, lz4hc, deflate and zstd"],
    ),
    bad(USAGE, "image {source} -o {out} --fs erofs --compress lz4:3", &["no levels", "leave out `:3`"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --compress zstd:23", &["\"23\"", "1 to 22"]),
    bad(
        USAGE,
        "image {source} -o {out} --fs erofs --compress lz4 --pcluster 5K",
        &["5120", "4096 to 1048576"],
    ),
    bad(USAGE, "image {source} -o {out} --fs erofs --compress lz4 -b 512", &["512", "leave out -b"]),
    bad(
        USAGE,
        "image {source} -o {out} --fs erofs --pcluster 64K",
        &["--pcluster is for", "give --compress"],
    ),
    bad(USAGE, "image {source} -o {out} --fs erofs --fragments", &["--fragments is for", "give --compress"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --compress-exclude /a", &["--compress-exclude is for"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --dedupe", &["--dedupe finds", "give --compress too"]),
    bad(
        USAGE,
        "image {source} -o {out} --fs erofs --compress lz4 --fragments --max-kernel 5.17",
        &["5.17", "6.1", "leave out --fragments"],
    ),
    bad(USAGE, "image {source} -o {out} --fs erofs --verity -b 512", &["--data-block-size 4096", "512"]),
    bad(USAGE, "image {source} -o {out} --fs erofs -L sixteen-bytes-16", &["sixteen-bytes-16", "15 bytes"]),
    bad(USAGE, "image {source} -o {out} --fs erofs --xattr-prefix overlay", &["overlay", "trusted."]),
    bad(
        DOES_NOT_FIT,
        "image {source} -o {out} --fs erofs --layout bare --size 100",
        &["too small", "--size"],
    ),
    bad(
        BAD_INPUT,
        "image {source} -o {out} --fs erofs --kernel-config {source}/../tree.dump",
        &["tree.dump"],
    ),
];

#[test]
fn erofs() {
    check_all(CASES);
}
