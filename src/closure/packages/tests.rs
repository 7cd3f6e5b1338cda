mod databases;
mod providers;
mod selection;

use image_tree::Tree;

use super::requests::requests;
use super::*;
use crate::closure::requests::{NamePattern, Request};
use crate::closure::testing::rpm::{Value, database, header};
use crate::closure::testing::{add, tree};
use image_tree::glob::NameGlob;

fn pattern(text: &str) -> NamePattern {
    let glob = text.contains('*').then(|| NameGlob::parse(text.as_bytes()).expect("a pattern"));
    NamePattern { text: text.as_bytes().to_vec(), glob }
}

/// Returns the requested paths, each with its origin, and the sentences about the rest.
fn requested(
    tree: &Tree<Vec<u8>>,
    names: &[&str],
    depends: bool,
) -> std::result::Result<(Vec<String>, Vec<String>), String> {
    let wanted: Vec<NamePattern> = names.iter().map(|name| pattern(name)).collect();
    let (found, unknown) = requests(tree, &wanted, depends).map_err(|error| error.to_string())?;
    let shown = found.into_iter().map(|request| match request {
        Request::Member { path, origin } => format!("{}: {}", path.escape_ascii(), origin.escape_ascii()),
        other => format!("{other:?}"),
    });
    Ok((shown.collect(), unknown))
}

/// Returns the packages whose files are requested, in order.
fn packages_of(tree: &Tree<Vec<u8>>, names: &[&str], depends: bool) -> Vec<String> {
    let (found, _) = requested(tree, names, depends).expect("they are installed");
    let mut packages: Vec<String> = Vec::new();
    for line in found {
        let origin = line.split(": package ").nth(1).expect("an origin");
        let name = origin.split(',').next().expect("a name").to_owned();
        if !packages.contains(&name) {
            packages.push(name);
        }
    }
    packages
}

const STATUS: &str = "Package: app\nStatus: install ok installed\nArchitecture: amd64\n\
    Depends: libx (>= 1), gone | editor, mta, tool:any, lost\n\n\
    Package: libx\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nDepends: data\n\n\
    Package: libx\nStatus: install ok installed\nArchitecture: i386\nMulti-Arch: same\nDepends: data\n\n\
    Package: data\nStatus: install ok installed\nArchitecture: all\nMulti-Arch: foreign\nDepends: app\n\n\
    Package: nano\nStatus: install ok installed\nArchitecture: amd64\nProvides: editor, mta (= 1)\n\n\
    Package: mailer\nStatus: install ok installed\nArchitecture: amd64\nProvides: mta\n\n\
    Package: tool\nStatus: install ok installed\nArchitecture: i386\nMulti-Arch: allowed\n\n\
    Package: foreign\nStatus: install ok installed\nArchitecture: i386\nDepends: nano\n\n";

fn debian() -> Tree<Vec<u8>> {
    let mut files = vec![
        ("/var/lib/dpkg/status", STATUS),
        ("/lib", "-> usr/lib"),
        ("/usr/bin/app", ""),
        ("/usr/lib/libx.so.1", ""),
        ("/usr/lib/data", ""),
        ("/usr/bin/tool", ""),
        ("/usr/bin/nano", ""),
        ("/usr/bin/mailer", ""),
        ("/var/lib/dpkg/info/app.list", "/.\n/usr\n/usr/bin\n/usr/bin/app\n/usr/share/doc/app\n"),
        ("/var/lib/dpkg/info/libx:amd64.list", "/lib\n/lib/libx.so.1\n"),
        ("/var/lib/dpkg/info/libx:i386.list", "/lib\n/lib/data\n"),
        ("/var/lib/dpkg/info/data.list", "/usr/lib/data\n"),
        ("/var/lib/dpkg/info/tool.list", "/usr/bin/tool\n"),
        ("/var/lib/dpkg/info/nano.list", "/usr/bin/editor\n"),
        ("/var/lib/dpkg/info/mailer.list", "/usr/bin/mailer\n"),
        ("/var/lib/dpkg/info/foreign.list", "/usr/bin/tool\n"),
    ];
    files.push(("/var/lib/dpkg/diversions", "/usr/bin/editor\n/usr/bin/nano\n:\n"));
    tree(&files)
}

#[test]
fn the_list_of_a_package_is_requested_where_its_files_lie() {
    let (found, unknown) = requested(&debian(), &["app", "libx", "nano"], false).expect("they are installed");
    assert_eq!(
        found,
        [
            "/usr: package app",
            "/usr/bin: package app",
            "/usr/bin/app: package app",
            "/lib: package libx:amd64",
            "/lib/libx.so.1: package libx:amd64",
            "/usr/bin/nano: package nano",
        ]
    );
    let missing = "files that the lists of packages have and the tree does not: /usr/share/doc/app";
    assert_eq!(unknown, [missing]);
}

