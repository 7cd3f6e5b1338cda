//! Command lines.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use rootcast::cli;

use crate::{Choices, Outcome};

/// Flags and values as users may type them. A missing one only takes longer to be found.
const WORDS: &[&str] = &[
    "rootfs",
    "-o",
    "disk.img",
    "--output",
    "-",
    "--digest",
    "--layout",
    "gpt",
    "mbr",
    "bare",
    "--verity",
    "--measured",
    "--preset",
    "kata",
    "kata-extension",
    "--no-dax",
    "--size-multiple",
    "128M",
    "--extension-name",
    "--print-kata-config",
    "--hash",
    "sha512",
    "--salt",
    "00ff",
    "--data-block-size",
    "--hash-block-size",
    "--format",
    "--no-superblock",
    "--fec",
    "--fec-roots",
    "24",
    "--root-hash-file",
    "root-hash",
    "--offset",
    "--check",
    "--hash-offset",
    "--hash-file",
    "--sector-size",
    "512",
    "4096",
    "--arch",
    "x86-64",
    "aarch64",
    "--size",
    "1G",
    "4097",
    "0",
    "18446744073709551615",
    "16777216T",
    "--free",
    "10%",
    "99%",
    "100%",
    "64MiB",
    "--inodes",
    "4294967295",
    "4294967296",
    "-1",
    "--reserved",
    "50%",
    "51",
    "-L",
    "--label",
    "sixteen bytes...",
    "seventeen bytes..",
    "",
    "-U",
    "--uuid",
    "9171e420-4280-8224-8d4f-4eea40d7e99f",
    "--seed",
    "-q",
    "--quiet",
    "--mode",
    "600",
    "--force",
    "--basedir",
    "--owner",
    "root",
    "keep",
    "--whiteouts",
    "apply",
    "--keep-directory-symlink",
    "--decoder-memory",
    "--source-date-epoch",
    "--clamp-mtime-min",
    "-2147483648",
    "--xattr-filter",
    "drop=com.apple.*,user.[a-c]",
    "keep=*",
    "15032385535",
    "15032385536",
    "-j",
    "--jobs",
    "256",
    "--help",
    "-h",
    "--version",
    "-V",
    "help",
    "image",
    "tree",
    "--",
    "=",
    "%",
    "--out",
    "--compress",
    "zstd:19",
    "none",
    "gzip:13",
    "--init",
    "systemd",
    "/init",
    "--microcode",
    "--microcode=",
    "--append",
    "--align",
    "--checksums",
    "--kernel-config",
    "--kernel",
    "--preset",
    "kata",
    "--cache",
    "--cache-size",
    "--check",
    "check",
    "initrd",
    "tar",
    "oci-export",
    "oci:images:v1",
    "oci-archive:image.tar",
    "--platform",
    "linux/arm64/v8",
    "--spool",
    "--guest-files",
    "--image-config",
    "/etc/config.json",
    "--profile",
    "ro-min",
    "rw",
    "-b",
    "1K",
    "-O",
    "^resize_inode,inline_data",
    "^64bit,^metadata_csum,^dir_index,ea_inode",
    "bigalloc",
    "--journal",
    "--resize-limit",
    "--directory-slack",
    "--huge-pages",
    "--dedupe",
    "--hardlinks",
    "content",
    "--reflink",
    "--reflink=always",
    "--static-init",
    "--keep",
    "--library-path",
    "/bin/sh=/lib",
    "--keep-optional",
    "--keep-first",
    "/bin/a,/bin/b",
    "--modules-load",
    "9p,9pnet",
    "--write",
    "/a:755:b",
    "--set-key",
    "--add-key",
    "/a:b:c=d",
    "--remove-key",
    "/a:b:c",
    "--keep-unit",
    "--keep-rule",
    "--keep-package",
    "--depends",
    "--systemd",
    "--systemd-generators",
    "--default-target",
    "none",
    "--accounts",
    "--missing",
    "warn",
    "--hwcaps",
    "--known",
    "sshd,python",
    "--sparse",
    "auto",
    "always",
    "never",
    "--dlopen",
    "--why",
    "closure",
];

/// Valid command lines, to which words are appended.
const GOOD: [&[&str]; 4] = [
    &["image", "rootfs", "-o", "disk.img"],
    &["initrd", "rootfs", "-o", "initrd.img"],
    &["tree", "rootfs"],
    &["closure", "rootfs", "--keep", "/init"],
];

/// Parses an arbitrary command line, and formats the result.
pub fn check(bytes: &[u8]) -> Outcome {
    const MAX_WORDS: usize = 40;
    let mut choices = Choices::new(bytes);
    let mut arguments = vec![OsString::from("rootcast")];
    let mut most = MAX_WORDS;
    match choices.up_to(7) {
        0..=4 => {
            arguments.extend(choices.one_of(&GOOD).iter().map(OsString::from));
            most = arguments.len() + usize::try_from(choices.up_to(4)).expect("at most 4");
        }
        5 => arguments.push("image".into()),
        6 => arguments.push("initrd".into()),
        _ => arguments.push(word(&mut choices)),
    }
    while !choices.is_empty() && arguments.len() < most {
        arguments.push(word(&mut choices));
    }
    match cli::parse(arguments) {
        Ok(request) => {
            assert!(!format!("{request:?}").is_empty());
            Outcome::Checked
        }
        Err(error) => {
            assert!(matches!(error.exit_code(), 0 | 2), "{error:?}");
            assert!(!error.render().ansi().to_string().is_empty());
            Outcome::Refused
        }
    }
}

fn word(choices: &mut Choices<'_>) -> OsString {
    let bytes = match choices.up_to(15) {
        0..=11 => choices.one_of(WORDS).as_bytes().to_vec(),
        // A value joined to its flag.
        12 => [choices.one_of(WORDS), choices.one_of(WORDS)].concat().into_bytes(),
        13 => [choices.one_of(WORDS), choices.one_of(WORDS)].join("=").into_bytes(),
        14 => [choices.one_of(WORDS).as_bytes(), choices.bytes(32)].concat(),
        _ => choices.bytes(64).to_vec(),
    };
    OsString::from_vec(bytes)
}
