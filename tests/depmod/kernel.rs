//! The modules of a small kernel, plain and compressed.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::version::{Version, assert_same, cloud_kernel, module_paths};
use crate::judges;
use crate::product::run;

#[test]
fn a_whole_kernel_gets_the_indices_of_depmod() {
    let Some(kernel) = cloud_kernel() else { return };
    let version = Version::of(&kernel);
    for path in module_paths(&kernel) {
        version.copy(&kernel, &path);
    }
    let Some(expected) = version.depmod() else { return };
    let ours = version.indices(&[]);
    assert_same(&ours, &expected);
    assert_eq!(ours["modules.weakdep"], b"# Weak dependencies extracted from modules themselves.\n");
    assert_eq!(version.indices(&["-j", "1", "-q"]), ours, "threads have no effect");
}

/// Compresses a module in place, for depmod as well as for rootcast.
pub(super) fn compress(path: &Path, program: &str, arguments: &[&str], extension: &str) -> Option<()> {
    let mut command = judges::command(program)?;
    let packed = path.with_extension(format!("ko.{extension}"));
    let output = fs::File::create(&packed).unwrap();
    let status = command.args(arguments).arg("-c").arg(path).stdout(Stdio::from(output)).status();
    assert!(status.unwrap().success());
    fs::remove_file(path).unwrap();
    Some(())
}

#[test]
fn compressed_modules_get_the_indices_of_depmod() {
    let Some(kernel) = cloud_kernel() else { return };
    let version = Version::of(&kernel);
    for (number, path) in module_paths(&kernel).iter().step_by(9).enumerate() {
        version.copy(&kernel, path);
        let file = version.directory().join(path);
        let compressed = match number % 3 {
            0 => compress(&file, "xz", &["-0", "--check=crc32"], "xz"),
            1 => compress(&file, "zstd", &["-q"], "zst"),
            _ => Some(()),
        };
        if compressed.is_none() {
            return;
        }
    }
    let Some(expected) = version.depmod() else { return };
    assert_same(&version.indices(&[]), &expected);
}

/// Debian's depmod cannot read gzip, so that plain modules are compared.
#[test]
fn modules_in_gzip_get_the_indices_of_plain_ones() {
    let Some(kernel) = cloud_kernel() else { return };
    let (plain, packed) = (Version::of(&kernel), Version::of(&kernel));
    for path in module_paths(&kernel).iter().step_by(50) {
        plain.copy(&kernel, path);
        packed.copy(&kernel, path);
        if compress(&packed.directory().join(path), "gzip", &[], "gz").is_none() {
            return;
        }
    }
    let text = |version: &Version, name: &str| String::from_utf8(version.indices(&[])[name].clone()).unwrap();
    assert_eq!(text(&packed, "modules.dep"), text(&plain, "modules.dep").replace(".ko", ".ko.gz"));
    assert_eq!(text(&packed, "modules.alias"), text(&plain, "modules.alias"));
}

#[test]
fn modprobe_reads_the_indices_that_replaced_those_of_the_directory() {
    let Some(kernel) = cloud_kernel() else { return };
    let version = Version::of(&kernel);
    for path in module_paths(&kernel).iter().filter(|path| path.contains("/9p") || path.contains("/net")) {
        version.copy(&kernel, path);
    }
    version.file("modules.dep", b"kernel/old.ko:\n");
    // The ordinary user writes into the directory itself.
    let mut chmod = std::process::Command::new("chmod");
    assert!(chmod.arg("777").arg(version.directory()).status().unwrap().success());
    fs::remove_file(version.directory().join("modules.dep")).unwrap();
    let outcome = run(crate::product::rootcast()
        .arg("depmod")
        .arg(version.directory())
        .arg("-o")
        .arg(version.directory()));
    let outcome = outcome.success().unwrap_or_else(|why| panic!("{why}"));
    assert!(outcome.stderr.ends_with(" modules\n") && outcome.stdout.is_empty(), "{outcome}");
    let Some(mut modprobe) = judges::command("modprobe") else { return };
    modprobe.arg("-d").arg(version.scratch.path()).args([
        "-S",
        "1.2.3",
        "-C",
        "/dev/null",
        "--show-depends",
        "netfs",
    ]);
    let shown = run(&mut modprobe).success().unwrap_or_else(|why| panic!("{why}"));
    let path = version.directory().join("kernel/fs/netfs/netfs.ko");
    assert_eq!(shown.text(), format!("insmod {} \n", path.display()));
}
