//! The limits on the units of a tree, each of which is reported.

use super::*;

const DIRECTORY: &str = "/usr/lib/systemd/system";

/// Returns the names of the units that are pulled in by `root.target`, and the reports.
fn pulled_in(units: &[(&str, String)], aliases: &[String], of: &str) -> (BTreeSet<Vec<u8>>, Vec<String>) {
    let path = |name: &str| format!("{DIRECTORY}/{name}");
    let files: Vec<(String, &str)> = units.iter().map(|(name, text)| (path(name), &text[..])).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&path[..], *text)).collect();
    let links: Vec<String> = aliases.iter().map(|name| path(name)).collect();
    let links: Vec<(&str, &str)> = links.iter().map(|path| (&path[..], of)).collect();
    let tree = tree(&files, &links);
    let mut walk = Walk::new(&tree, Follow::All);
    walk.request(b"root.target").expect("the name of a unit");
    walk.run().expect("it can be read");
    let Units { names, dependencies, .. } = walk.finish();
    (names, dependencies.unknown)
}

#[test]
fn relations_beyond_the_limit_are_skipped_and_reported() {
    // Each name of the file has 144,000 relations, so that seven have more than a million.
    let many = format!("Wants={}\n", "b.path ".repeat(9000)).repeat(16);
    let check = |count: usize, expected: &[&str], has_last: bool| {
        let aliases: Vec<String> = (1..count).map(|number| format!("a{number}.target")).collect();
        let units = [
            ("root.target", format!("[Unit]\nWants=a.target {} last.target\n", aliases.join(" "))),
            ("a.target", format!("[Unit]\n{many}")),
            ("last.target", "[Unit]\nWants=z.target\n".to_owned()),
            ("z.target", "[Unit]\n".to_owned()),
        ];
        let (names, unknown) = pulled_in(&units, &aliases, "a.target");
        assert!(names.contains(&b"last.target"[..]));
        assert_eq!(names.contains(&b"z.target"[..]), has_last, "{count}");
        assert_eq!(unknown, expected, "{count}");
    };
    check(6, &[], true);
    check(7, &["units have more than 1000000 relations; the rest are skipped"], false);
}

#[test]
fn units_beyond_the_limit_are_skipped_and_reported() {
    let check = |count: usize, expected: &[&str], has_last: bool| {
        let names: Vec<String> = (0..count).map(|number| format!("t@{number}.target")).collect();
        let units = [
            ("root.target", format!("[Unit]\nWants={} z.target\n", names.join(" "))),
            ("t@.target", "[Unit]\n".to_owned()),
            ("z.target", "[Unit]\n".to_owned()),
        ];
        let (names, unknown) = pulled_in(&units, &[], "");
        assert_eq!(names.contains(&b"z.target"[..]), has_last, "{count}");
        assert_eq!(unknown, expected, "{count}");
    };
    check(9998, &[], true);
    check(9999, &["more than 10000 units are pulled in; the rest are skipped"], false);
}

#[test]
fn the_files_of_units_beyond_the_limit_are_skipped_and_reported() {
    let check = |count: usize, expected: &[&str], has_last: bool| {
        let paths = "/a ".repeat(count);
        let units = [
            ("root.target", "[Unit]\nWants=a.service z.target\n".to_owned()),
            ("a.service", format!("[Unit]\nDefaultDependencies=no\n[Service]\nReadWritePaths={paths}\n")),
            ("z.target", "[Unit]\n".to_owned()),
        ];
        let (names, unknown) = pulled_in(&units, &[], "");
        assert_eq!(names.contains(&b"z.target"[..]), has_last, "{count}");
        assert_eq!(unknown, expected, "{count}");
    };
    // The files of two units are among them.
    check(199_998, &[], true);
    check(199_999, &["units name more than 200000 files; those of the rest are skipped"], false);
}