#[test]
fn names_select_the_own_architecture_first() {
    let tree = debian();
    assert_eq!(packages_of(&tree, &["libx:i386"], false), ["libx:i386"]);
    assert_eq!(packages_of(&tree, &["libx:*"], false), ["libx:amd64", "libx:i386"]);
    assert_eq!(packages_of(&tree, &["li*"], false), ["libx:amd64"]);
    // There is no other.
    assert_eq!(packages_of(&tree, &["foreign"], false), ["foreign"]);
}

#[test]
fn dependencies_are_those_that_are_installed() {
    let tree = debian();
    let (_, unknown) = requested(&tree, &["app"], true).expect("it is installed");
    let expected = "package app depends on lost, which no installed package provides";
    assert_eq!(unknown[0], expected);
    // The editor that was selected for the first dependency also is the mail agent.
    assert_eq!(packages_of(&tree, &["app"], true), ["app", "libx:amd64", "nano", "tool", "data"]);
    assert_eq!(packages_of(&tree, &["mailer", "app"], true)[..2], ["mailer", "app"]);
    // A package of another architecture does not take the native one.
    let (_, unknown) = requested(&tree, &["foreign"], true).expect("it is installed");
    assert!(unknown[0].starts_with("package foreign depends on nano, which"), "{unknown:?}");
    let (found, _) = requested(&tree, &["app"], true).expect("it is installed");
    let chain = "/usr/lib/data: package data, on which libx:amd64 depends, on which app depends";
    assert!(found.iter().any(|line| line == chain), "{found:?}");
}

#[test]
fn long_chains_of_dependencies_are_shortened() {
    let stanza = |number: usize| format!("P:p{number}\nD:p{}\nF:\nR:f{number}\n\n", number + 1);
    let database: String = (0..12).map(stanza).collect();
    let mut tree = tree(&[("/lib/apk/db/installed", &database)]);
    for number in 0..12 {
        add(&mut tree, &format!("/f{number}"), image_tree::Kind::Regular(Vec::new()));
    }
    let (found, unknown) = requested(&tree, &["p0"], true).expect("it is installed");
    assert_eq!(unknown, ["package p11 depends on p12, which no installed package provides"]);
    let chain = |from: usize, to: usize| -> String {
        (to..from).rev().map(|number| format!(", on which p{number} depends")).collect()
    };
    assert_eq!(found[8], format!("/f8: package p8{}", chain(8, 0)));
    assert_eq!(found[9], format!("/f9: package p9{}, and so on", chain(9, 1)));
}

#[test]
fn errors_name_the_database_and_similar_names() {
    let error = requested(&debian(), &["libxx"], false).expect_err("it is not installed");
    assert_eq!(error, "libxx: no such package is installed by /var/lib/dpkg/status; similar names are libx");
    let error = requested(&tree(&[("/etc/x", "")]), &["x"], false).expect_err("no database was found");
    for path in ["/var/lib/dpkg/status,", "/lib/apk/db/installed,", "/usr/lib/sysimage/rpm/rpmdb.sqlite"] {
        assert!(error.contains(path), "{error}");
    }
    assert!(requested(&tree(&[]), &[], true).expect("nothing is asked").0.is_empty());
}

#[test]
fn images_without_dpkg_have_checksums() {
    let tree = tree(&[
        ("/var/lib/dpkg/status.d/libz", "Package: libz\nArchitecture: amd64\n"),
        ("/var/lib/dpkg/status.d/libz.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/lib/libz.so.1.2\n"),
        ("/usr/lib/libz.so.1.2", ""),
        ("/usr/lib/libz.so.1", "-> libz.so.1.2"),
        ("/usr/lib/liby.so.1", "-> liby.so.1.2"),
    ]);
    let (found, unknown) = requested(&tree, &["libz"], false).expect("it is installed");
    assert_eq!(found, ["/usr/lib/libz.so.1.2: package libz", "/usr/lib/libz.so.1: package libz"]);
    assert!(unknown.is_empty());
}

#[test]
fn capabilities_of_apk_are_met() {
    const INSTALLED: &str = "P:app\nA:x86_64\nD:so:libx.so.1 cmd:sh>1 !nano\nF:usr/bin\nR:app\n\n\
        P:libx\nA:x86_64\np:so:libx.so.1=1.2\nF:usr/lib\nR:libx.so.1\n\n\
        P:busybox\nA:x86_64\np:/bin/sh cmd:sh=1.36\nF:bin\nR:busybox\n\n";
    let tree = tree(&[
        ("/usr/lib/apk/db/installed", INSTALLED),
        ("/usr/bin/app", ""),
        ("/usr/lib/libx.so.1", ""),
        ("/bin/busybox", ""),
    ]);
    assert_eq!(packages_of(&tree, &["app"], true), ["app", "libx", "busybox"]);
    assert_eq!(packages_of(&tree, &["app"], false), ["app"]);
}

