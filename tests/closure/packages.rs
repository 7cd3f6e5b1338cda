//! Packages are kept as the package managers of their tree list them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::judges;
use crate::product::{Outcome, Scratch, rootcast, run};

/// Runs `rootcast closure`.
fn closure(root: &Path, arguments: &[&str]) -> Outcome {
    run(rootcast().arg("closure").arg(root).args(arguments))
}

fn kept(root: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let outcome = closure(root, arguments).success().unwrap_or_else(|why| panic!("{why}"));
    outcome.text().lines().map(str::to_owned).collect()
}

/// Returns the packages to which the reasons in the report on a closure belong.
fn packages(root: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let outcome = closure(root, &[arguments, &["--json"]].concat()).success().unwrap();
    let report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let names = report["kept"].as_array().unwrap().iter().flat_map(|kept| {
        let reasons = kept["reasons"].as_array().unwrap().iter();
        reasons.filter_map(|reason| reason["name"].as_str().unwrap().strip_prefix("package "))
    });
    names.map(|name| name.split(',').next().unwrap().to_owned()).collect()
}

/// Adds the directories above the paths, and replaces those that are links.
fn with_parents(root: &Path, listed: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for path in listed {
        let below = root.join(&path[1..]);
        if below.symlink_metadata().is_err() {
            continue;
        }
        let above = below.parent().unwrap().canonicalize().unwrap();
        let mut real = above.join(below.file_name().unwrap());
        if path.starts_with("/lib/") {
            all.insert("/lib".to_owned());
        }
        while real != root {
            all.insert(format!("/{}", real.strip_prefix(root).unwrap().to_str().unwrap()));
            real.pop();
        }
    }
    all
}

