//! Owners, times, extended attributes and labels.

use super::case::{BAD_INPUT, Case, OK, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    good("tree {dump} --file-contexts {scratch}/contexts", &["security.selinux=u:r:any:s0\\x00"]),
    good(
        "image {scratch}/set-id.dump -o {out} --owner root --json",
        &["1 set-id file now runs as root: /su; --owner keep leaves the owners as they are"],
    ),
    // Excluded files are not reported.
    good("image {scratch}/set-id.dump -o {out} --owner root --exclude /su --json", &["\"warnings\": []"]),
    Case {
        arguments: "tree {dump} --file-contexts {scratch}/few",
        codes: OK,
        stderr: &["warning: file_contexts do not cover 2 files"],
        stdout: &["security.selinux=u:r:root:s0"],
    },
    // Times that a format cannot represent.
    bad(
        BAD_INPUT,
        "image {scratch}/older.dump -o {out}",
        &["ext4 cannot represent /old", "-2147483649 s since 1970", "--clamp-mtime-min -2147483648 raises"],
    ),
    good("image {scratch}/older.dump -o {out} --clamp-mtime-min -2147483648 -q", &[]),
    good("tree {scratch}/older.dump --clamp-mtime-min -7", &["/old 0 100644 1 0 0 0 -7.0 "]),
    bad(
        BAD_INPUT,
        "image {scratch}/later.dump -o {out}",
        &["ext4 cannot represent /late", "15032385536 s since 1970", "--source-date-epoch 15032385535 sets"],
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
    bad(
        BAD_INPUT,
        "tree {dump} --file-contexts auto",
        &["/etc/selinux/config in the tree", "--file-contexts"],
    ),
    bad(BAD_INPUT, "tree {dump} --file-contexts {scratch}/no-contexts", &["no-contexts", "--file-contexts"]),
    bad(BAD_INPUT, "tree {dump} --file-contexts {scratch}/garbage", &["garbage: line 1"]),
    bad(BAD_INPUT, "tree {dump} --file-contexts {scratch}/bad", &["bad: line 2", "/a(", "not closed"]),
    bad(BAD_INPUT, "tree {dump} --file-contexts {scratch}/compiled", &["compiled"]),
    bad(USAGE, "image {source} -o {out} --owner somebody", &["somebody"]),
    bad(USAGE, "image {source} -o {out} --source-date-epoch yesterday", &["yesterday"]),
    bad(USAGE, "tree {source} --owner map:1:2", &["map:1:2", "INSIDE:OUTSIDE:COUNT"]),
    bad(USAGE, "tree {source} --owner 1:2:3", &["1:2:3"]),
    bad(BAD_INPUT, "tree {dump} --owner map:0:100000:65536", &["/: user 0 is in no range of the map"]),
    bad(
        BAD_INPUT,
        "tree {dump} --owner {scratch}/wrong.mtree",
        &["wrong.mtree: line 2: /none: is not in the tree"],
    ),
    bad(BAD_INPUT, "tree {dump} --owner fakeroot:{scratch}/wrong.mtree", &["wrong.mtree: line 1"]),
    bad(BAD_INPUT, "tree {dump} --chown /etc:nobody-here", &["/etc/passwd has no user", "nobody-here"]),
];

#[test]
fn metadata_is_changed_or_rejected() {
    check_all(CASES);
}
