//! Guests of Kata: the setup of a tree, beside the steps of osbuilder's scripts.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::product::{Scratch, rootcast, run};

/// The steps of `rootfs.sh` after packages are installed, by the programs that it calls. `$1` is
/// the tree, `$2` the agent and `$3` the directory of its units.
const SCRIPT: &str = r#"
set -e
cd "$1"
rm -rf var/cache var/lib var/log var/tmp
ln -s ../tmp var/
mkdir -p etc/systemd/system
cp usr/share/systemd/tmp.mount etc/systemd/system/tmp.mount
printf 'refclock PHC /dev/ptp0 poll 3 dpoll -2 offset 0\nmakestep 1 -1\n' >> etc/chrony/chrony.conf
sed -i 's/^\(server \|pool \|peer \)/# &/g' etc/chrony/chrony.conf
sed -i -e 's/^\(ExecStart=.*\)-u [[:alnum:]_]*/\1/g' \
    -e '/^\[Unit\]/a ConditionPathExists=\/dev\/ptp0' \
    -e 's,^\(ReadWritePaths=.*\) /var/lib/chrony,\1 -/var/lib/chrony,' \
    -e 's/^\(StateDirectory\|LogsDirectory\)=/#&/' usr/lib/systemd/system/chrony.service
mkdir -p usr/bin
install -m 755 "$2" usr/bin/kata-agent
cp "$3"/kata-agent.service "$3"/kata-containers.target usr/lib/systemd/system/
mkdir -p etc/systemd/system/basic.target.wants etc/systemd/system/kata-containers.target.wants
ln -s /usr/lib/systemd/system/kata-containers.target etc/systemd/system/basic.target.wants/
ln -s /usr/lib/systemd/system/dbus.socket etc/systemd/system/kata-containers.target.wants/
sed -i '/\/run /d' etc/fstab
echo 'tmpfs /run tmpfs nodev,nosuid,size=50% 0 0' >> etc/fstab
sed -i '/^\[Unit\]/,/^\[/{/^Requires=/a Requires=systemd-remount-fs.service
}' usr/lib/systemd/system/kata-containers.target
mkdir -p etc/kata-opa
cp "$3"/allow.rego etc/kata-opa/
ln -s allow.rego etc/kata-opa/default-policy.rego
rm etc/resolv.conf
touch etc/resolv.conf etc/machine-id
chmod 444 etc/machine-id
chmod g+rx,o+x .
"#;

/// The type, mode, target and checksum of each name.
const LIST: &str = r#"
cd "$1"
find . ! -path ./var/lib ! -path './var/lib/*' \( -type f -printf '%P %y %m ' -exec sh -c 'sha256sum < "$1"' - {} \; \
    -o -printf '%P %y %m %l\n' \) | LC_ALL=C sort
"#;

fn shell(script: &str, arguments: &[&Path]) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).args(arguments);
    run(&mut shell).success().unwrap_or_else(|why| panic!("{why}")).text()
}

