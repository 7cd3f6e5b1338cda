//! Help, versions, completions, and command lines without a verb.

use super::case::{Case, USAGE, bad, check_all, good};

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
        &[
            "--keep",
            "--keep-unit",
            "--keep-rule",
            "--keep-package",
            "--why",
            "--json",
            "--missing",
            "--hwcaps",
        ],
    ),
    good("--version --json", &["\"name\": \"rootcast\"", "\"byte_layout\": \"ext4-2\""]),
    good("man", &["rootcast"]),
    good("completions bash", &["--file-contexts"]),
    good(
        "initrd --help",
        &["--compress", "--kernel-config", "--microcode", "--append", "--check", "--cache-size"],
    ),
    good("check --help", &["<FILE>", "--kernel-config", "--kernel", "--json"]),
    bad(USAGE, "--json", &["--version"]),
    bad(USAGE, "--version tree {dump}", &["tree"]),
    bad(USAGE, "completions tcsh", &["tcsh"]),
    bad(USAGE, "", &["Usage"]),
    bad(USAGE, "melt {source}", &["melt"]),
];

#[test]
fn help_and_version_are_printed() {
    check_all(CASES);
}
