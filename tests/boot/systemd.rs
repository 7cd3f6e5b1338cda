//! Machines of two releases of Debian reach `multi-user.target` and accept a login, from an image
//! that holds only what these need.

mod long;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{DONE, machine, machine_with, recipes};
use crate::judges;
use crate::oracle::sgdisk;
use crate::product::{Scratch, rootcast_as_root, run};

/// The packages of a guest that serves ssh, and the client by which it logs in to itself.
const PACKAGES: &str =
    "systemd-sysv,udev,dbus,openssh-server,openssh-client,libpam-systemd,kmod,login,rsyslog,cron";

/// The flags of the image: the probe's programs are those beside the units.
const KEEP: [&str; 18] = [
    "--keep-unit",
    "multi-user.target",
    "--keep-unit",
    "ssh.service",
    "--pam",
    "sshd",
    "--keep",
    "/probe",
    "--keep",
    "/askpass",
    "--keep",
    "/usr/bin/ssh",
    "--keep",
    "/home/guest",
    "--symlink",
    "/sbin/init:/init",
    "--keep",
    "/init",
];

/// An account with the password "secret", hashed by `openssl passwd -6 -salt rootcast`.
const ACCOUNT: [(&str, &str); 3] = [
    ("passwd", "guest:x:1000:1000::/home/guest:/bin/sh\n"),
    ("group", "guest:x:1000:\n"),
    (
        "shadow",
        "guest:$6$rootcast$DWQyebiXpms9NkSPmal3EuB2nXxzgiAXpucBAVsPweRHVqrUqADXf4DxF.B8NLWUlRdSdUweg5eeP.V8dARb90\
         :20000:0:99999:7:::\n",
    ),
];

const PROBE: &str = "[Unit]\nDefaultDependencies=no\nAfter=basic.target\n[Service]\nExecStart=/probe\n";

#[test]
fn a_machine_of_debian_12_reaches_multi_user_and_accepts_a_login() {
    check("bookworm");
}

#[test]
fn a_machine_of_debian_13_reaches_multi_user_and_accepts_a_login() {
    check("trixie");
}

fn check(release: &str) {
    if !cfg!(target_arch = "x86_64") {
        judges::skip("boot", "the guest's kernel is for x86-64");
        return;
    }
    let scratch = Scratch::new();
    let Some(root) = tree(release, &scratch) else { return };
    check_units(&scratch, &root);
    // Debian 12 starts by an initramfs, Debian 13 without one.
    let is_first = release == "bookworm";
    let initrd = is_first.then(|| recipes::switching(&scratch, &root)).flatten();
    let Some(reduced) = boot(&scratch, &root, &KEEP, initrd.as_deref()) else { return };
    let expected = if judges::long_tests() {
        let Some(whole) = boot(&scratch, &root, &["--symlink", "/sbin/init:/init"], None) else { return };
        whole
    } else {
        Guest { state: "running".to_owned(), failed: BTreeSet::new(), transcript: String::new() }
    };
    assert!(reduced.failed.is_subset(&expected.failed), "{:?}\n{}", reduced.failed, reduced.transcript);
    assert_eq!(reduced.state, expected.state, "{}", reduced.transcript);
    assert!(reduced.says("guest: reached multi-user.target"), "{}", reduced.transcript);
    assert!(reduced.says("guest: login of guest in session 1"), "{}", reduced.transcript);
    if is_first {
        assert!(reduced.transcript.contains("initrd-switch-root.target"), "{}", reduced.transcript);
        assert!(reduced.transcript.contains("virtio_blk virtio0: [vda]"), "{}", reduced.transcript);
        recipes::check_kata(&scratch, &root);
        recipes::check_agent(&scratch, &root);
        recipes::check_measured(&scratch, &root);
        if judges::long_tests() {
            long::check_generic_kernel(&scratch, &root);
            long::check_encrypted(&scratch, &root);
        }
    }
}