/// A package to be built: its name, relations, and files.
type Built<'a> = (&'a str, &'a str, &'a [&'a str]);

const DEBIAN: [Built<'static>; 7] = [
    (
        "app",
        "Depends: libx (>= 1), nothing | editor, mta\nRecommends: other",
        &["/usr/bin/app", "/usr/bin/tool", "/etc/app.conf", "/usr/share/doc/app/README"],
    ),
    ("libx", "Pre-Depends: data\nMulti-Arch: same", &["/lib/libx.so.1.2"]),
    ("data", "", &["/usr/share/data/a file", "/usr/share/data/b"]),
    ("nano", "Provides: editor", &["/usr/bin/nano"]),
    ("mailer", "Provides: mta (= 1)", &["/usr/sbin/mailer"]),
    ("other", "", &["/usr/bin/other"]),
    ("diverter", "", &["/usr/bin/diverted"]),
];

/// Builds the packages, and installs them into an empty tree with a merged `/usr`, without their
/// documentation.
fn debian(scratch: &Scratch) -> Option<PathBuf> {
    let root = scratch.join("root");
    for directory in ["usr/lib", "var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    symlink("usr/lib", root.join("lib")).unwrap();
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let mut debs = Vec::new();
    for (name, relations, files) in DEBIAN {
        let build = scratch.join(name);
        for file in files {
            let path = build.join(&file[1..]);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "text\n").unwrap();
        }
        fs::create_dir_all(build.join("DEBIAN")).unwrap();
        let relations = format!("{relations}\n");
        let control = format!(
            "Package: {name}\nVersion: 1\nArchitecture: amd64\nMaintainer: m <m@example.org>\n{}Description: x\n",
            relations.trim_start()
        );
        fs::write(build.join("DEBIAN/control"), control).unwrap();
        if name == "app" {
            fs::write(build.join("DEBIAN/conffiles"), "/etc/app.conf\n").unwrap();
        }
        let deb = scratch.join(format!("{name}.deb"));
        let mut dpkg_deb = judges::command("dpkg-deb")?;
        run(dpkg_deb.args(["--root-owner-group", "-Znone", "--build"]).arg(&build).arg(&deb))
            .success()
            .unwrap();
        debs.push(deb);
    }
    let mut divert = judges::command("dpkg-divert")?;
    divert.arg("--admindir").arg(root.join("var/lib/dpkg")).args(["--package", "diverter", "--no-rename"]);
    divert.args(["--divert", "/usr/bin/tool.real", "--add", "/usr/bin/tool"]);
    run(&mut divert).success().unwrap();
    let mut dpkg = judges::command("dpkg")?;
    dpkg.arg("--root")
        .arg(&root)
        .args(["--path-exclude=/usr/share/doc/*", "--force-not-root,bad-path,depends"]);
    run(dpkg.args(["--force-architecture", "--no-triggers", "-i"]).args(&debs)).success().unwrap();
    Some(root)
}

#[test]
fn the_files_of_a_package_are_those_that_dpkg_lists() {
    let scratch = Scratch::new();
    let Some(root) = debian(&scratch) else { return };
    for (name, ..) in DEBIAN {
        let Some(mut query) = judges::command("dpkg-query") else { return };
        let listed = run(query.arg("--admindir").arg(root.join("var/lib/dpkg")).args(["-L", name]));
        let listed = listed.success().unwrap().text();
        // "diverted by diverter to: PATH" follows the path that is diverted.
        let mut paths: Vec<String> = Vec::new();
        for line in listed.lines().filter(|line| *line != "/.") {
            match line.strip_prefix("diverted by diverter to: ") {
                Some(place) => *paths.last_mut().unwrap() = place.to_owned(),
                None => paths.push(line.to_owned()),
            }
        }
        let expected = with_parents(&root, paths.into_iter());
        assert!(expected.len() >= 3, "{listed}");
        assert_eq!(kept(&root, &["--keep-package", name]), expected, "{name}");
    }
    let app = kept(&root, &["--keep-package", "app"]);
    assert!(app.contains("/usr/bin/tool.real") && app.contains("/etc/app.conf"), "{app:?}");
    let warned = closure(&root, &["--keep-package", "app,libx"]).success().unwrap().stderr;
    let expected = "warning: files that the lists of packages have and the tree does not: /usr/share/doc/app";
    assert!(warned.contains(expected) && warned.contains("README"), "{warned}");
    assert_eq!(warned.matches("warning").count(), 1, "{warned}");
}

#[test]
fn dependencies_are_complete_and_minimal_for_apt() {
    let scratch = Scratch::new();
    let Some(root) = debian(&scratch) else { return };
    assert_eq!(packages(&root, &["--keep-package", "app"]), BTreeSet::from(["app".to_owned()]));
    let found = packages(&root, &["--keep-package", "app", "--depends"]);
    assert_eq!(found, ["app", "libx", "data", "nano", "mailer"].map(str::to_owned).into());
    let status = fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap();
    let lists = scratch.join("lists/partial");
    fs::create_dir_all(&lists).unwrap();
    let is_met = |without: &str| {
        let installed = status.split("\n\n").filter(|stanza| {
            let name = stanza.lines().find_map(|line| line.strip_prefix("Package: ")).unwrap_or_default();
            found.contains(name) && name != without
        });
        let file = scratch.file("status", installed.collect::<Vec<_>>().join("\n\n") + "\n\n");
        let mut apt = judges::command("apt-get")?;
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        apt.arg("check").args(["-o", "Debug::NoLocking=true", "-o", "APT::Architecture=amd64"]);
        apt.args(["-o", &option("Dir::State::status", &file)]);
        apt.args(["-o", &option("Dir::State::lists", lists.parent().unwrap())]);
        apt.args(["-o", &option("Dir::Cache", scratch.path()), "-o", "Dir::Etc::sourcelist=/dev/null"]);
        Some(run(&mut apt).code == Some(0))
    };
    let Some(all) = is_met("") else { return };
    assert!(all, "apt misses a dependency of {found:?}");
    for name in found.iter().filter(|name| *name != "app") {
        assert_eq!(is_met(name), Some(false), "nothing depends on {name}");
    }
}

#[test]
fn reasons_name_packages_and_owners() {
    let scratch = Scratch::new();
    let Some(root) = debian(&scratch) else { return };
    let why = |arguments: &[&str]| closure(&root, arguments).success().unwrap().text();
    let explained = why(&["--keep-package", "app", "--depends", "--why", "/lib/libx.so.1.2"]);
    assert_eq!(explained, "/usr/lib/libx.so.1.2\n  requested by package libx, on which app depends\n");
    let explained = why(&["--keep", "/usr/bin/tool.real", "--why", "/usr/bin/tool.real"]);
    assert_eq!(explained, "/usr/bin/tool.real\n  requested by /usr/bin/tool.real\n  owned by package app\n");
    let explained = why(&["--keep", "/var/lib/dpkg/status", "--why", "/var/lib/dpkg/status"]);
    assert_eq!(explained, "/var/lib/dpkg/status\n  requested by /var/lib/dpkg/status\n");

    let outcome = closure(&root, &["--keep-package", "mailr"]);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let expected = "--keep-package mailr: no such package is installed by /var/lib/dpkg/status; similar names are mailer";
    assert!(outcome.stderr.contains(expected), "{outcome}");
    // The whole tree is the same as the part of it that the search reads.
    let partial = kept(&root, &["--keep-package", "*", "--depends"]);
    let whole = kept(&root, &["--keep-package", "*", "--depends", "--mkdir", "/unused"]);
    assert_eq!(partial, whole);
}

const SPEC: &str = "Name: app\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n\
    Requires: /usr/bin/tool, (editor or nothing), libdata >= 1\nRequires(post): scripts\nRecommends: other\n\
    %description\nx\n%package -n tools\nSummary: x\nProvides: editor\n%description -n tools\nx\n\
    %package -n data\nSummary: x\nProvides: libdata = 1\n%description -n data\nx\n\
    %package -n scripts\nSummary: x\n%description -n scripts\nx\n\
    %install\nmkdir -p %{buildroot}/usr/bin %{buildroot}/etc %{buildroot}/usr/share/app\n\
    for file in usr/bin/app usr/bin/tool usr/bin/scripts etc/app.conf etc/app.ghost usr/share/data; do\n\
    echo x > %{buildroot}/$file; done\n\
    for number in $(seq 300); do echo x > %{buildroot}/usr/share/app/file-with-a-long-name-$number; done\n\
    %files\n%dir /usr/share/app\n/usr/bin/app\n%config /etc/app.conf\n/usr/share/app/file*\n%ghost /etc/app.ghost\n\
    %files -n tools\n/usr/bin/tool\n%files -n data\n/usr/share/data\n%files -n scripts\n/usr/bin/scripts\n";

/// Builds packages and adds them to a database of rpm, and their files to the tree.
fn fedora(scratch: &Scratch) -> Option<(PathBuf, PathBuf)> {
    let root = scratch.join("root");
    let database = root.join("usr/lib/sysimage/rpm");
    fs::create_dir_all(&database).unwrap();
    fs::create_dir_all(root.join("var/lib")).unwrap();
    symlink("../../usr/lib/sysimage/rpm", root.join("var/lib/rpm")).unwrap();
    let top = scratch.join("top");
    let mut rpmbuild = judges::command("rpmbuild")?;
    rpmbuild.args(["-bb", "--quiet", "--define"]).arg(format!("_topdir {}", top.display()));
    run(rpmbuild.arg(scratch.file("app.spec", SPEC))).success().unwrap();
    let built = fs::read_dir(top.join("RPMS/noarch")).unwrap().map(|entry| entry.unwrap().path());
    let mut rpm = rpm(&database)?;
    rpm.args(["--force-debian", "--define", "_db_backend sqlite", "--justdb", "--nodeps", "-i"]);
    run(rpm.args(built)).success().unwrap();
    for path in ["app", "tools", "data", "scripts"].iter().flat_map(|name| listed(&database, name)) {
        let below = root.join(&path[1..]);
        fs::create_dir_all(below.parent().unwrap()).unwrap();
        // A directory of the package is above its files.
        if !below.exists() && path != "/usr/share/app" && path != "/etc/app.ghost" {
            fs::write(below, "text\n").unwrap();
        }
    }
    Some((root, database))
}

fn rpm(database: &Path) -> Option<Command> {
    let mut rpm = judges::command("rpm")?;
    rpm.arg("--dbpath").arg(database);
    Some(rpm)
}

/// Returns the files of a package that rpm lists.
fn listed(database: &Path, name: &str) -> Vec<String> {
    let listed = run(rpm(database).expect("it was found before").args(["-ql", name])).success().unwrap();
    listed.text().lines().map(str::to_owned).collect()
}

#[test]
fn the_files_of_a_package_are_those_that_rpm_lists() {
    let scratch = Scratch::new();
    let Some((root, database)) = fedora(&scratch) else { return };
    for name in ["app", "tools", "data", "scripts"] {
        let expected = with_parents(&root, listed(&database, name).into_iter());
        assert_eq!(kept(&root, &["--keep-package", name]), expected, "{name}");
    }
    // The header of 300 files is longer than a page of the database.
    assert!(kept(&root, &["--keep-package", "app"]).len() > 300);
    let outcome = closure(&root, &["--keep-package", "app"]).success().unwrap();
    assert_eq!(outcome.stderr, "", "a ghost is not a missing file");
    let found = packages(&root, &["--keep-package", "app", "--depends"]);
    assert_eq!(found, ["app", "data", "tools"].map(str::to_owned).into());
    // rpm itself permits to remove what only scripts need, and nothing else.
    for name in ["data", "tools", "scripts"] {
        let erased = run(rpm(&database).unwrap().args(["--test", "--justdb", "-e", name]));
        assert_eq!(erased.code == Some(0), !found.contains(name), "{name}: {erased}");
    }
}

#[test]
fn an_incomplete_database_of_rpm_is_refused() {
    let scratch = Scratch::new();
    let Some((root, database)) = fedora(&scratch) else { return };
    fs::write(database.join("rpmdb.sqlite-wal"), "a part of the database").unwrap();
    let outcome = closure(&root, &["--keep-package", "app"]);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stderr.contains("rpmdb.sqlite-wal; write that back by rpmdb --rebuilddb"), "{outcome}");
}

