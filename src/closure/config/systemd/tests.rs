use super::*;
use crate::closure::Kind;
use crate::closure::config::unit::Follow;
use crate::closure::dependency::{Dependency, Target};
use crate::closure::testing::tree;
use image_tree::Tree;

const UNITS: &str = "/usr/lib/systemd/system";

/// Returns a tree with the units that start at boot, and more files.
fn guest(more: &[(&str, &str)]) -> Tree<Vec<u8>> {
    let units = [
        ("default.target", "-> multi-user.target"),
        ("multi-user.target", "[Unit]\nRequires=basic.target\nWants=getty.target\n"),
        ("basic.target", "[Unit]\nRequires=sysinit.target\nWants=sockets.target\n"),
        (
            "sysinit.target",
            "[Unit]\nWants=systemd-udevd.service systemd-tmpfiles-setup.service systemd-sysusers.service\n",
        ),
        ("getty.target", "[Unit]\n"),
        ("serial-getty@.service", "[Service]\nExecStart=-/sbin/agetty\n"),
        (
            "systemd-udevd.service",
            "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/usr/lib/systemd/systemd-udevd\n",
        ),
        (
            "systemd-tmpfiles-setup.service",
            "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=systemd-tmpfiles --create\n",
        ),
        (
            "systemd-sysusers.service",
            "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=systemd-sysusers\n",
        ),
        ("emergency.target", "[Unit]\n"),
        ("x.service", "[Service]\nExecStart=/usr/sbin/xd\nUser=daemon\n"),
    ];
    let mut files: Vec<(String, &str)> =
        units.iter().map(|(name, text)| (format!("{UNITS}/{name}"), *text)).collect();
    files.push((format!("{UNITS}/multi-user.target.wants/x.service"), "-> ../x.service"));
    files.extend(more.iter().map(|(path, text)| ((*path).to_owned(), *text)));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    tree(&files)
}

fn completed(
    tree: &Tree<Vec<u8>>,
    units: &[&str],
    generators: &Generators,
    target: &DefaultTarget,
) -> Result<Set> {
    let mut walk = Walk::new(tree, Follow::All);
    for unit in units {
        walk.request(unit.as_bytes())?;
    }
    let options = Options { generators, default_target: target };
    complete(tree, walk, options, |path, walk| {
        if path.ends_with(b"99-systemd.rules") {
            walk.want_by(b"x.service", path);
        }
        Ok(())
    })
}

/// Returns the names of files that are added, whether or not they exist.
fn names(set: &Set) -> Vec<String> {
    let name = |dependency: &Dependency| match &dependency.target {
        Target::File(paths) => paths[0].escape_ascii().to_string(),
        Target::Name(path) => format!("-{}", path.escape_ascii()),
        Target::Whole(path) => format!("{}/", path.escape_ascii()),
        other => panic!("{other:?}"),
    };
    set.units.dependencies.known.iter().chain(&set.dependencies.known).map(name).collect()
}

fn has(set: &Set, name: &str) -> bool {
    names(set).iter().any(|found| found == name)
}

#[test]
fn the_frame_of_the_default_target_is_kept_without_other_units() {
    let tree = guest(&[]);
    let set = completed(&tree, &[], &Generators::All, &DefaultTarget::Own).expect("it is complete");
    for unit in ["multi-user.target", "basic.target", "sysinit.target", "getty.target", "emergency.target"] {
        assert!(has(&set, &format!("{UNITS}/{unit}")), "{unit} in {:?}", names(&set));
    }
    assert!(has(&set, &format!("-{UNITS}/default.target")));
    assert!(has(&set, "/usr/lib/systemd/systemd-udevd") && has(&set, "/usr/lib/systemd/systemd"));
    assert!(!has(&set, &format!("{UNITS}/x.service")));
    assert!(!has(&set, &format!("-{UNITS}/multi-user.target.wants/x.service")));

    let set =
        completed(&tree, &["x.service"], &Generators::All, &DefaultTarget::Own).expect("it is complete");
    assert!(has(&set, &format!("-{UNITS}/multi-user.target.wants/x.service")), "{:?}", names(&set));
}

#[test]
fn the_default_target_must_exist_or_be_named() {
    let mut tree = guest(&[]);
    let directory = tree.resolve_no_symlinks(UNITS.as_bytes()).expect("it was added");
    tree.remove(directory, b"default.target").expect("it was there");
    let error = |target: DefaultTarget| {
        completed(&tree, &[], &Generators::All, &target).expect_err("it is not there")
    };
    let text = error(DefaultTarget::Own).to_string();
    assert!(
        text.starts_with("the tree has no default.target") && text.contains("--default-target UNIT"),
        "{text}"
    );
    let text = error(DefaultTarget::Unit(b"none.target".to_vec())).to_string();
    assert!(text.starts_with("unit none.target not found in the tree"), "{text}");

    let set = completed(&tree, &[], &Generators::All, &DefaultTarget::Unit(b"multi-user.target".to_vec()));
    assert!(has(&set.expect("it is complete"), &format!("{UNITS}/x.service")));
    let set = completed(&tree, &[], &Generators::All, &DefaultTarget::None).expect("it is complete");
    assert!(!has(&set, &format!("{UNITS}/multi-user.target")));
}

