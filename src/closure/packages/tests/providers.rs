//! Tests of the choice between packages that provide a capability.

use super::*;

/// Returns a paragraph of dpkg's status for an installed package, with the fields of `more`.
fn stanza(name: &str, architecture: &str, more: &str) -> String {
    format!("Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\n{more}\n")
}

/// Returns a tree with dpkg's status, in which each package has one file of its name.
fn dpkg(status: &[(&str, &str, &str)]) -> Tree<Vec<u8>> {
    let text: String = status.iter().map(|(name, of, more)| stanza(name, of, more)).collect();
    let mut tree =
        tree(&[("/var/lib/dpkg/status", &text), ("/var/lib/dpkg/arch", "amd64\n"), ("/etc/file", "")]);
    for (name, architecture, _) in status {
        let path = format!("/var/lib/dpkg/info/{name}.list");
        if resolve(&tree, &path) {
            continue;
        }
        add(&mut tree, &path, image_tree::Kind::Regular(b"/etc/file\n".to_vec()));
        let path = format!("/var/lib/dpkg/info/{name}:{architecture}.list");
        add(&mut tree, &path, image_tree::Kind::Regular(b"/etc/file\n".to_vec()));
    }
    tree
}

fn resolve(tree: &Tree<Vec<u8>>, path: &str) -> bool {
    image_tree::resolve::resolve_in_root(tree, path.as_bytes()).is_some()
}

/// Returns a tree with apk's database, in which each package has a directory of its name.
fn apk(packages: &[(&str, &str, &str)]) -> Tree<Vec<u8>> {
    let paragraph = |(name, depends, provides): &(&str, &str, &str)| {
        format!("P:{name}\nA:x86_64\nD:{depends}\np:{provides}\nF:etc\nR:{name}\n\n")
    };
    let text: String = packages.iter().map(paragraph).collect();
    let mut tree = tree(&[("/lib/apk/db/installed", &text)]);
    for (name, ..) in packages {
        add(&mut tree, &format!("/etc/{name}"), image_tree::Kind::Regular(Vec::new()));
    }
    tree
}

/// A package of rpm: its name, capabilities, requirements and files.
type RpmPackage<'p> = (&'p str, &'p [(&'p str, &'p str)], &'p [(&'p str, u32, &'p str)], &'p [&'p str]);

