//! Tests of the selection by names, and of the files that are requested for it.

use super::*;

#[test]
fn packages_are_selected_once_and_in_the_order_of_their_database() {
    let tree = tree(&[
        (
            "/var/lib/dpkg/status",
            "Package: b\nArchitecture: i386\n\nPackage: a\nArchitecture: amd64\n\n\
             Package: c\nArchitecture: all\n\nPackage: c\nArchitecture: i386\n\n",
        ),
        ("/var/lib/dpkg/arch", "amd64\n"),
        ("/var/lib/dpkg/info/a.list", "/etc/a\n"),
        ("/var/lib/dpkg/info/b.list", "/etc/b\n"),
        ("/var/lib/dpkg/info/c.list", "/etc/c\n"),
        ("/lib/apk/db/installed", "P:a\nA:x86_64\nF:etc\nR:apk\n"),
        ("/etc/a", ""),
        ("/etc/apk", ""),
        ("/etc/b", ""),
        ("/etc/c", ""),
    ]);
    assert_eq!(packages_of(&tree, &["*"], false), ["b", "a:amd64", "c:all", "a:x86_64"]);
    assert_eq!(packages_of(&tree, &["a", "a", "*"], false), ["a:amd64", "a:x86_64", "b", "c:all"]);
    let (found, _) = requested(&tree, &["b", "b"], false).expect("it is installed");
    assert_eq!(found.len(), 1);
}

#[test]
fn similar_names_are_few_and_the_most_similar_first() {
    let names = ["curlie", "curly", "curl5", "curls", "curl4", "curl3-gnutls", "wget"];
    let status: String = names.map(|name| format!("Package: {name}\n\n")).concat();
    let tree = tree(&[("/var/lib/dpkg/status", &status)]);
    let near = |name: &str| {
        let error = requested(&tree, &[name], false).expect_err("it is not installed");
        error.split("similar names are ").nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(near("curl"), "curl4, curl5, curls, curly, curlie");
    // A part of a name is similar to it, however long the rest is.
    assert_eq!(near("gnutls"), "curl3-gnutls");
    assert_eq!(near("ls"), "");
}

#[test]
fn a_file_is_requested_once_though_it_is_listed_under_two_paths() {
    let mut tree = tree(&[
        ("/var/lib/dpkg/status", "Package: a\n\nPackage: b\n"),
        ("/var/lib/dpkg/info/a.list", "/lib\n/lib/x\n/usr/lib/x\n/usr/lib\n/etc\n"),
        ("/var/lib/dpkg/info/b.list", "/usr/lib\n/etc\n/etc/b\n/usr/lib/x\n"),
        ("/lib", "-> usr/lib"),
        ("/etc/b", ""),
    ]);
    add(&mut tree, "/usr/lib/x", image_tree::Kind::Regular(Vec::new()));
    let (found, _) = requested(&tree, &["a", "b"], false).expect("they are installed");
    let expected = [
        "/lib: package a",
        "/lib/x: package a",
        "/usr/lib: package a",
        "/etc: package a",
        "/etc/b: package b",
        "/usr/lib/x: package b",
    ];
    assert_eq!(found, expected);
    let found = owners(&tree, |path| path == b"/usr/lib/x").expect("it is read");
    assert_eq!(found.get(&b"/usr/lib/x"[..]), Some(&vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn the_first_files_that_the_tree_does_not_have_are_named() {
    let missing = |list: &str| {
        let tree = tree(&[("/var/lib/dpkg/status", "Package: a\n"), ("/var/lib/dpkg/info/a.list", list)]);
        requested(&tree, &["a"], false).expect("it is installed").1
    };
    let start = "files that the lists of packages have and the tree does not:";
    assert_eq!(missing("/a\n/b\n/c\n"), [format!("{start} /a, /b, /c")]);
    assert_eq!(missing("/a\n/b\n/c\n/d\n/e\n"), [format!("{start} /a, /b, /c and 2 more")]);
}
