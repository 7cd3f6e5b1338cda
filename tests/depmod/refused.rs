//! Input that has no indices.

use std::fs;
use std::process::Stdio;

use super::version::{Version, cloud_kernel, module_paths};
use crate::judges;
use crate::product::{Outcome, rootcast, run};

/// Checks the error of a run that writes nothing.
fn assert_refused(version: &Version, outcome: &Outcome, code: i32, message: &str) {
    assert_eq!((outcome.code, outcome.stdout.as_slice()), (Some(code), &b""[..]), "{outcome}");
    let directory = version.directory();
    let message = message.replace("DIR", directory.to_str().unwrap());
    assert_eq!(outcome.stderr, format!("rootcast: {message}\n"));
    assert!(!version.scratch.join("out").exists(), "nothing is written");
}

#[test]
fn corrupt_modules_are_named() {
    let version = Version::new();
    version.file("modules.order", b"");
    for (bytes, why) in [
        (&b""[..], "it is not an ELF object"),
        (b"text of any kind", "it is not an ELF object"),
        (b"\x7fELF\x02\x01\x01", "the file ends before the ELF header does"),
        (b"\x7fELF\x03\x01\x01", "class 3 with byte order 1 is not a kind of ELF object"),
        (b"\xfd7zXZ\0and more", "it cannot be decompressed: "),
        (b"\x1f\x8band more", "it cannot be decompressed: "),
    ] {
        version.file("kernel/a.ko", bytes);
        let outcome = version.rootcast(&[]);
        let start = format!("DIR/kernel/a.ko: not a valid kernel module: {why}");
        let start = start.replace("DIR", version.directory().to_str().unwrap());
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.starts_with(&format!("rootcast: {start}")), "{outcome}");
    }
}

/// A module of a real kernel is cut and changed at each section header.
#[test]
fn every_section_header_may_be_wrong() {
    let Some(kernel) = cloud_kernel() else { return };
    let paths = module_paths(&kernel);
    let path = paths.iter().find(|path| path.ends_with("/netfs.ko")).unwrap();
    let bytes = fs::read(kernel.join(path)).unwrap();
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let table = usize::try_from(number(40)).unwrap();
    let count = usize::from(u16::from_le_bytes(bytes[60..62].try_into().unwrap()));
    assert!(count > 20);
    for section in 0..count {
        // The offset and the length.
        for field in [24, 32] {
            let mut changed = bytes.clone();
            let at = table + section * 64 + field;
            changed[at..at + 8].copy_from_slice(&(u64::MAX - 7).to_le_bytes());
            let _ = kmod_index::Module::parse(&changed);
        }
    }
    // Behind the table is the signature, which is not read.
    let end_of_table = table + count * 64;
    for end in (0..end_of_table).step_by(end_of_table / 200) {
        assert!(kmod_index::Module::parse(&bytes[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_bomb_is_refused_after_a_limit() {
    let Some(mut xz) = judges::command("xz") else { return };
    let version = Version::new();
    version.file("modules.order", b"");
    version.file("kernel/a.ko.xz", b"");
    let zeros = fs::File::create(version.scratch.join("zeros")).unwrap();
    zeros.set_len((256 << 20) + 1).unwrap();
    let packed = fs::File::create(version.directory().join("kernel/a.ko.xz")).unwrap();
    let zeros = fs::File::open(version.scratch.join("zeros")).unwrap();
    assert!(xz.args(["-0", "-c"]).stdin(zeros).stdout(Stdio::from(packed)).status().unwrap().success());
    let message = "DIR/kernel/a.ko.xz: not a valid kernel module: it cannot be decompressed: it is longer than \
                   268435456 bytes";
    assert_refused(&version, &version.rootcast(&[]), 3, message);
}

#[test]
fn paths_that_are_no_version_are_refused() {
    let version = Version::new();
    version.file("file", b"");
    let message = "is not a directory; the modules are in lib/modules/VERSION of a tree";
    for name in ["file", "none"] {
        let path = version.directory().join(name);
        let outcome = run(rootcast().arg("depmod").arg(&path).arg("-o").arg(version.scratch.join("out")));
        assert_refused(&version, &outcome, 3, &format!("DIR/{name}: {message}"));
    }
    let outcome = run(rootcast().arg("depmod").arg(version.directory()));
    assert_eq!(outcome.code, Some(2), "{outcome}");
    let outcome = run(rootcast().arg("depmod").arg(version.directory()).args(["-o", "/proc/no"]));
    assert_eq!(outcome.code, Some(6), "{outcome}");
}

#[test]
fn warnings_are_printed_and_links_that_lead_out_are_left_out() {
    let version = Version::new();
    fs::create_dir(version.directory().join("extra")).unwrap();
    std::os::unix::fs::symlink("/no/such.ko", version.directory().join("extra/a.ko")).unwrap();
    let outcome = version.rootcast(&["-q"]).success().unwrap_or_else(|why| panic!("{why}"));
    let expected = "rootcast: warning: extra/a.ko is a link that leads to no module of the tree\n\
                    rootcast: warning: modules.order is missing: no module counts more than another\n";
    assert_eq!(outcome.stderr, expected);
    assert!(outcome.stdout.is_empty());
}
