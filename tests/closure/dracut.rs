//! The recipe `kata-dracut` beside dracut 059 of Debian 12, which runs in the same tree with Kata's
//! configuration: a long test. Every path that only one of them has is in a table with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image_tree::glob::Glob;

use crate::judges;
use crate::product::{Scratch, rootcast_as_root, run};

/// The packages that Kata's builder installs for the modules of dracut in its configuration.
const PACKAGES: &str = "systemd-sysv,udev,dbus,kmod,rsyslog,dracut-core";

const CONFIGURATION: &str = "hostonly=\"no\"\nhostonly_cmdline=\"no\"\n\
    dracutmodules=\"kernel-modules udev-rules syslog systemd dbus\"\ndrivers=\"virtio_net zram\"\n";

/// Patterns of paths that only dracut's has, with the reason.
const ONLY_DRACUT: &[(&str, &str)] = &[
    ("/dev/*", "the kernel makes them in devtmpfs"),
    ("/init", "initrd makes it by --init"),
    ("/sysroot", "dracut's place for another root"),
    ("/etc/cmdline.d", "dracut's own"),
    ("/etc/conf.d", "dracut's own"),
    ("/etc/conf.d/*", "dracut's own"),
    ("/usr/lib/dracut/**", "dracut's own"),
    ("/usr/sbin/insmodpost.sh", "dracut's own"),
    ("/usr/sbin/rsyslogd-stop", "dracut's own"),
    ("/etc/templates", "the configuration of rsyslogd, which no unit starts"),
    ("/etc/templates/*", "the configuration of rsyslogd, which no unit starts"),
    ("/usr/lib/systemd/system/syslog.socket", "the socket of rsyslogd"),
    ("/usr/sbin/rsyslogd", "no unit starts it: --keep-first keeps one"),
    ("/usr/lib/*/rsyslog", "modules of rsyslogd"),
    ("/usr/lib/*/rsyslog/*", "modules of rsyslogd"),
    ("/usr/lib/*/libestr.so*", "a library of rsyslogd"),
    ("/usr/lib/*/libfastjson.so*", "a library of rsyslogd"),
    ("/etc/dbus-1/interfaces", "an empty directory"),
    ("/etc/dbus-1/*services", "an empty directory"),
    ("/usr/share/dbus-1/interfaces", "an empty directory"),
    ("/usr/share/dbus-1/session.d", "an empty directory"),
    ("/etc/udev/rules.d", "for dracut's own rules"),
    ("/etc/udev/rules.d/*-persistent-storage.rules", "dracut's rules for its search of the root"),
    ("/usr/lib/systemd/system/*.target", "basic.target does not pull them in: --keep-unit adds them"),
    ("/usr/lib/systemd/system/*.service", "basic.target does not pull them in: --keep-unit adds them"),
    ("/usr/lib/systemd/systemd-*", "a program of a unit that is not pulled in"),
    ("/usr/bin/*", "no unit runs it: --keep adds it"),
    ("/usr/sbin/*", "no unit runs it: --keep adds it"),
    ("/usr/lib/*/libnss_*.so.2", "nsswitch.conf does not name it"),
];

