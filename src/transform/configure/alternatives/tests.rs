use image_tree::{Kind, Tree};

use super::super::testing::{configure, text, tree};
use crate::blob::Blob;

const SCRIPT: &str = "/var/lib/dpkg/info/p.postinst";

fn link(tree: &Tree<Blob>, path: &str) -> Option<String> {
    let id = tree.resolve_no_symlinks(path.as_bytes())?;
    match &tree.get(id).kind {
        Kind::Symlink(target) => Some(target.to_string()),
        _ => Some("a file".to_owned()),
    }
}

#[test]
fn lines_of_scripts_make_links_and_the_database() {
    let script = "#!/bin/sh\nif true; then\n\tupdate-alternatives --quiet --install /usr/bin/awk awk \\\n  /usr/bin/mawk 5 \\\n\
        --slave /usr/share/man/awk.1 awk.1 /usr/share/man/mawk.1 --slave /usr/bin/nawk nawk /usr/bin/mawk || true\nfi\n\
        update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10 >/dev/null\n\
        update-alternatives --install /usr/bin/awk awk /usr/bin/first 10 # x\n\
        update-alternatives --remove x /usr/bin/x\nupdate-alternatives --install /usr/bin/$x y /z 1\n";
    let mut tree = tree(&[
        (SCRIPT, script),
        ("/usr/bin/mawk", ""),
        ("/usr/bin/gawk", ""),
        ("/usr/bin/first", ""),
        ("/usr/share/man/mawk.1", ""),
        ("/usr/bin/nawk", "-> /etc/alternatives/nawk"),
    ]);
    let made = configure(&mut tree, "alternatives").expect("there is room");
    assert_eq!(
        made[0].problems,
        ["p: this line depends on the script: update-alternatives --install /usr/bin/$x y /z 1"]
    );
    assert_eq!(link(&tree, "/usr/bin/awk").as_deref(), Some("/etc/alternatives/awk"));
    assert_eq!(link(&tree, "/etc/alternatives/awk").as_deref(), Some("/usr/bin/gawk"));
    assert_eq!(link(&tree, "/etc/alternatives/nawk"), None);
    assert_eq!(link(&tree, "/usr/bin/nawk"), None);
    let database = "auto\n/usr/bin/awk\nawk.1\n/usr/share/man/awk.1\nnawk\n/usr/bin/nawk\n\n/usr/bin/first\n10\n\n\n\
        /usr/bin/gawk\n10\n\n\n/usr/bin/mawk\n5\n/usr/share/man/mawk.1\n/usr/bin/mawk\n\n";
    assert_eq!(text(&tree, "/var/lib/dpkg/alternatives/awk"), database);
    let made = configure(&mut tree, "alternatives").expect("there is room");
    assert!(made[0].paths.is_empty(), "{made:?}");
}

#[test]
fn what_cannot_be_installed_is_reported() {
    let script = "update-alternatives --install /usr/bin/a a /usr/bin/gone 1\n\
        update-alternatives --install /no/a a /usr/bin/x 1\n\
        update-alternatives --install /usr/bin/x x /usr/bin/x 1\n\
        update-alternatives --install /usr/bin/l l /usr/bin/x 1 --slave /usr/bin/m l /usr/bin/x\n\
        update-alternatives --install /usr/bin/b b /usr/bin/x -1\n\
        update-alternatives --install /usr/bin/b c /usr/bin/x 1\n\
        update-alternatives --install /usr/bin/f f /usr/bin/x 1\n\
        update-alternatives --install /usr/bin/o o /usr/bin/loop 1\n\
        update-alternatives --install /usr/bin/d d /usr/../x 1\n";
    let mut tree = tree(&[
        (SCRIPT, script),
        ("/usr/bin/x", ""),
        ("/usr/bin/f", "a file"),
        ("/usr/bin/loop", "-> o"),
        ("/usr/bin/o", "-> x"),
    ]);
    let made = configure(&mut tree, "alternatives").expect("there is room");
    let expected = [
        "/usr/bin/gone is not installed: the file does not exist",
        "the directory of /no/a does not exist",
        "/usr/bin/x leads to itself",
        "l with the link /usr/bin/m occurs twice",
        "/usr/bin/b is one of the links of b",
        "\"/usr/../x\" is not an absolute path",
        "/usr/bin/f is a file and does not become a link",
        "/usr/bin/o leads in a circle by way of /usr/bin/loop",
    ];
    let problems = &made[0].problems;
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem} is not {expected}");
    }
    assert_eq!(link(&tree, "/etc/alternatives/b").as_deref(), Some("/usr/bin/x"));
    assert_eq!(link(&tree, "/usr/bin/f").as_deref(), Some("a file"));
    assert_eq!(link(&tree, "/etc/alternatives/f").as_deref(), Some("/usr/bin/x"));
}

#[test]
fn a_choice_of_the_user_and_a_current_one_of_the_same_priority_stay() {
    let database = "/usr/bin/c\n\n/usr/bin/x\n1\n/usr/bin/y\n1\n\n";
    for (state, current, chosen) in [
        ("auto", "/usr/bin/y", "/usr/bin/y"),
        ("auto", "/usr/bin/gone", "/usr/bin/x"),
        ("manual", "/usr/bin/y", "/usr/bin/y"),
    ] {
        let script = format!(
            "update-alternatives --install /usr/bin/c c /usr/bin/z {}\n",
            if state == "auto" { 0 } else { 9 }
        );
        let mut tree = tree(&[
            ("/usr/bin/x", ""),
            ("/usr/bin/y", ""),
            ("/usr/bin/z", ""),
            (SCRIPT, &script),
            ("/var/lib/dpkg/alternatives/c", &format!("{state}\n{database}")),
            ("/etc/alternatives/c", &format!("-> {current}")),
        ]);
        configure(&mut tree, "alternatives").expect("there is room");
        assert_eq!(link(&tree, "/etc/alternatives/c").as_deref(), Some(chosen), "{state} {current}");
        assert!(text(&tree, "/var/lib/dpkg/alternatives/c").starts_with(&format!("{state}\n/usr/bin/c\n\n")));
    }
}
