//! Directories that `rootcast fetch` writes, which are archives without a network.

use std::fs;

use super::repository::{Archive, failed, names};
use crate::fetch::server::Server;
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

#[test]
fn a_run_without_a_network_selects_what_one_with_it_did() {
    let Some(archive) = Archive::new() else { return };
    let scratch = Scratch::new();
    // The form of archives without InRelease, behind a server that has only the packages.
    let dists = archive.root().join("dists/noble");
    let text = fs::read_to_string(dists.join("InRelease")).expect("a file");
    let start = text.find("\n\n").expect("the end of the headers") + 2;
    let end = text.find("-----BEGIN PGP SIGNATURE").expect("it is signed");
    fs::write(dists.join("Release"), &text[start..end]).expect("a file");
    archive.sign(&dists, &["--detach-sign"], "Release.gpg");
    fs::remove_file(dists.join("InRelease")).expect("it was there");
    let (nothing, server) = (Server::of_directory(scratch.path()), Server::of_directory(&archive.root()));
    let command = |arguments: &[&str]| {
        let mut command = rootcast();
        command.args(["resolve", "ubuntu:noble", "--arch", "amd64", "--include", "init"]);
        command.args(["--mirror", &nothing.url("/"), "--mirror", &server.url("/"), "--keyring"]);
        command.arg(archive.keyring()).arg("--cache").arg(scratch.join("cache")).args(arguments);
        run(&mut command)
    };
    failed(&command(&["--offline"]), 6, "InRelease of noble is in no cache, and --offline fetches nothing");
    let online = command(&[]).success().unwrap_or_else(|why| panic!("{why}"));
    assert!(online.to_string().contains("noble-updates is in no archive, and left out"), "{online}");
    let before = server.got().len() + nothing.got().len();
    let offline = command(&["--offline"]).success().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(offline.text(), online.text());
    assert_eq!(server.got().len() + nothing.got().len(), before, "nothing is fetched");
    for pocket in ["updates", "security"] {
        let expected = format!("noble-{pocket} is not in the cache, and left out because of --offline");
        assert!(offline.to_string().contains(&expected), "{offline}");
    }
    let named = command(&["--offline", "--pocket", "updates"]);
    failed(&named, 6, "InRelease of noble-updates is in no cache");
    failed(&command(&["--pocket", "updates"]), 3, "no archive has the suite noble-updates");
}

#[test]
fn a_pocket_that_cannot_be_read_is_not_left_out() {
    let Some(archive) = Archive::new() else { return };
    fs::create_dir_all(archive.root().join("dists/noble-updates/InRelease")).expect("a new directory");
    for arguments in [&[][..], &["--offline"]] {
        let outcome = run(&mut archive.command("resolve", arguments));
        failed(&outcome, 6, "dists/noble-updates/InRelease: is not a regular file");
    }
}
