use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use image_tree::Timestamp;
use image_tree::dump::{self, Body};

use super::*;
use crate::interrupt::Interrupt;
use crate::threads::Threads;
use crate::transform::own_files::OwnFiles;
use crate::xattr_filter::Filter;

const TREE: &str = "\
/ 0 40755 5 0 0 0 0.0 - - -
/bin 7 120777 1 0 0 0 0.0 usr/bin - -
/etc 0 40755 2 0 0 0 0.0 - - -
/etc/group 13 100644 1 0 0 0 0.0 - staff:x:50:a\\n -
/etc/passwd 15 100644 1 0 0 0 0.0 - www:x:33:34:::\\n -
/loose 5 120777 1 0 0 0 0.0 /none - -
/usr 0 40755 3 0 0 0 0.0 - - -
/usr/bin 0 40755 2 0 0 0 0.0 - - -
/usr/bin/sh 2 100755 1 0 0 0 0.0 - sh -
/usr/bin/su 2 104755 1 0 0 0 0.0 - su -
/var 0 40755 2 0 0 0 0.0 - - -
/var/a.log 0 100644 2 0 0 0 0.0 - - -
/var/b.log 0 @100644 2 0 0 0 0.0 /var/a.log - -
";

fn body(blob: &Blob) -> Vec<u8> {
    use image_tree::Content as _;
    let mut bytes = vec![0; usize::try_from(blob.len()).expect("small")];
    blob.read_at(&mut bytes, 0).expect("nobody changed it");
    bytes
}

fn tree() -> Tree<Blob> {
    let tree = dump::parse(TREE.as_bytes(), |file| match &file.body {
        Body::Inline(bytes) => Ok::<_, std::io::Error>(Blob::from(bytes.to_vec())),
        _ => Ok(Blob::from(Vec::new())),
    });
    tree.expect("a dump")
}

fn text(tree: &Tree<Blob>) -> String {
    let mut text = Vec::new();
    dump::write(tree, &mut text, |_, blob| Ok(Body::Inline(body(blob).into()))).expect("memory");
    String::from_utf8(text).expect("ASCII")
}

fn edited(edits: &[(&str, &str)]) -> Result<(Tree<Blob>, Report), String> {
    let edits = edits.iter().map(|(name, text)| {
        let form = parse::EDIT_FLAGS.iter().find(|form| form.name == *name).expect("a form");
        form.parse(OsStr::new(text))
    });
    let edits: Vec<_> = edits.collect::<Result<_, _>>()?;
    let interrupt = Interrupt::never();
    let options = Options {
        edits: &edits,
        time: Timestamp::from_seconds(77),
        threads: &Threads::single(),
        filter: Filter::NONE,
        interrupt: &interrupt,
        own: OwnFiles::default(),
    };
    let mut tree = tree();
    let report = apply(&mut tree, &options).map_err(|error| error.to_string())?;
    Ok((tree, report))
}

/// Returns the lines that edits created or changed, and the removed paths with `-` before them.
fn changes(edits: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let after = text(&edited(edits)?.0);
    let path = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let mut changes: Vec<String> =
        after.lines().filter(|line| !TREE.lines().any(|old| old == *line)).map(str::to_owned).collect();
    let paths: Vec<_> = after.lines().map(path).collect();
    changes.extend(TREE.lines().map(path).filter(|old| !paths.contains(old)).map(|old| format!("-{old}")));
    Ok(changes)
}

fn check(edits: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(changes(edits), Ok(expected.iter().map(|line| (*line).to_owned()).collect()), "{edits:?}");
}

#[test]
fn creates_directories_links_and_devices() {
    check(
        &[("mkdir", "/srv/www:2750:www:staff"), ("mkdir", "/usr/bin"), ("mkdir", "/var:1777")],
        &[
            "/ 0 40755 6 0 0 0 0.0 - - -",
            "/srv 0 40755 3 0 0 0 77.0 - - -",
            "/srv/www 0 42750 2 33 50 0 77.0 - - -",
            "/var 0 41777 2 0 0 0 0.0 - - -",
        ],
    );
    check(&[("symlink", "/run:/var/run")], &["/var/run 4 120777 1 0 0 0 77.0 /run - -"]);
    check(&[("mknod", "var/null:c:1:3:666")], &["/var/null 0 20666 1 0 0 259 77.0 - - -"]);
    // Links of the tree are followed, except the last component.
    check(&[("symlink", "sh:/bin/ash")], &["/usr/bin/ash 2 120777 1 0 0 0 77.0 sh - -"]);
    check(&[("remove", "/bin")], &["-/bin"]);
}