/// Patterns of paths that only the recipe keeps, with the reason.
const ONLY_RECIPE: &[(&str, &str)] = &[
    ("/home", "guest-files"),
    ("/media", "guest-files"),
    ("/mnt", "guest-files"),
    ("/srv", "guest-files"),
    ("/var/*", "directories that tmpfiles.d and units name"),
    ("/var/log/journal", "directories that tmpfiles.d and units name"),
    ("/etc/hosts", "guest-files"),
    ("/etc/resolv.conf", "guest-files"),
    ("/etc/hostname", "guest-files"),
    ("/etc/*shadow", "accounts that programs read"),
    ("/etc/fstab", "systemd reads it"),
    ("/etc/mtab", "mount reads it"),
    ("/etc/localtime", "systemd reads it"),
    ("/etc/nsswitch.conf", "glibc reads it"),
    ("/etc/os-release", "systemd reads it"),
    ("/usr/lib/os-release", "systemd reads it"),
    ("/etc/modules", "systemd-modules-load reads it by a link"),
    ("/etc/modules-load.d", "systemd-modules-load reads it"),
    ("/etc/modules-load.d/*", "systemd-modules-load reads it"),
    ("/etc/systemd/*.conf", "the configuration of daemons"),
    ("/etc/systemd/system/sysinit.target.wants", "wanted in the tree"),
    ("/etc/systemd/system/sysinit.target.wants/*", "wanted in the tree"),
    ("/usr/lib/systemd/system/**", "what sysinit, sockets and timers want in the tree"),
    ("/usr/lib/systemd/systemd-*", "programs of these units"),
    ("/usr/bin/systemd-*", "programs of these units"),
    ("/usr/bin/rm", "a program of a unit"),
    ("/usr/bin/bash", "debug-shell.service runs it as root's shell"),
    ("/usr/lib/*/libtinfo.so*", "a library of bash"),
    ("/usr/sbin/sulogin", "rescue.service and emergency.service run it"),
    ("/usr/sbin/*fsck*", "systemd-fsck runs them"),
    ("/usr/sbin/halt", "systemctl's names"),
    ("/usr/sbin/shutdown", "systemctl's names"),
    ("/usr/lib/dracut/**", "dracut-shutdown.service of the package is wanted by sysinit.target"),
    ("/usr/lib/dbus-1.0", "services of D-Bus can be activated"),
    ("/usr/lib/dbus-1.0/*", "services of D-Bus can be activated"),
    ("/usr/share/dbus-1/**", "services of D-Bus can be activated"),
    ("/usr/lib/sysusers.d", "systemd-sysusers reads it"),
    ("/usr/lib/sysusers.d/*", "systemd-sysusers reads it"),
    ("/usr/lib/tmpfiles.d/*", "systemd-tmpfiles reads it"),
    ("/usr/lib/systemd/network", "udev's links"),
    ("/usr/lib/systemd/network/*", "udev's links"),
    ("/usr/lib/udev/**", "all of udev's rules, with their helpers"),
    ("/usr/lib/*/cryptsetup", "plugins of libcryptsetup"),
    ("/usr/lib/*/cryptsetup/*", "plugins of libcryptsetup"),
    ("/usr/lib/*/ossl-modules", "OpenSSL opens it"),
    ("/usr/lib/*/ossl-modules/*", "OpenSSL opens it"),
    ("/usr/lib/*/lib*.so*", "libraries of these programs"),
    ("/usr/share/zoneinfo", "where /etc/localtime leads"),
    ("/usr/share/zoneinfo/**", "where /etc/localtime leads"),
    ("/usr/lib/modules/*/modules.weakdep", "a list that newer depmods write"),
];

/// Makes a tree with dracut, or returns `None` after a visible skip.
fn tree(scratch: &Scratch) -> Option<PathBuf> {
    if !judges::is_root() {
        judges::skip("dracut", "only root changes the root directory");
        return None;
    }
    let root = scratch.join("root");
    let mut mmdebstrap = judges::command("mmdebstrap")?;
    mmdebstrap.args(["--quiet", "--mode=root", "--variant=minbase", "--include", PACKAGES, "bookworm"]);
    if let Err(why) = run(mmdebstrap.arg(&root)).success() {
        judges::skip("mmdebstrap", &format!("the packages of bookworm could not be installed: {why}"));
        return None;
    }
    fs::create_dir(root.join("tmp/conf.d")).unwrap();
    fs::write(root.join("tmp/conf.d/kata.conf"), CONFIGURATION).unwrap();
    Some(root)
}

/// Returns the names of an archive.
fn names(archive: &Path, program: &str, arguments: &[&str]) -> Option<BTreeSet<String>> {
    let mut command = judges::command(program)?;
    command.args(arguments).stdin(Stdio::from(fs::File::open(archive).unwrap()));
    let listed = run(&mut command).success().unwrap_or_else(|why| panic!("{why}")).text();
    let names = listed.lines().map(|line| line.trim_start_matches("./").trim_end_matches('/'));
    Some(names.filter(|name| !matches!(*name, "" | ".")).map(|name| format!("/{name}")).collect())
}

