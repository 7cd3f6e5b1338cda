//! Package databases: those that are text, and that of rpm.

use image_tree::glob::NameGlob;
use image_tree::{Kind, Metadata, Tree};
use rootcast::closure::Request;
use rootcast::closure::packages::rpm::sqlite::{Database, column};
use rootcast::closure::packages::rpm::{self, Header};
use rootcast::closure::packages::{self, Requirement, apk, dpkg};
use rootcast::closure::requests::NamePattern;
use rootcast::closure::testing::rpm::{Value, database, header};

use super::{BETWEEN, add};
use crate::{Choices, Outcome};

/// The paths of the texts of an input.
const TEXTS: [&str; 6] = [
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/info/a.list",
    "/var/lib/dpkg/diversions",
    "/usr/lib/apk/db/installed",
    "/var/lib/dpkg/status.d/c",
    "/var/lib/dpkg/status.d/c.md5sums",
];

/// Requests all packages of databases of text, with their dependencies.
pub fn check_text(text: &[u8]) -> Outcome {
    let mut tree = Tree::new(Metadata::new(0o755));
    let mut parts = text.split(|byte| *byte == BETWEEN).chain(std::iter::repeat(&b""[..]));
    for path in TEXTS {
        let part = parts.next().unwrap_or_default();
        let _ = dpkg::packages(part);
        let _ = dpkg::Diversions::parse(part);
        let listed = [dpkg::list(part), dpkg::checksums(part), apk::files(part)].concat();
        assert!(listed.iter().all(|one| one.path.starts_with(b"/") && one.path != b"/"));
        assert!(apk::packages(part).iter().all(|(_, range)| range.end <= part.len()));
        add(&mut tree, path, Kind::Regular(part.to_vec()));
    }
    check(&mut tree)
}

/// Requests all packages of a database of rpm, with their dependencies.
pub fn check_rpm(bytes: &[u8]) -> Outcome {
    let file = bytes.to_vec();
    let Ok(database) = Database::open(&file) else { return Outcome::Refused };
    if let Ok(rows) = rpm::rows(&database) {
        for row in &rows {
            let Ok(record) = database.read(row) else { continue };
            (0..4).for_each(|index| _ = column(&record, index));
            if let Some(Ok(header)) = column(&record, 1).map(|bytes| Header::parse(bytes.to_vec())) {
                let listed = rpm::files(&header);
                assert!(listed.iter().all(|one| one.path.starts_with(b"/") && one.path != b"/"));
                let requires = rpm::package(&header).into_iter().flat_map(|package| package.requires);
                assert!(
                    requires.into_iter().all(|one| !matches!(one, Requirement::Any(all) if all.is_empty()))
                );
            }
        }
    }
    let mut tree = Tree::new(Metadata::new(0o755));
    add(&mut tree, "/var/lib/rpm/rpmdb.sqlite", Kind::Regular(file));
    check(&mut tree)
}

fn check(tree: &mut Tree<Vec<u8>>) -> Outcome {
    for path in ["/usr/bin/a", "/usr/bin/b", "/usr/lib/c"] {
        add(tree, path, Kind::Regular(Vec::new()));
    }
    let all = NamePattern { text: b"*".to_vec(), glob: Some(NameGlob::parse(b"*").expect("a pattern")) };
    let Ok((requests, _)) = packages::requests(tree, &[all], true) else { return Outcome::Refused };
    for request in &requests {
        let Request::Member { path, .. } = request else { panic!("{request:?} is not of a package") };
        assert!(path.starts_with(b"/"));
    }
    let owners = packages::owners(tree, |_| true).expect("the databases were read before");
    assert!(owners.values().all(|names| !names.is_empty()));
    Outcome::Checked
}

/// Creates databases of text.
#[must_use]
pub fn text(bytes: &[u8]) -> Vec<u8> {
    const LINES: [&str; 24] = [
        "Package: a",
        "Package: b",
        "Status: install ok installed",
        "Architecture: amd64",
        "Multi-Arch: same",
        "Depends: b (>= 1) | a:any, c,",
        " d | e",
        "Provides: c (= 1), d",
        "",
        "/usr/bin/a",
        "/.",
        "/usr/bin/b",
        "/lib/c",
        ":",
        "P:a",
        "P:b",
        "D:so:c !b c>=1 a=2",
        "p:so:c=1 c",
        "F:usr/bin",
        "R:a",
        "F:",
        "d41d8cd98f00b204e9800998ecf8427e  usr/bin/a",
        "d41d8cd98f00b204e9800998ecf8427e  ",
        "Status: deinstall ok config-files",
    ];
    let mut text = super::text(bytes, &LINES);
    // Most inputs have a package that is installed.
    if bytes.first().is_some_and(|byte| byte % 4 > 0) {
        text.splice(0..0, *b"Package: a\n\n");
    }
    text
}

/// Creates a database of rpm, sometimes with a changed byte.
#[must_use]
pub fn rpm(bytes: &[u8]) -> Vec<u8> {
    const NAMES: [&str; 10] = [
        "a",
        "b",
        "c()(64bit)",
        "/usr/bin/b",
        "(a or b)",
        "(a if b else c)",
        "rpmlib(X)",
        "((a and",
        "usr/",
        "",
    ];
    let mut choices = Choices::new(bytes);
    let mut headers = Vec::new();
    for _ in 0..choices.up_to(6) {
        let mut tags = Vec::new();
        for tag in [1000, 1022, 1047, 1049, 1113, 1117] {
            let count = if tag < 1047 { 1 } else { choices.up_to(5) };
            let strings = (0..count).map(|_| choices.one_of(&NAMES).into());
            tags.push((tag, Value::Strings(strings.collect())));
        }
        tags.push((1118, Value::Strings(vec![b"/usr/bin/".to_vec(), b"/usr/lib/".to_vec()])));
        for tag in [1037, 1048, 1116] {
            let numbers = (0..choices.up_to(5)).map(|_| choices.one_of(&[0, 1, 8, 64, 1 << 9, 1 << 19]));
            tags.push((tag, Value::Numbers(numbers.collect())));
        }
        let mut header = header(&tags);
        if choices.rarely(8) {
            header.resize(header.len() + 700, 0);
        }
        headers.push(header);
    }
    let mut file = database(&headers);
    if choices.wrong() {
        let at = choices.index(file.len());
        file[at] = choices.bytes(1).first().copied().unwrap_or_default();
    }
    file
}