/// Returns a tree with a database of rpm.
fn rpm(packages: &[RpmPackage<'_>]) -> Tree<Vec<u8>> {
    let headers: Vec<Vec<u8>> = packages
        .iter()
        .map(|(name, provides, requires, files)| rpm_header(name, provides, requires, files))
        .collect();
    let mut tree = tree(&[("/usr/share/x", "")]);
    add(&mut tree, "/var/lib/rpm/rpmdb.sqlite", image_tree::Kind::Regular(database(&headers)));
    for file in packages.iter().flat_map(|(.., files)| *files) {
        add(&mut tree, &format!("/usr/bin/{file}"), image_tree::Kind::Regular(Vec::new()));
    }
    tree
}

/// Returns the packages on which those of dpkg depend by the sentences about origins.
fn selected(tree: &Tree<Vec<u8>>, names: &[&str]) -> Vec<String> {
    let installed = installed::Installed::read(tree).expect("it is read");
    let wanted: Vec<NamePattern> = names.iter().map(|name| pattern(name)).collect();
    let mut found = select::by_name(&installed, &wanted).expect("they are installed");
    let mut unknown = Vec::new();
    select::add_dependencies(&installed, &mut found, &mut unknown).expect("it is read");
    let of = |index: usize| installed.entries[index].package.architecture.escape_ascii().to_string();
    let shown = found.iter().map(|one| (installed.shown(one.index), of(one.index)));
    let shown = shown.map(|(name, of)| if name.contains(':') { name } else { format!("{name}:{of}") });
    shown.chain(unknown).collect()
}

#[test]
fn a_package_with_the_name_comes_before_one_that_provides_it() {
    let tree = apk(&[("app", "mta", ""), ("mailer", "", "mta"), ("mta", "", "")]);
    assert_eq!(packages_of(&tree, &["app"], true), ["app", "mta"]);
}

#[test]
fn a_package_that_is_selected_already_comes_first() {
    let tree = apk(&[("app", "mta", ""), ("one", "", "mta"), ("two", "", "mta")]);
    assert_eq!(packages_of(&tree, &["app"], true), ["app", "one"]);
    assert_eq!(packages_of(&tree, &["two", "app"], true), ["two", "app"]);
}

#[test]
fn a_package_meets_its_own_dependencies() {
    let tree = apk(&[("one", "", "mta"), ("app", "mta", "mta")]);
    assert_eq!(packages_of(&tree, &["app"], true), ["app"]);
}

#[test]
fn packages_of_one_database_do_not_serve_those_of_another() {
    let mut tree = apk(&[("app", "lost", "")]);
    let status = stanza("lost", "x86_64", "").into_bytes();
    add(&mut tree, "/var/lib/dpkg/status", image_tree::Kind::Regular(status));
    let (_, unknown) = requested(&tree, &["app"], true).expect("it is installed");
    assert_eq!(unknown, ["package app depends on lost, which no installed package provides"]);
}

#[test]
fn architectures_of_dpkg_decide() {
    let tree = dpkg(&[
        ("foreign", "i386", "Multi-Arch: foreign\nProvides: any-of\n"),
        ("own", "amd64", "Provides: any-of\n"),
        ("both", "i386", "Multi-Arch: same\n"),
        ("both", "amd64", "Multi-Arch: same\n"),
        ("allowed", "i386", "Multi-Arch: allowed\n"),
        ("same", "amd64", "Depends: any-of, foreign\n"),
        ("strict", "amd64", "Depends: allowed\n"),
        ("any", "amd64", "Depends: allowed:any\n"),
        ("named", "amd64", "Depends: both:i386\n"),
        ("unnamed", "i386", "Depends: both\n"),
        ("native", "i386", "Depends: both:native\n"),
        ("wrong", "amd64", "Depends: allowed:arm64\n"),
    ]);
    let of = |name: &str| selected(&tree, &[name])[1..].to_vec();
    assert_eq!(of("same"), ["own:amd64", "foreign:i386"]);
    assert_eq!(of("strict"), ["package strict depends on allowed, which no installed package provides"]);
    assert_eq!(of("any"), ["allowed:i386"]);
    assert_eq!(of("named"), ["both:i386"]);
    assert_eq!(of("unnamed"), ["both:i386"]);
    assert_eq!(of("native"), ["both:amd64"]);
    assert_eq!(of("wrong"), ["package wrong depends on allowed, which no installed package provides"]);
}

#[test]
fn alternatives_are_the_selected_ones_or_the_first() {
    let tree =
        dpkg(&[("app", "amd64", "Depends: lost | one | two\n"), ("one", "amd64", ""), ("two", "amd64", "")]);
    assert_eq!(selected(&tree, &["app"]), ["app:amd64", "one:amd64"]);
    assert_eq!(selected(&tree, &["app", "two"]), ["app:amd64", "two:amd64"]);
}

#[test]
fn boolean_dependencies_of_rpm_are_met() {
    let tree = rpm(&[
        ("all", &[], &[("(one and lost and two)", 0, "")], &["all"]),
        ("if-met", &[], &[("(one if two else three)", 0, "")], &["if-met"]),
        ("if-lost", &[], &[("(one if lost else three)", 0, "")], &["if-lost"]),
        ("if-only", &[], &[("(one if lost)", 0, "")], &["if-only"]),
        ("if-gone", &[], &[("(lost if one)", 0, "")], &["if-gone"]),
        ("one", &[], &[], &["one"]),
        ("two", &[], &[], &["two"]),
        ("three", &[], &[], &["three"]),
    ]);
    let of = |name: &str| -> Vec<String> { selected(&tree, &[name])[1..].to_vec() };
    let lost = |name: &str, what: &str| {
        format!("package {name} depends on {what}, which no installed package provides")
    };
    let found = of("all");
    assert_eq!(found, ["one:x86_64", "two:x86_64", &lost("all", "one and lost and two")]);
    assert_eq!(of("if-met"), ["one:x86_64"]);
    assert_eq!(of("if-lost"), ["three:x86_64"]);
    assert!(of("if-only").is_empty());
    assert_eq!(of("if-gone"), [lost("if-gone", "lost")]);
}

#[test]
fn paths_that_rpm_requires_are_those_of_files_or_capabilities() {
    let tree = rpm(&[
        ("any", &[], &[("(/bin/one or /bin/lost)", 0, "")], &["any"]),
        ("if", &[], &[("(/usr/bin/two if /bin/one else /bin/three)", 0, "")], &["if"]),
        ("else", &[], &[("(/bin/two if /bin/lost else /bin/three)", 0, "")], &["else"]),
        ("shell", &[], &[("/bin/sh", 0, "")], &["shell"]),
        ("owner", &[], &[], &["sh", "one"]),
        ("second", &[], &[], &["two"]),
        ("third", &[], &[], &["three"]),
        ("provider", &[("/bin/sh", "")], &[], &["dash"]),
    ]);
    let of = |name: &str| -> Vec<String> { selected(&tree, &[name])[1..].to_vec() };
    assert_eq!(of("any"), ["owner:x86_64"]);
    assert_eq!(of("if"), ["second:x86_64"]);
    assert_eq!(of("else"), ["third:x86_64"]);
    // A capability of that name comes before files.
    assert_eq!(of("shell"), ["provider:x86_64"]);
}

#[test]
fn only_an_exact_version_of_rpm_chooses_between_packages() {
    let tree = rpm(&[
        ("app", &[], &[("uname", 0b1000, "6.2")], &["app"]),
        ("newer", &[], &[("uname", 0b1100, "6.2")], &["newer"]),
        ("any", &[], &[("uname", 0b1000, ""), ("rpmlib(Old)", 0, "")], &["any"]),
        ("kernel1", &[("uname", "6.1")], &[], &["kernel1"]),
        ("kernel2", &[("uname", "6.2")], &[], &["kernel2"]),
    ]);
    assert_eq!(selected(&tree, &["app"]), ["app:x86_64", "kernel2:x86_64"]);
    assert_eq!(selected(&tree, &["newer"]), ["newer:x86_64", "kernel1:x86_64"]);
    assert_eq!(selected(&tree, &["any"]), ["any:x86_64", "kernel1:x86_64"]);
}
