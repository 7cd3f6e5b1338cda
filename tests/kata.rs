//! Guests of Kata: the setup of a tree, beside the steps of osbuilder's scripts.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::product::{Outcome, Scratch, as_ordinary_user, rootcast, run};

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

/// Returns the header of a static program for x86-64 with one segment, and no instruction.
fn static_program() -> Vec<u8> {
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(16, 0);
    let halves = |numbers: &[u16]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
    let words = |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
    // An executable for machine 62, version 1; its entry, and the place of the segments' headers.
    program.extend(halves(&[2, 62, 1, 0]));
    program.extend(words(&[0x40_0078, 64, 0]));
    program.extend(halves(&[0, 0, 64, 56, 1, 64, 0, 0]));
    // A segment that is loaded, readable and executable.
    program.extend(halves(&[1, 0, 5, 0]));
    program.extend(words(&[0, 0x40_0000, 0x40_0000, 120, 120, 0x1000]));
    program
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
    let files: [(&str, &str, u32); 8] = [
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
        ("var/lib/dpkg/status", "Package: a\n", 0o644),
        ("var/log/x.log", "of the host\n", 0o600),
    ];
    for (path, text, mode) in files {
        fs::write(root.join(path), text).unwrap();
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(root.join("usr/lib/systemd/systemd"), static_program()).unwrap();
    fs::set_permissions(root.join("usr/lib/systemd/systemd"), fs::Permissions::from_mode(0o755)).unwrap();
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
    guest("kata-rootfs", &root, &[&flag, "-q", &layout]);
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
    // A tarball of an agent is a source, and has its units; without systemd it needs none.
    fs::create_dir_all(scratch.join("agent/usr/bin")).unwrap();
    fs::copy(&agent, scratch.join("agent/usr/bin/kata-agent")).unwrap();
    fs::set_permissions(scratch.join("agent/usr/bin/kata-agent"), fs::Permissions::from_mode(0o755)).unwrap();
    let tarball = scratch.join("agent.tar.zst");
    shell("tar -C \"$1\" --zstd -cf \"$2\" usr", &[&scratch.join("agent"), &tarball]);
    let flag = format!("--agent={}", tarball.display());
    let refused = run(rootcast().arg("kata-rootfs").arg(&root).args([&flag, "--digest"]));
    assert_eq!(refused.code, Some(3), "{refused}");
    assert!(refused.stderr.contains("kata-agent.service: it is not in the tree"), "{refused}");
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

/// Runs a script's name, which is a link to the program, as an ordinary user.
fn script(scratch: &Scratch, name: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Outcome {
    let link = scratch.join(name);
    let program = rootcast().get_program().to_owned();
    if !link.exists() {
        symlink(program, &link).unwrap();
    }
    let mut command = Command::new(&link);
    command.args(arguments).envs(variables.iter().copied());
    let mut command = as_ordinary_user(command);
    run(command.current_dir(scratch.path()))
}

#[test]
fn the_scripts_are_there_by_their_names() {
    let scratch = Scratch::new();
    inputs(&scratch);
    let (root, agent) = (scratch.join("root"), scratch.join("kata-agent"));
    let mut setup = rootcast();
    setup
        .arg("kata-rootfs")
        .arg(&root)
        .arg("--agent")
        .arg(&agent)
        .arg("-q")
        .arg("-o")
        .arg(scratch.join("guest.tar"));
    run(&mut setup).success().unwrap();
    let digest = |arguments: &[&str]| {
        let mut command = rootcast();
        command.args(arguments).arg(scratch.join("guest.tar")).args(["--digest", "-q"]);
        run(&mut command).success().unwrap().text().trim().to_owned()
    };
    let sha256 = |name: &str| {
        let sum = shell("sha256sum \"$1\"", &[&scratch.join(name)]);
        sum.split_whitespace().next().unwrap_or_default().to_owned()
    };
    // As Kata's packaging calls it, with variables that are empty.
    let variables = [
        ("USE_DOCKER", "1"),
        ("IMAGE_SIZE_ALIGNMENT_MB", ""),
        ("MEASURED_ROOTFS", "yes"),
        ("BUILD_VARIANT", "base"),
    ];
    let made = script(&scratch, "image_builder.sh", &variables, &["guest.tar"]).success().unwrap();
    assert!(made.stderr.contains("INFO: USE_DOCKER has no effect"), "{made}");
    assert_eq!(sha256("kata-containers.img"), digest(&["image", "--preset", "kata", "--measured"]));
    let root_hash = fs::read_to_string(scratch.join("root_hash_base.txt")).unwrap();
    assert!(
        root_hash.starts_with("root_hash=") && root_hash.ends_with(",hash_block_size=4096\n"),
        "{root_hash}"
    );
    script(&scratch, "initrd_builder.sh", &[], &["-o", "my.img", "guest.tar"]).success().unwrap();
    assert_eq!(sha256("my.img"), digest(&["initrd", "--preset", "kata", "--compress", "gzip:9"]));
    let help = script(&scratch, "image_builder.sh", &[], &[]).success().unwrap().text();
    assert!(help.starts_with("Usage: image_builder.sh [options] <rootfs-dir>"), "{help}");
    for (variables, arguments, why) in [
        (&[("AGENT_INIT", "yes")][..], &["guest.tar"][..], "ERROR: the tree is not one of a Kata guest"),
        (&[("FS_TYPE", "xfs")], &["guest.tar"], "FS_TYPE=xfs"),
        (&[], &["missing"], "ERROR: "),
        (&[("BLOCK_SIZE", "9")], &["guest.tar"], "not 9"),
    ] {
        let outcome =
            script(&scratch, "image_builder.sh", variables, &[&["-o", "none.img"], arguments].concat());
        assert_eq!(outcome.code, Some(1), "{outcome}");
        assert!(outcome.stderr.contains(why), "{outcome}");
        assert!(!scratch.join("none.img").exists(), "{outcome}");
    }
}
