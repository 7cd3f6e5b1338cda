//! Closures: listing and keeping a part of a tree.

use super::case::{BAD_INPUT, Case, IO, OK, USAGE, bad, check_all, good};

const CASES: &[Case] = &[
    good("image {scratch}/set-id.dump -o {out} --owner root --keep /file --json", &["\"warnings\": []"]),
    good("closure {dump} --keep /etc/hostname", &["/etc\n/etc/hostname\n"]),
    good("closure {dump} --keep /etc/host*", &["/etc\n/etc/hostname\n"]),
    good("closure {dump} --keep /etc --why etc/hostname", &["/etc/hostname\n  requested by /etc\n"]),
    good("closure {dump} --keep /etc/hostname --json", &["\"kind\": \"parent\"", "\"missing\": []"]),
    good("closure {dump} --keep-optional /etc/hostname --keep-optional /none", &["/etc\n/etc/hostname\n"]),
    good("closure {dump} --keep-optional /etc/host* --keep-optional /none*", &["/etc\n/etc/hostname\n"]),
    good("closure {dump} --keep-first /none,/etc/hostname,/etc", &["/etc\n/etc/hostname\n"]),
    bad(
        BAD_INPUT,
        "closure {dump} --keep-first /etc/none,/other",
        &["missing from the tree: /etc/none: there is none of /etc/none, /other"],
    ),
    bad(USAGE, "closure {dump} --keep-first /etc,", &["one comma"]),
    good("closure {dump} --keep /etc/hostname --modules-load 9p", &["/etc/modules-load.d/rootcast.conf\n"]),
    good(
        "tree {dump} --modules-load 9p,9pnet",
        &["/etc/modules-load.d/rootcast.conf 9 100644 1 0 0 0 0.0 - 9p\\n9pnet\\n"],
    ),
    bad(USAGE, "tree {dump} --modules-load a/b", &["\"a/b\" is not the name of a kernel module"]),
    good(
        "closure {dump} --keep /etc/hostname --keep /etc/host* --explain",
        &["           6            0  requested by /etc/host*\n           6            6    /etc/hostname\n"],
    ),
    bad(USAGE, "closure {dump} --keep /etc --explain --json", &["--explain", "--json"]),
    good("tree {dump} --keep /etc/hostname --overlay {source}", &["/small "]),
    // Of a directory only what the search visits is read, if nothing else changes the tree.
    good("tree {source} --keep-optional /none --overlay {dump}", &["/etc/hostname "]),
    good("closure {dump} --keep-optional /none --overlay {source} --why /small", &["requested by --overlay"]),
    bad(USAGE, "tree - --overlay -", &["standard input"]),
    bad(IO, "tree {dump} --overlay {scratch}/none", &["none"]),
    good("tree {source} {dump} --keep /etc/hostname", &["/etc/hostname "]),
    good("tree {source} --symlink /small:/link --keep /link", &["/link ", "/small "]),
    good("image {dump} --keep /etc/hostname -o {out}", &[]),
    Case {
        arguments: "closure {dump} --keep /etc/hostname --keep /none --missing warn",
        codes: OK,
        stderr: &["warning: missing: /none: it does not exist"],
        stdout: &["/etc/hostname\n"],
    },
    bad(BAD_INPUT, "closure {dump} --keep /none", &["missing from the tree: /none"]),
    bad(BAD_INPUT, "image {dump} --keep /none* -o {out}", &["/none*", "no file of the tree matches"]),
    bad(BAD_INPUT, "closure {dump} --keep /etc/hostname --why /none", &["/none is not in the tree"]),
    bad(BAD_INPUT, "closure {dump} --keep-unit none.service", &["none.service"]),
    bad(BAD_INPUT, "closure {dump} --keep-unit none*.service", &["--keep-unit none*.service"]),
    good(
        "tree {scratch}/units.dump --keep-unit a.service --default-target a.service",
        &["/etc/systemd/system/default.target ", "/etc/machine-id "],
    ),
    good("tree {scratch}/units.dump --keep-unit a.service --systemd no", &["/etc/systemd/system/a.service "]),
    bad(
        BAD_INPUT,
        "closure {scratch}/units.dump --keep-unit a.service",
        &["default.target", "--default-target UNIT"],
    ),
    bad(
        BAD_INPUT,
        "closure {scratch}/units.dump --keep-unit a.service --default-target none --systemd-generators x",
        &["--systemd-generators x"],
    ),
    bad(USAGE, "closure {dump} --keep /etc --systemd-generators x,,y", &["--systemd-generators", "commas"]),
    bad(BAD_INPUT, "closure {dump} --keep-rule 60-none.rules", &["--keep-rule 60-none.rules"]),
    bad(BAD_INPUT, "closure {dump} --keep /etc --pam login", &["--pam login"]),
    bad(
        BAD_INPUT,
        "closure {dump} --keep-package curl",
        &["--keep-package", "/var/lib/dpkg/status", "rpmdb.sqlite"],
    ),
    bad(USAGE, "closure {dump} --keep /etc --depends", &["--keep-package"]),
    bad(USAGE, "closure {dump} --keep /etc --accounts a:b", &["a:b", "all, used or names"]),
    bad(USAGE, "tree {dump} --accounts used", &["--keep"]),
    bad(BAD_INPUT, "closure {dump} --keep /etc/hostname --accounts ann", &["--accounts ann", "/etc/passwd"]),
    bad(USAGE, "closure {dump} --keep-package a/b", &["a/b", "pattern for a name"]),
    bad(BAD_INPUT, "tree {dump} --ld-cache", &["--ld-cache", "glibc"]),
    bad(USAGE, "closure {dump}", &["--keep"]),
    bad(USAGE, "tree {dump} --hwcaps none", &["--keep"]),
    bad(USAGE, "closure {dump} --keep /x[", &["--keep", "/x["]),
    bad(USAGE, "closure {dump} --keep /etc --hwcaps pentium", &["pentium", "x86-64-v3"]),
    bad(USAGE, "closure {dump} --keep /etc --missing maybe", &["maybe"]),
    good("closure {dump} --keep /etc/hostname --known none", &["/etc/hostname\n"]),
    good("closure {dump} --keep /etc/hostname --known sshd,python", &["/etc/hostname\n"]),
    bad(
        USAGE,
        "closure {dump} --keep /etc --known sshd,no",
        &["--known", "\"no\"", " all, none, ", " sshd, "],
    ),
    bad(USAGE, "tree {dump} --known none", &["--keep"]),
    bad(USAGE, "closure {dump} --keep /etc --dlopen none --dlopen-allow *:x", &["--dlopen required"]),
    bad(USAGE, "closure {dump} --keep /etc --dlopen-deny x:", &["--dlopen-deny"]),
    bad(USAGE, "closure {dump} --keep /etc --why /etc --json", &["--why", "--json"]),
    // The text output of these goes to standard output.
    bad(USAGE, "closure {dump} --keep /etc --output={out}", &["rootcast closure prints", "> FILE"]),
];

#[test]
fn trees_are_reduced_to_the_requested_files() {
    check_all(CASES);
}