/// Makes a tree of a release with an account and the probe, or returns `None` after a visible skip.
fn tree(release: &str, scratch: &Scratch) -> Option<PathBuf> {
    if !judges::is_root() {
        judges::skip("mmdebstrap", "only root makes a tree with the owners of its files");
        return None;
    }
    let root = scratch.join("root");
    let mut mmdebstrap = judges::command("mmdebstrap")?;
    mmdebstrap.args(["--quiet", "--mode=root", "--variant=minbase", "--include", PACKAGES, release]);
    if let Err(why) = run(mmdebstrap.arg(&root)).success() {
        judges::skip("mmdebstrap", &format!("the packages of {release} could not be installed: {why}"));
        return None;
    }
    for (name, line) in ACCOUNT {
        let path = root.join("etc").join(name);
        fs::write(&path, fs::read_to_string(&path).unwrap() + line).unwrap();
    }
    let home = root.join("home/guest");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(1000), Some(1000)).unwrap();
    program(&root.join("probe"), include_str!("systemd/probe.sh"));
    program(&root.join("askpass"), "#!/bin/sh\necho secret\n");
    let units = root.join("etc/systemd/system");
    fs::write(units.join("probe.service"), PROBE).unwrap();
    symlink("../probe.service", units.join("multi-user.target.wants/probe.service")).unwrap();
    Some(root)
}

pub(super) fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Checks that systemd finds every unit and program of the reduced tree that it finds in the whole
/// one.
fn check_units(scratch: &Scratch, root: &Path) {
    let (archive, reduced) = (scratch.join("reduced.tar"), scratch.join("reduced"));
    let mut command = rootcast_as_root();
    command.arg("tar").arg(root).args(["-q", "--mode", "600", "-o"]).arg(&archive).args(KEEP);
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    fs::create_dir(&reduced).unwrap();
    let Some(mut tar) = judges::command("tar") else { return };
    run(tar.arg("-C").arg(&reduced).arg("-xf").arg(&archive)).success().unwrap();
    let (Some(whole), Some(reduced)) = (complaints(root), complaints(&reduced)) else { return };
    let more: Vec<&String> = reduced.difference(&whole).collect();
    assert!(more.is_empty(), "{more:#?}");
}

/// Returns the complaints of `systemd-analyze verify` about the units that start at boot, except
/// those about settings that are newer than the judge.
fn complaints(root: &Path) -> Option<BTreeSet<String>> {
    let mut analyze = judges::command("systemd-analyze")?;
    analyze.args(["verify", "--man=no", "default.target"]).arg(format!("--root={}", root.display()));
    let outcome = run(&mut analyze);
    let lines = outcome.stderr.lines().map(|line| line.replace(root.to_str().unwrap(), ""));
    let is_new = |line: &String| line.contains("Unknown key") || line.contains("Failed to parse");
    Some(lines.filter(|line| !is_new(line)).collect())
}

/// A machine that was booted.
struct Guest {
    /// The word of `systemctl is-system-running`.
    state: String,
    failed: BTreeSet<String>,
    transcript: String,
}

impl Guest {
    fn says(&self, line: &str) -> bool {
        self.transcript.lines().any(|found| found.trim_end().ends_with(line))
    }
}

/// Boots an image of a tree, or returns `None` after a visible skip.
fn boot(scratch: &Scratch, root: &Path, flags: &[&str], initrd: Option<&Path>) -> Option<Guest> {
    let disk = scratch.join("disk");
    let mut command = rootcast_as_root();
    command.arg("image").arg(root).args(["-q", "--force", "--mode", "600", "--layout", "gpt", "-o"]);
    command.arg(&disk).args(["--arch", "x86_64", "--free", "64M"]).args(flags);
    run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    let table = sgdisk::judge(&disk, 512)?;
    let partition = table.partitions[0].unique_guid.to_lowercase();
    let root = format!("PARTUUID={partition}");
    let transcript = match initrd {
        Some(initrd) => {
            machine_with(&judges::cloud_kernel()?, &format!("root={root} init=/init"), &disk, initrd)?
        }
        None => machine(&root, &[disk])?,
    };
    assert!(transcript.contains(DONE), "the guest did not get to its end:\n{transcript}");
    let after = |word: &str| {
        let lines = transcript.lines().filter_map(|line| line.split_once(word));
        lines.map(|(_, rest)| rest.trim().to_owned()).collect::<BTreeSet<String>>()
    };
    let state = after("guest: state ").pop_first().unwrap_or_default();
    Some(Guest { state, failed: after("guest: failed "), transcript })
}