/// Makes a tree as packages leave it, an agent and its units.
fn inputs(scratch: &Scratch) {
    let root = scratch.join("root");
    for directory in [
        "usr/lib/systemd/system",
        "usr/share/systemd",
        "usr/bin",
        "etc/chrony",
        "sbin",
        "var/cache/apt",
        "var/lib/dpkg",
        "var/log",
        "var/tmp",
        "tmp",
        "bin",
    ] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let files: [(&str, &str, u32); 9] = [
        ("etc/os-release", "ID=debian\nVERSION_CODENAME=trixie\n", 0o644),
        ("etc/chrony/chrony.conf", "# servers\npool pool.example iburst\nserver a\nrtcsync\n", 0o644),
        ("etc/fstab", "proc /proc proc defaults 0 0\ntmpfs /run tmpfs size=9 0 0\n", 0o644),
        ("usr/share/systemd/tmp.mount", "[Mount]\nWhat=tmpfs\nWhere=/tmp\n", 0o644),
        (
            "usr/lib/systemd/system/chrony.service",
            "[Unit]\nDescription=x\n[Service]\nExecStart=/usr/sbin/chronyd -u _chrony -F 1\nStateDirectory=chrony\n\
             LogsDirectory=chrony\nReadWritePaths=/run /var/lib/chrony -/var/log\n",
            0o644,
        ),
        ("usr/lib/systemd/system/dbus.socket", "[Socket]\n", 0o644),
        ("usr/lib/systemd/systemd", "#!/bin/sh\n", 0o755),
        ("var/lib/dpkg/status", "Package: a\n", 0o644),
        ("var/log/x.log", "of the host\n", 0o600),
    ];
    for (path, text, mode) in files {
        fs::write(root.join(path), text).unwrap();
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("usr/lib", root.join("lib")).unwrap();
    symlink("/lib/systemd/systemd", root.join("sbin/init")).unwrap();
    symlink("/run/resolv.conf", root.join("etc/resolv.conf")).unwrap();
    let units = scratch.join("units");
    fs::create_dir_all(&units).unwrap();
    fs::write(units.join("kata-agent.service"), "[Service]\nExecStart=/usr/bin/kata-agent\n").unwrap();
    fs::write(units.join("kata-containers.target"), "[Unit]\nRequires=basic.target\nAfter=basic.target\n")
        .unwrap();
    fs::write(units.join("allow.rego"), "package agent_policy\n").unwrap();
    fs::write(scratch.join("kata-agent"), "#!/bin/sh\nexit 0\n").unwrap();
}

#[test]
fn a_guest_equals_what_the_scripts_make() {
    let scratch = Scratch::new();
    inputs(&scratch);
    let (root, judged) = (scratch.join("root"), scratch.join("judged"));
    let (agent, units) = (scratch.join("kata-agent"), scratch.join("units"));
    shell("cp -a \"$1\" \"$2\"", &[&root, &judged]);
    shell(SCRIPT, &[&judged, &agent, &units]);
    let archive = scratch.join("out.tar");
    let mut command = rootcast();
    command.arg("kata-rootfs").arg(&root).arg("-o").arg(&archive).arg("--agent").arg(&agent);
    command.arg("--agent-units").arg(&units).arg("--agent-policy").arg(units.join("allow.rego"));
    run(command.args(["--confidential", "-q"])).success().unwrap();
    let ours = scratch.join("ours");
    fs::create_dir(&ours).unwrap();
    shell("tar -C \"$1\" -xpf \"$2\"", &[&ours, &archive]);
    let (expected, found) = (shell(LIST, &[&judged]), shell(LIST, &[&ours]));
    assert_eq!(found, expected);
    let summary = fs::read_to_string(ours.join("var/lib/osbuilder/osbuilder.yaml")).unwrap();
    assert!(summary.contains("base-distro:\n  name: \"debian\"\n  version: \"trixie\"\n"), "{summary}");
}

#[test]
fn the_setup_is_the_same_for_every_verb_that_takes_it() {
    let scratch = Scratch::new();
    inputs(&scratch);
    let (root, agent) = (scratch.join("root"), scratch.join("kata-agent"));
    let guest = |verb: &str, source: &Path, arguments: &[&str]| {
        let mut command = rootcast();
        command.arg(verb).arg(source).args(arguments);
        run(&mut command).success().unwrap_or_else(|why| panic!("{why}")).text()
    };
    let flag = format!("--kata-agent={}", agent.display());
    let archive = scratch.join("guest.tar");
    let to = format!("--output={}", archive.display());
    guest("kata-rootfs", &root, &[&flag, "-q", &to]);
    let layout = format!("--output=oci:{}:guest", scratch.join("images").display());
    guest("kata-rootfs", &root, &[&flag, "-q", "--arch", "x86-64", &layout]);
    let disk = ["--preset", "kata", "--measured", "--digest"];
    let digest = guest("image", &archive, &disk);
    assert_eq!(guest("image", &root, &[&disk[..], &[&flag, "--owner", "root"]].concat()), digest);
    let image = format!("oci:{}:guest", scratch.join("images").display());
    assert_eq!(guest("image", Path::new(&image), &[&disk[..], &["--image-config", "none"]].concat()), digest);
    let initrd = ["--preset", "kata", "--digest"];
    assert_eq!(
        guest("initrd", &archive, &initrd),
        guest("initrd", &root, &[&initrd[..], &[&flag, "--owner", "root"]].concat())
    );
    // A tarball of an agent is a source; it has its units.
    fs::create_dir_all(scratch.join("agent/usr/bin")).unwrap();
    fs::copy(&agent, scratch.join("agent/usr/bin/kata-agent")).unwrap();
    fs::set_permissions(scratch.join("agent/usr/bin/kata-agent"), fs::Permissions::from_mode(0o755)).unwrap();
    let tarball = scratch.join("agent.tar.zst");
    shell("tar -C \"$1\" --zstd -cf \"$2\" usr", &[&scratch.join("agent"), &tarball]);
    let flag = format!("--agent={}", tarball.display());
    let listing = guest("kata-rootfs", &root, &[&flag, "--agent-init", "-q", "--digest"]);
    assert_eq!(listing.trim().len(), 64);
}

#[test]
fn a_tree_that_is_not_a_guests_is_refused() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("empty")).unwrap();
    for arguments in [
        &["image", "--preset", "kata", "--digest"][..],
        &["initrd", "--preset", "kata", "--digest"],
        &["kata-rootfs", "--digest"],
    ] {
        let outcome = run(rootcast().args(arguments).arg(scratch.join("empty")));
        assert_eq!(outcome.code, Some(3), "{outcome}");
        let names_it = ["/sbin/init", "/usr/bin/kata-agent"].iter().any(|path| outcome.stderr.contains(path));
        assert!(names_it, "{outcome}");
    }
    let mut skipped = rootcast();
    skipped.args(["image", "--preset", "kata", "--no-rootfs-check", "--digest"]).arg(scratch.join("empty"));
    run(&mut skipped).success().unwrap();
}
