//! Directories that `rootcast fetch` writes, which are archives without a network.

use std::fs;

use super::repository::{Archive, names};
use crate::product::{Scratch, rootcast, run};

#[test]
fn a_fetched_directory_is_an_archive() {
    let Some(archive) = Archive::new() else { return };
    let output = Scratch::new();
    let to = output.join("packages");
    let arguments = ["--include", "init", "--to", to.to_str().expect("UTF-8")];
    let fetched = run(&mut archive.command("fetch", &arguments));
    let fetched = fetched.success().unwrap_or_else(|why| panic!("{why}"));
    assert!(fetched.to_string().contains("6 packages and their metadata"), "{fetched}");
    assert!(to.join("pool/main/init_1.66ubuntu1_amd64.deb").is_file());
    assert!(!to.join("pool/main/dbus_1.14.10-4ubuntu4_amd64.deb").exists());

    let mut command = rootcast();
    command.args([
        "resolve",
        "ubuntu:noble",
        "--arch",
        "amd64",
        "--include",
        "init",
        "--offline",
        "--mirror",
    ]);
    command.arg(format!("file:{}", to.display())).arg("--keyring").arg(archive.keyring());
    let again = run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(names(&again), ["base-files", "bash", "init", "libc6", "systemd", "systemd-sysv"]);

    // Packages that the archive lists and does not have are one error, and nothing is left behind.
    for missing in ["bash_5.2.21-2ubuntu4", "init_1.66ubuntu1"] {
        fs::remove_file(archive.root().join(format!("pool/main/{missing}_amd64.deb"))).expect("a file");
    }
    let other = output.join("other");
    let arguments = ["--include", "init", "--to", other.to_str().expect("UTF-8")];
    let failed = run(&mut archive.command("fetch", &arguments));
    assert_eq!(failed.code, Some(6), "{failed}");
    let text = failed.to_string();
    assert!(
        text.contains("package bash 5.2.21-2ubuntu4") && text.contains("package init 1.66ubuntu1"),
        "{text}"
    );
    assert!(!other.join("dists/noble/InRelease").exists());
}