#[test]
fn packages_of_apk_are_kept() {
    let scratch = Scratch::new();
    let root = scratch.join("root");
    for directory in ["lib/apk/db", "bin", "usr/lib"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for file in ["bin/app", "bin/busybox", "usr/lib/libx.so.1"] {
        fs::write(root.join(file), "text\n").unwrap();
    }
    let installed = "C:Q1\nP:app\nV:1-r0\nA:x86_64\nD:so:libx.so.1\nF:bin\nR:app\na:0:0:755\nF:etc\nR:gone\n\n\
        P:busybox\nV:1-r0\nF:bin\nR:busybox\n\nP:libx\nV:1-r0\np:so:libx.so.1=1\nF:usr\nF:usr/lib\nR:libx.so.1\n\n";
    fs::write(root.join("lib/apk/db/installed"), installed).unwrap();
    let expected = ["/bin", "/bin/app", "/usr", "/usr/lib", "/usr/lib/libx.so.1"].map(str::to_owned);
    assert_eq!(kept(&root, &["--keep-package", "app", "--depends"]), expected.into());
    let outcome = closure(&root, &["--keep-package", "app", "--why", "/bin/app"]).success().unwrap();
    assert_eq!(outcome.text(), "/bin/app\n  requested by package app\n");
    assert!(outcome.stderr.contains("the tree does not: /etc, /etc/gone"), "{outcome}");
}