#[test]
fn generators_are_kept_with_the_units_that_they_use() {
    const DIRECTORY: &str = "/usr/lib/systemd/system-generators";
    let (getty, fstab) =
        (format!("{DIRECTORY}/systemd-getty-generator"), format!("{DIRECTORY}/systemd-fstab-generator"));
    let tree = guest(&[
        (&getty, ""),
        (&fstab, ""),
        ("/etc/fstab", "# none\n/dev/a /data ext4 defaults,x-systemd.makefs 0 2\n/dev/b none swap sw 0 0\n"),
    ]);
    let keep =
        |units: &[&str], generators: Generators| completed(&tree, units, &generators, &DefaultTarget::Own);
    let serial = format!("{UNITS}/serial-getty@.service");

    let all = keep(&[], Generators::All).expect("it is complete");
    assert!(has(&all, &getty) && has(&all, &fstab) && has(&all, "/etc/fstab"));
    assert!(!has(&all, &serial), "getty.target is only part of the frame");
    let files = ["fsck.ext4", "mkfs.ext4", "mount.ext4", "swapon"];
    assert!(files.iter().all(|name| has(&all, &format!("/usr/local/sbin/{name}"))), "{:?}", names(&all));
    assert!(has(&keep(&["getty.target"], Generators::All).expect("it is complete"), &serial));

    let none = keep(&["getty.target"], Generators::None).expect("it is complete");
    assert!(!has(&none, &getty) && !has(&none, &serial) && !has(&none, "/usr/local/sbin/fsck.ext4"));
    let one = keep(&[], Generators::Only(vec![b"systemd-getty-generator".to_vec()])).expect("it is complete");
    assert!(has(&one, &getty) && !has(&one, &fstab));
    let error =
        keep(&[], Generators::Only(vec![b"other".to_vec()])).expect_err("it is not there").to_string();
    assert!(error.starts_with("--systemd-generators other: no directory"), "{error}");
}

#[test]
fn snippets_are_kept_for_what_is_kept() {
    let tree = guest(&[
        ("/usr/lib/tmpfiles.d/systemd.conf", "d /run/utmp 0664 root utmp\n"),
        ("/usr/lib/tmpfiles.d/x-server.conf", "d /run/xd 0755 xuser xgroup\n"),
        ("/usr/lib/tmpfiles.d/other.conf", "d /run/other 0755 other other\n"),
        ("/usr/lib/tmpfiles.d/hidden.conf", "d /run/xd\n"),
        ("/etc/tmpfiles.d/hidden.conf", "d /run/none 0755 administrator\n"),
        ("/usr/lib/sysusers.d/x.conf", "u xd - \"the daemon\"\n"),
        ("/usr/lib/sysusers.d/basic.conf", "g basic -\n"),
        ("/usr/lib/sysusers.d/other.conf", "u other -\n"),
    ]);
    let set =
        completed(&tree, &["x.service"], &Generators::All, &DefaultTarget::Own).expect("it is complete");
    let found = names(&set);
    let kept: Vec<&String> =
        found.iter().filter(|path| path.contains("tmpfiles.d") || path.contains("sysusers.d")).collect();
    let expected = [
        "/etc/tmpfiles.d/hidden.conf",
        "/usr/lib/tmpfiles.d/systemd.conf",
        "/usr/lib/tmpfiles.d/x-server.conf",
        "/usr/lib/sysusers.d/basic.conf",
        "/usr/lib/sysusers.d/x.conf",
    ];
    assert_eq!(kept, expected.iter().collect::<Vec<_>>());
    let names = |names: &std::collections::BTreeSet<Vec<u8>>| {
        names.iter().map(|name| name.escape_ascii().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&set.accounts.users), ["administrator", "daemon", "root", "xd", "xuser"]);
    assert_eq!(names(&set.accounts.groups), ["basic", "utmp", "xd", "xgroup"]);
}

#[test]
fn rules_of_udev_itself_are_kept_with_it_and_start_units() {
    let tree = guest(&[
        ("/usr/lib/udev/rules.d/99-systemd.rules", ""),
        ("/usr/lib/udev/rules.d/50-udev-default.rules", ""),
        ("/usr/lib/udev/rules.d/60-other.rules", ""),
        ("/etc/udev/rules.d/50-udev-default.rules", ""),
        ("/etc/udev/rules.d/70-own.rules", ""),
    ]);
    let set = completed(&tree, &[], &Generators::All, &DefaultTarget::Own).expect("it is complete");
    let rules: Vec<String> = set.rules.iter().map(|path| path.escape_ascii().to_string()).collect();
    let expected = [
        "/etc/udev/rules.d/50-udev-default.rules",
        "/etc/udev/rules.d/70-own.rules",
        "/usr/lib/udev/rules.d/99-systemd.rules",
    ];
    assert_eq!(rules, expected);
    assert!(has(&set, &format!("{UNITS}/x.service")), "{:?}", names(&set));
    assert!(
        set.dependencies
            .known
            .iter()
            .all(|dependency| !dependency.required && dependency.kind == Kind::Configured)
    );
}