/// Returns a header with a name, requirements with their flags, and files.
fn rpm_header(
    name: &str,
    provides: &[(&str, &str)],
    requires: &[(&str, u32, &str)],
    files: &[&str],
) -> Vec<u8> {
    let strings = |all: &mut dyn Iterator<Item = &str>| Value::Strings(all.map(Into::into).collect());
    let numbers = |all: &mut dyn Iterator<Item = u32>| Value::Numbers(all.collect());
    header(&[
        (1000, strings(&mut [name].into_iter())),
        (1022, strings(&mut ["x86_64"].into_iter())),
        (1037, numbers(&mut files.iter().map(|file| if file.ends_with("ghost") { 64 } else { 0 }))),
        (1047, strings(&mut provides.iter().map(|one| one.0))),
        (1048, numbers(&mut requires.iter().map(|one| one.1))),
        (1049, strings(&mut requires.iter().map(|one| one.0))),
        (1050, strings(&mut requires.iter().map(|one| one.2))),
        (1113, strings(&mut provides.iter().map(|one| one.1))),
        (1116, numbers(&mut files.iter().map(|_| 0))),
        (1117, strings(&mut files.iter().copied())),
        (1118, strings(&mut ["/usr/bin/"].into_iter())),
    ])
}

fn fedora() -> Tree<Vec<u8>> {
    let app: &[(&str, u32, &str)] = &[
        ("libx.so.1()(64bit)", 0, ""),
        ("kernel-uname", 8, "6.2"),
        ("/bin/tool", 0, ""),
        ("(nothing or editor)", 0, ""),
        ("scripts", 1 << 9, ""),
        ("hint", 1 << 19, ""),
        ("rpmlib(X)", 1 << 24 | 8, "1"),
        ("lost", 0, ""),
    ];
    let headers = [
        rpm_header("app", &[("app", "1")], app, &["app", "app.ghost"]),
        rpm_header("kernel1", &[("kernel-uname", "6.1")], &[], &["kernel1"]),
        rpm_header("kernel2", &[("kernel-uname", "6.2")], &[], &["kernel2"]),
        rpm_header("libx", &[("libx.so.1()(64bit)", "")], &[], &["libx"]),
        rpm_header("tools", &[], &[], &["tool"]),
        rpm_header("nano", &[("editor", "")], &[], &["nano"]),
        rpm_header("scripts", &[("hint", "")], &[], &["scripts"]),
        rpm_header("gpg-pubkey", &[], &[], &[]),
    ];
    let mut tree = tree(&[("/var/lib/rpm", "-> ../../usr/lib/sysimage/rpm")]);
    let file = image_tree::Kind::Regular(database(&headers));
    add(&mut tree, "/usr/lib/sysimage/rpm/rpmdb.sqlite", file);
    for name in ["app", "kernel1", "kernel2", "libx", "tool", "nano", "scripts"] {
        add(&mut tree, &format!("/usr/bin/{name}"), image_tree::Kind::Regular(Vec::new()));
    }
    tree
}

#[test]
fn capabilities_of_rpm_are_met_at_run_time() {
    let tree = fedora();
    let (found, unknown) = requested(&tree, &["app"], false).expect("it is installed");
    assert_eq!((found, unknown), (vec!["/usr/bin/app: package app".to_owned()], Vec::new()));
    assert_eq!(packages_of(&tree, &["app"], true), ["app", "libx", "kernel2", "tools", "nano"]);
    assert_eq!(packages_of(&tree, &["app.x86_64", "nano:x86_64"], false), ["app", "nano"]);
    let (_, unknown) = requested(&tree, &["app"], true).expect("it is installed");
    assert_eq!(unknown, ["package app depends on lost, which no installed package provides"]);
}

#[test]
fn databases_of_rpm_that_cannot_be_read_are_refused() {
    let mut open = fedora();
    add(&mut open, "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal", image_tree::Kind::Regular(vec![1]));
    let error = requested(&open, &["app"], false).expect_err("it is not complete");
    assert!(
        error.contains("/var/lib/rpm/rpmdb.sqlite: a part of it is still in rpmdb.sqlite-wal"),
        "{error}"
    );
    for (name, format) in [("Packages", "Berkeley DB"), ("Packages.db", "ndb")] {
        let old = tree(&[(&format!("/var/lib/rpm/{name}")[..], "x")]);
        let error = requested(&old, &["app"], false).expect_err("it is old");
        assert!(error.contains(&format!("/var/lib/rpm/{name}: it has rpm's old format {format}")), "{error}");
    }
    let mut closed = fedora();
    add(&mut closed, "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal", image_tree::Kind::Regular(Vec::new()));
    assert!(requested(&closed, &["app"], false).is_ok());
}

#[test]
fn owners_are_found_through_links() {
    let found = owners(&debian(), |_| true).expect("it is read");
    let found: Vec<String> =
        found.iter().map(|(path, names)| format!("{} {}", path.escape_ascii(), names.join(" "))).collect();
    let expected = [
        "/lib libx:amd64 libx:i386",
        "/usr/bin/app app",
        "/usr/bin/mailer mailer",
        "/usr/bin/nano nano",
        "/usr/bin/tool tool foreign",
        "/usr/lib/data libx:i386 data",
        "/usr/lib/libx.so.1 libx:amd64",
    ];
    assert_eq!(found, expected);
}