#[test]
fn changes_modes_owners_and_xattrs() {
    check(&[("chmod", "/bin/sh:u+s")], &["/usr/bin/sh 2 104755 1 0 0 0 0.0 - sh -"]);
    check(&[("chown", "/bin/sh:www:")], &["/usr/bin/sh 2 100755 1 33 34 0 0.0 - sh -"]);
    check(&[("chown", "/loose:5:6")], &["/loose 5 120777 1 5 6 0 0.0 /none - -"]);
    check(
        &[("chmod", "/usr/**:a-w")],
        &[
            "/usr/bin 0 40555 2 0 0 0 0.0 - - -",
            "/usr/bin/sh 2 100555 1 0 0 0 0.0 - sh -",
            "/usr/bin/su 2 104555 1 0 0 0 0.0 - su -",
        ],
    );
    check(&[("xattr", "/bin/sh:user.a=0x00")], &["/usr/bin/sh 2 100755 1 0 0 0 0.0 - sh - user.a=\\x00"]);
    let capability = "security.capability=\\x01\\x00\\x00\\x02\\x00 \\x00\\x00".replace(' ', "\\x20");
    let lines = changes(&[("setcap", "/bin/sh:cap_net_raw+ep")]).expect("it can be done");
    assert!(lines[0].contains(&capability), "{lines:?}");
}

#[test]
fn writes_files_and_changes_keys() {
    check(
        &[("write", "/etc/x/y:a:b\\n")],
        &[
            "/etc 0 40755 3 0 0 0 0.0 - - -",
            "/etc/x 0 40755 2 0 0 0 77.0 - - -",
            "/etc/x/y 5 100644 1 0 0 0 77.0 - a:b\\\\n -",
        ],
    );
    // The text after a mode may begin with one.
    check(&[("write", "/v:0600:755:x")], &["/v 5 100600 1 0 0 0 77.0 - 755:x -"]);
    // The owner and mode of a file remain, and its other names; a link is replaced.
    check(&[("write", "/bin/su:new")], &["/usr/bin/su 3 104755 1 0 0 0 77.0 - new -"]);
    check(&[("write", "/bin/su:755:new")], &["/usr/bin/su 3 100755 1 0 0 0 77.0 - new -"]);
    check(&[("write", "/loose:x")], &["/loose 1 100644 1 0 0 0 77.0 - x -"]);
    let expected = ["/var/a.log 1 100644 1 0 0 0 77.0 - x -", "/var/b.log 0 100644 1 0 0 0 0.0 - - -"];
    check(&[("write", "/var/a.log:x")], &expected);
    check(
        &[("write", "/bin/u:[S]\nA=1\n"), ("set-key", "/bin/u:S:A=2"), ("add-key", "/bin/u:S:B=\\:")],
        &["/usr/bin/u 13 100644 1 0 0 0 77.0 - [S]\\nA=2\\nB=\\\\:\\n -"],
    );
    // As an editor does, a change of a key follows a link.
    let edits = [("write", "/t:A=1\nB=2\n"), ("symlink", "t:/l"), ("remove-key", "/l::A")];
    check(&edits, &["/l 1 120777 1 0 0 0 77.0 t - -", "/t 4 100644 1 0 0 0 77.0 - B=2\\n -"]);
    let (_, report) = edited(&[("remove-key", "/etc/passwd::A")]).expect("it can be done");
    assert_eq!(report.warnings, ["--remove-key /etc/passwd::A: the section does not have the key"]);
}

#[test]
fn removes_paths_and_globs() {
    check(
        &[("remove", "/usr")],
        &["/ 0 40755 4 0 0 0 0.0 - - -", "-/usr", "-/usr/bin", "-/usr/bin/sh", "-/usr/bin/su"],
    );
    check(&[("remove", "/var/*")], &["-/var/a.log", "-/var/b.log"]);
    // The other name is kept, and is the first now.
    check(&[("remove", "/var/a.log")], &["/var/b.log 0 100644 1 0 0 0 0.0 - - -", "-/var/a.log"]);
    check(&[("exclude", "/none*"), ("exclude", "/none/at/all")], &[]);
    let (tree, _) = edited(&[("remove", "/usr")]).expect("it can be done");
    assert_eq!(tree.inode_count(), tree.walk().filter(|step| step.first).count(), "nothing is left behind");
}

#[test]
fn edits_apply_in_order() {
    check(
        &[("remove", "/var/*"), ("mkdir", "/var/new")],
        &[
            "/var 0 40755 3 0 0 0 0.0 - - -",
            "/var/new 0 40755 2 0 0 0 77.0 - - -",
            "-/var/a.log",
            "-/var/b.log",
        ],
    );
    check(&[("mkdir", "/var/new"), ("remove", "/var/*")], &["-/var/a.log", "-/var/b.log"]);
}

