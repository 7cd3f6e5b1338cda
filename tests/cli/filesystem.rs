//! The filesystem of an image: profiles, features, sizes, layouts.

use super::case::{Case, DOES_NOT_FIT, OK, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    good("image {dump} -o {out} --layout bare", &[]),
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
    good("image {source} -o {out} --sparse always --json", &["\"sparse_files\": ", "\"hole_bytes\": "]),
    good("image {source} -o {out} --sparse never -q", &[]),
    Case {
        arguments: "image {scratch}/twins.dump -o {out} --profile ro-min --dedupe",
        codes: OK,
        stderr: &["1 file shares blocks of 4096 bytes with others", "for reading only"],
        stdout: &[],
    },
    // Inline data is not shared.
    good(
        "image {scratch}/twins.dump -o {out} --profile ro-min --dedupe -O inline_data --json",
        &["\"shared_files\": 0"],
    ),
    bad(USAGE, "image {source} -o {out} --layout floppy", &["floppy", "--layout"]),
    bad(USAGE, "image {source} -o {out} --sector-size 1000", &["1000"]),
    bad(USAGE, "image {source} -o {out} --arch vax", &["vax"]),
    bad(USAGE, "image {source} -o {out} --size large", &["large"]),
    bad(USAGE, "image {source} -o {out} --size -1", &["-1"]),
    bad(USAGE, "image {source} -o {out} --free some", &["some"]),
    bad(USAGE, "image {source} -o {out} --inodes few", &["few"]),
    bad(USAGE, "image {source} -o {out} --reserved 200%", &["200"]),
    bad(USAGE, "image {source} -o {out} --label seventeen-bytes-1", &["seventeen-bytes-1", "16"]),
    bad(USAGE, "image {source} -o {out} --uuid 0123", &["0123"]),
    bad(USAGE, "image {source} -o {out} --seed chance", &["chance"]),
    bad(USAGE, "image {source} -o {out} -b 8192", &["1024, 2048 or 4096", "8192"]),
    bad(USAGE, "image {source} -o {out} --profile best", &["best", "ro-min"]),
    bad(USAGE, "image {source} -o {out} --dedupe", &["--profile ro-min"]),
    bad(USAGE, "image {source} -o {out} -O casefold", &["casefold", "not made here"]),
    bad(USAGE, "image {source} -o {out} -O quota,extent", &["quota", "not made here"]),
    bad(USAGE, "image {source} -o {out} -O ^extent", &["every filesystem here has extent"]),
    bad(
        USAGE,
        "image {source} -o {out} -O ^metadata_csum,metadata_csum_seed",
        &["metadata_csum_seed needs metadata_csum", "-O metadata_csum"],
    ),
    good("image {source} -o {out} -O ^64bit,^metadata_csum,^dir_index,ea_inode", &[]),
    bad(USAGE, "image {source} -o {out} -O orphan_file,^has_journal", &["orphan_file", "journal"]),
    bad(USAGE, "image {source} -o {out} --profile rw --journal none", &["journal", "-O ^orphan_file"]),
    good("image {source} -o {out} --profile rw --journal none -O ^orphan_file", &[]),
    bad(USAGE, "image {source} -o {out} --journal 1M", &["journal", "1024"]),
    bad(USAGE, "image {source} -o {out} --journal 999T", &["journal", "10240000"]),
    bad(USAGE, "image {source} -o {out} --huge-pages=3M", &["3145728"]),
    bad(USAGE, "image {source} -o {out} --profile ro-min --resize-limit 1T", &["resize_inode"]),
    bad(USAGE, "image {source} -o {out} --size 99999999 --free 10%", &["--size", "--free"]),
    // Sizes.
    bad(DOES_NOT_FIT, "image {source} -o {out} --size 65536", &["65536", "bytes"]),
    bad(DOES_NOT_FIT, "image {source} -o {out} --layout bare --size 65536", &["65536", "bytes"]),
    bad(DOES_NOT_FIT, "image {source} -o {out} --inodes 4", &["4", "inodes"]),
];

#[test]
fn filesystems_have_the_given_properties() {
    check_all(CASES);
}
