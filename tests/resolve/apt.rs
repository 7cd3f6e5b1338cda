//! Selections of Debian's archives, which are those of `apt-get -s` in a root of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::judges;
use crate::product::{Scratch, rootcast, run};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Sets of packages: release, architecture, and names; the names with `-r` in front are with what
/// they recommend.
const SETS: [(&str, &str, &str); 6] = [
    ("trixie", "amd64", "systemd,init,iptables,chrony,kmod,dbus"),
    ("trixie", "amd64", "podman"),
    ("trixie", "amd64", "-r,openssh-server"),
    ("bookworm", "arm64", "systemd,coreutils,init,iptables,chrony,kmod,bash,dbus,udev"),
    ("bookworm", "arm64", "exim4,apache2,php"),
    ("bookworm", "arm64", "build-essential,python3-pip"),
];

/// The names of further sets, each tried with both releases and both architectures.
const LONG: [&str; 10] = [
    "gnome-shell",
    "docker.io",
    "network-manager,wpasupplicant",
    "postgresql",
    "mariadb-server",
    "nginx,default-jre",
    "qemu-system-x86",
    "samba",
    "cryptsetup,lvm2,grub2-common",
    "-r,build-essential",
];

/// Returns the roots of the host's archives of Debian and of its security updates.
fn mirrors() -> Option<[String; 2]> {
    let output = judges::command("apt-get")?
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE)"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let sites = || text.lines().filter_map(|line| line.split_once(' '));
    let main = sites().find(|(_, release)| !release.contains('-') && !release.contains('/'));
    let security = sites().find(|(_, release)| release.contains("-security"));
    let (Some((main, _)), Some((security, _))) = (main, security) else {
        judges::skip("apt-get -s", "the sources of apt on this host have no archive of Debian");
        return None;
    };
    Some([main.to_owned(), security.to_owned()])
}

/// A root of apt for a release and an architecture, with its lists.
struct AptRoot {
    directory: PathBuf,
}

impl AptRoot {
    fn new(directory: PathBuf, [main, security]: &[String; 2], release: &str, architecture: &str) -> Self {
        for folder in
            ["etc/apt/apt.conf.d", "etc/apt/preferences.d", "lists/partial", "cache/archives/partial", "dpkg"]
        {
            fs::create_dir_all(directory.join(folder)).expect("a new directory");
        }
        fs::write(directory.join("dpkg/status"), "").expect("a new file");
        let options = format!("[arch={architecture} signed-by={KEYRING}]");
        let sources = format!(
            "deb {options} {main} {release} main\ndeb {options} {main} {release}-updates main\n\
             deb {options} {security} {release}-security main\n"
        );
        fs::write(directory.join("etc/apt/sources.list"), sources).expect("a new file");
        let path = directory.display();
        let configuration = format!(
            "Dir \"{path}\"; Dir::Etc \"{path}/etc/apt\"; Dir::State \"{path}\"; Dir::Cache \"{path}/cache\";\n\
             Dir::State::status \"{path}/dpkg/status\"; APT::Architecture \"{architecture}\";\n\
             APT::Architectures {{ \"{architecture}\"; }}; APT::Sandbox::User \"root\"; Acquire::Languages \"none\";\n\
             Debug::NoLocking \"1\"; Acquire::Check-Date \"true\"; APT::Solver \"internal\";\n"
        );
        fs::write(directory.join("apt.conf"), configuration).expect("a new file");
        let root = Self { directory };
        let updated = run(root.command().arg("update"));
        updated.success().unwrap_or_else(|why| panic!("{why}"));
        root
    }

    fn command(&self) -> Command {
        let mut apt = judges::command("apt-get").expect("it was found before");
        apt.env("APT_CONFIG", self.directory.join("apt.conf"));
        apt
    }

    /// Returns what apt would install, as `NAME=VERSION`.
    fn install(&self, names: &str) -> BTreeSet<String> {
        let recommends =
            if names.starts_with("-r,") { "--install-recommends" } else { "--no-install-recommends" };
        let names = names.split(',').filter(|name| *name != "-r");
        let simulated = run(self.command().args(["-s", recommends, "install"]).args(names));
        let simulated = simulated.success().unwrap_or_else(|why| panic!("{why}"));
        // Inst NAME (VERSION ARCHIVE [ARCHITECTURE])
        let text = simulated.text();
        let lines = text.lines().filter_map(|line| line.strip_prefix("Inst "));
        let package = |line: &str| {
            let mut words = line.split(' ');
            let name = words.next()?.split(':').next()?;
            Some(format!("{name}={}", words.next()?.strip_prefix('(')?))
        };
        lines.filter_map(package).collect()
    }
}

/// Returns what rootcast selects, as `NAME=VERSION`.
fn resolve(
    scratch: &Path,
    mirrors: &[String; 2],
    (release, architecture, names): (&str, &str, &str),
) -> BTreeSet<String> {
    let mut command = rootcast();
    command.args(["resolve", &format!("debian:{release}"), "--variant", "custom", "--arch", architecture]);
    command.args(["--mirror", &mirrors[0], "--mirror", &mirrors[1], "--keyring", KEYRING]);
    command.arg("--cache").arg(scratch.join("cache"));
    let include: Vec<&str> = names.split(',').filter(|name| *name != "-r").collect();
    command.args(["--include", &include.join(",")]);
    if names.starts_with("-r,") {
        command.arg("--recommends");
    }
    let outcome = run(&mut command).success().unwrap_or_else(|why| panic!("{why}"));
    outcome.text().lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn compare(sets: &[(&str, &str, &str)]) {
    let Some(mirrors) = mirrors() else { return };
    if !Path::new(KEYRING).exists() {
        judges::skip("apt-get -s", "the keys of Debian are not on this host");
        return;
    }
    let scratch = Scratch::new();
    let mut roots: Vec<((&str, &str), AptRoot)> = Vec::new();
    for set in sets {
        let (release, architecture, names) = *set;
        let key = (release, architecture);
        if roots.iter().all(|(known, _)| *known != key) {
            let directory = scratch.join(format!("{release}-{architecture}"));
            roots.push((key, AptRoot::new(directory, &mirrors, release, architecture)));
        }
        let (_, root) = roots.iter().find(|(known, _)| *known == key).expect("it was made");
        let expected = root.install(names);
        let found = resolve(scratch.path(), &mirrors, *set);
        assert!(expected.len() > 10, "{expected:?}");
        let of_apt: Vec<_> = expected.difference(&found).collect();
        let own: Vec<_> = found.difference(&expected).collect();
        assert!(of_apt.is_empty() && own.is_empty(), "{set:?}: only apt {of_apt:?}, only rootcast {own:?}");
    }
}

#[test]
fn selections_are_those_of_apt() {
    compare(&SETS);
}

#[test]
fn forty_selections_are_those_of_apt() {
    if !judges::long_tests() {
        return;
    }
    let releases = [("trixie", "amd64"), ("trixie", "arm64"), ("bookworm", "amd64"), ("bookworm", "arm64")];
    let sets = releases
        .iter()
        .flat_map(|(release, architecture)| LONG.map(|names| (*release, *architecture, names)));
    compare(&sets.collect::<Vec<_>>());
}