#[test]
fn refuses_impossible_edits() {
    for (edit, expected) in [
        (("remove", "/none"), "--remove /none: /none is not in the tree"),
        (("remove", "/none*"), "--remove /none*: nothing in the tree matches"),
        (("remove", "/"), "--remove /: the root directory cannot be removed"),
        (("chmod", "/bin:755"), "--chmod /bin:755: /bin is a symbolic link, which has no mode"),
        (
            ("chown", "/var:who"),
            "--chown /var:who: the tree's /etc/passwd has no user \"who\"; give its number instead",
        ),
        (
            ("setcap", "/var:cap_kill+p"),
            "--setcap /var:cap_kill+p: /var is not a regular file, and only those have capabilities",
        ),
        (("symlink", "x:/var"), "--symlink x:/var: / already contains \"var\"; --remove it first"),
        (("symlink", "x:/"), "--symlink x:/: the root directory is there already"),
        (("mkdir", "/bin/sh"), "--mkdir /bin/sh: /bin/sh is not a directory"),
        (("mkdir", "/bin/sh/x"), "--mkdir /bin/sh/x: /bin/sh is not a directory"),
        (("mkdir", "/loose/x"), "--mkdir /loose/x: /loose cannot be created: it is a symbolic link to /none"),
        (("symlink", "x:/var/.."), "file is named \"..\""),
        (("write", "/var:x"), "--write /var:x: /var is a directory"),
        (("write", "/bin/sh/x:y"), "--write /bin/sh/x:y: /bin/sh is not a directory"),
        (("set-key", "/none:S:A=1"), "--set-key /none:S:A=1: /none is not in the tree"),
        (("set-key", "/var:S:A=1"), "/var is not a regular file"),
        (("add-key", "/etc/group:S:A=1"), "/etc/group has no section [S]"),
        (("add", "/nonexistent:/x"), "--add /nonexistent:/x: /nonexistent: No such file"),
    ] {
        let error = changes(&[edit]).expect_err(edit.1);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn adds_files_of_the_host() {
    let host = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| host.path().join(name);
    fs::create_dir_all(at("d/bin")).expect("new directories");
    fs::write(at("d/bin/sh"), "new").expect("a new file");
    fs::hard_link(at("d/bin/sh"), at("d/twin")).expect("a second name");
    symlink("x", at("d/l")).expect("a new link");
    for (name, mode) in [("d", 0o700), ("d/bin", 0o700), ("d/bin/sh", 0o755)] {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("it is ours");
    }
    let add = |from: &str, to: &str| {
        let lines = changes(&[("add", &format!("{}:{to}", at(from).display()))]);
        // The times are those of the test's run.
        let without_time = |line: String| match line.split(' ').collect::<Vec<_>>()[..] {
            [path, size, mode, _, uid, gid, _, _, payload, content, ..] => {
                [path, size, mode, uid, gid, payload, content].join(" ")
            }
            _ => line,
        };
        lines.map(|lines| lines.into_iter().map(without_time).collect::<Vec<_>>())
    };
    // Merged through the tree's own link; existing directories keep their metadata.
    let merged = add("d", "/").expect("it can be added");
    assert_eq!(
        merged,
        ["/l 1 120777 0 0 x -", "/twin 3 100755 0 0 - new", "/usr/bin/sh 3 @100755 0 0 /twin -"]
    );
    let merged = add("d", "/opt/new").expect("it can be added");
    let expected = [
        "/ 0 40755 0 0 - -",
        "/opt 0 40755 0 0 - -",
        "/opt/new 0 40700 0 0 - -",
        "/opt/new/bin 0 40700 0 0 - -",
        "/opt/new/bin/sh 3 100755 0 0 - new",
        "/opt/new/l 1 120777 0 0 x -",
        "/opt/new/twin 3 @100755 0 0 /opt/new/bin/sh -",
    ];
    assert_eq!(merged, expected);
    assert_eq!(add("d/bin/sh", "/var/x"), Ok(vec!["/var/x 3 100755 0 0 - new".to_owned()]));
    assert_eq!(add("d/bin/sh", "/var/"), Ok(vec!["/var/sh 3 100755 0 0 - new".to_owned()]));
    // A link at the destination itself is replaced, not followed.
    assert_eq!(add("d/bin/sh", "/bin"), Ok(vec!["/bin 3 100755 0 0 - new".to_owned()]));
    assert!(add("d/bin/sh", "/var").expect_err("a directory").contains("/var is a directory in the tree"));
    assert!(add("d", "/usr/bin/sh").expect_err("a file").contains("is not a directory"));
}