/// Returns the names of dracut's initramfs and those that the recipe keeps.
fn both(root: &Path, scratch: &Scratch, kernel: Option<&str>) -> Option<[BTreeSet<String>; 2]> {
    let mut dracut = Command::new("chroot");
    dracut.arg(root).args(["dracut", "-q", "--conf", "/dev/null", "--confdir", "/tmp/conf.d"]);
    dracut.args(["--no-compress", "--force", "/tmp/initrd"]);
    let archive = scratch.join("archive.tar");
    let mut rootcast = rootcast_as_root();
    rootcast.arg("tar").arg(root).args(["--recipe", "kata-dracut", "--force", "-o"]).arg(&archive);
    match kernel {
        Some(version) => {
            dracut.args(["--kver", version]);
            rootcast.args(["--keep-module", "virtio_net,zram"]);
        }
        None => _ = dracut.arg("--no-kernel"),
    }
    run(&mut dracut).success().unwrap_or_else(|why| panic!("{why}"));
    run(&mut rootcast).success().unwrap_or_else(|why| panic!("{why}"));
    let theirs = names(&root.join("tmp/initrd"), "cpio", &["-it", "--quiet"])?;
    Some([theirs, names(&archive, "tar", &["-tf", "-"])?])
}

/// Returns the paths without a reason, and adds the rows that give one.
fn unexplained(
    paths: &BTreeSet<&String>,
    table: &'static [(&'static str, &'static str)],
    used: &mut BTreeSet<&'static str>,
) -> Vec<String> {
    let mut left = Vec::new();
    for path in paths {
        let matches = |pattern: &str| Glob::parse(pattern.as_bytes()).unwrap().matches(path.as_bytes());
        match table.iter().find(|(pattern, _)| matches(pattern)) {
            Some((pattern, _)) => _ = used.insert(pattern),
            None => left.push((*path).clone()),
        }
    }
    left
}

#[test]
fn every_difference_to_dracut_has_a_reason() {
    if !judges::long_tests() {
        return;
    }
    let scratch = Scratch::below(Path::new("/var/tmp"));
    let (Some(root), Some(kernel)) = (tree(&scratch), judges::cloud_kernel()) else { return };
    let version = kernel.file_name().unwrap().to_str().unwrap().strip_prefix("vmlinuz-").unwrap();
    let (mut of_dracut, mut of_recipe) = (BTreeSet::new(), BTreeSet::new());
    for kernel in [None, Some(version)] {
        if kernel.is_some() {
            fs::create_dir_all(root.join("lib/modules")).unwrap();
            let modules = Path::new("/lib/modules").join(version);
            let mut cp = judges::command("cp").unwrap();
            run(cp.arg("-a").arg(modules).arg(root.join("lib/modules"))).success().unwrap();
        }
        let Some([theirs, ours]) = both(&root, &scratch, kernel) else { return };
        let only_theirs = theirs.difference(&ours).collect();
        assert_eq!(unexplained(&only_theirs, ONLY_DRACUT, &mut of_dracut), Vec::<String>::new());
        let only_ours = ours.difference(&theirs).collect();
        assert_eq!(unexplained(&only_ours, ONLY_RECIPE, &mut of_recipe), Vec::<String>::new());
        println!("{} {} {}", theirs.len(), ours.len(), theirs.intersection(&ours).count());
    }
    let unused = |table: &'static [(&str, &str)], used: &BTreeSet<&str>| {
        let rows = table.iter().filter(|(pattern, _)| !used.contains(pattern));
        rows.map(|(pattern, _)| *pattern).collect::<Vec<_>>()
    };
    assert_eq!(unused(ONLY_DRACUT, &of_dracut), Vec::<&str>::new(), "rows for no difference");
    assert_eq!(unused(ONLY_RECIPE, &of_recipe), Vec::<&str>::new(), "rows for no difference");
}
