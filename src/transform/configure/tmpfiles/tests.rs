use image_tree::{Inode, Tree, acl};

use super::super::testing::{configure, text, tree};
use crate::blob::Blob;

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nann:x:1000:1001::/:/bin/sh\n";
const GROUP: &str = "root:x:0:\nadm:x:4:\njournal:x:999:\n";

/// Builds a tree of the lines of a file and of other files.
fn with(lines: &str, files: &[(&str, &str)]) -> Tree<Blob> {
    let mut all = vec![("/usr/lib/tmpfiles.d/a.conf", lines), ("/etc/passwd", PASSWD), ("/etc/group", GROUP)];
    all.extend(files);
    tree(&all)
}

fn inode<'t>(tree: &'t Tree<Blob>, path: &str) -> Option<&'t Inode<Blob>> {
    tree.resolve_no_symlinks(path.as_bytes()).map(|id| tree.get(id))
}

/// Returns mode, user and group of a file.
fn owner(tree: &Tree<Blob>, path: &str) -> (u16, u32, u32) {
    let metadata = &inode(tree, path).unwrap_or_else(|| panic!("no {path}")).metadata;
    (metadata.mode, metadata.uid, metadata.gid)
}

#[test]
fn the_journal_gets_the_lists_that_systemd_gives_it() {
    let lines = "a+ /var/log/journal - - - - d:group::r-x,d:group:adm:r-x\na+ /var/log/journal - - - - group::r-x,group:adm:r-x\n\
        z /var/log/journal 2755 root journal - -\nd /var/log/journal 2755 root journal - -\nz /var/log/journal/%m 2755 - -\n";
    let mut tree = with(lines, &[]);
    let made = configure(&mut tree, "tmpfiles").expect("there is room");
    assert_eq!(made[0].problems, [""; 0]);
    assert_eq!(owner(&tree, "/var/log/journal"), (0o2755, 0, 999));
    let xattrs = &inode(&tree, "/var/log/journal").expect("it was made").metadata.xattrs;
    let list = "0200000001000700ffffffff04000500ffffffff080005000400000010000500ffffffff20000500ffffffff";
    for name in [acl::ACCESS, acl::DEFAULT] {
        let hex: String =
            xattrs.get(name).expect("a list").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, list);
    }
}

#[test]
fn lines_create_files_of_each_kind() {
    let lines = "d /a/b 0700 ann - 10d -\nf /a/f 0640 - - - two\\x20\\n%%\nL /a/l - - - - ../x\nL /a/m\np /a/p 0600\nc /dev/c 0666 - - - 1:3\n\
        b /dev/b - ann adm - 8:0\nC /etc/copied\nd! /boot\nr /etc/passwd\nh /a +C\nf^ /a/secret - - - - x\nf~ /a/base - - - - aGk=\n\
        d /c/b/a\nw /etc/w - - - - new\nw+ /etc/w - - - - more\nF /etc/t - - - - short\nf /etc/kept - - - - lost\n";
    let mut tree = with(
        lines,
        &[
            ("/usr/share/factory/etc/copied/x/y", "deep"),
            ("/etc/w", "older"),
            ("/etc/t", "long text"),
            ("/etc/kept", "kept"),
        ],
    );
    let made = configure(&mut tree, "tmpfiles").expect("there is room");
    assert_eq!(made[0].problems, [""; 0]);
    assert_eq!(owner(&tree, "/a"), (0o755, 0, 0));
    assert_eq!(owner(&tree, "/a/b"), (0o700, 1000, 0));
    assert_eq!((owner(&tree, "/a/f"), text(&tree, "/a/f")), ((0o640, 0, 0), "two \n%".to_owned()));
    let target = |path| match &inode(&tree, path).expect("it was made").kind {
        image_tree::Kind::Symlink(target) => target.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!((target("/a/l"), target("/a/m")), ("../x".to_owned(), "/usr/share/factory/a/m".to_owned()));
    assert_eq!((owner(&tree, "/a/p"), owner(&tree, "/dev/c")), ((0o600, 0, 0), (0o666, 0, 0)));
    assert_eq!(owner(&tree, "/dev/b"), (0o644, 1000, 4));
    assert_eq!(
        (text(&tree, "/etc/copied/x/y"), text(&tree, "/a/base")),
        ("deep".to_owned(), "hi".to_owned())
    );
    assert_eq!((text(&tree, "/etc/w"), text(&tree, "/etc/t")), ("newermore".to_owned(), "short".to_owned()));
    assert_eq!(text(&tree, "/etc/kept"), "kept");
    for path in ["/boot", "/a/secret"] {
        assert_eq!(inode(&tree, path), None, "{path}");
    }
}

#[test]
fn modes_and_owners_follow_their_prefixes_and_patterns() {
    let lines = "d /new :0700 :ann\nd /old :0700 :ann\nz /p/*.x ~0775\nZ /r 0710 - adm\ne /e 0700\nz /.h* 0600\nz /p/[z]* 0600\n";
    let mut tree = with(
        lines,
        &[("/old/f", ""), ("/p/a.x", ""), ("/p/b.y", ""), ("/r/d/f", ""), ("/e/f", ""), ("/.hidden", "")],
    );
    for (path, mode) in [("/p/a.x", 0o600), ("/r/d/f", 0o600)] {
        let id = tree.resolve_no_symlinks(path.as_bytes()).expect("it exists");
        tree.metadata_mut(id).mode = mode;
    }
    configure(&mut tree, "tmpfiles").expect("there is room");
    assert_eq!((owner(&tree, "/new"), owner(&tree, "/old")), ((0o700, 1000, 0), (0o755, 0, 0)));
    assert_eq!((owner(&tree, "/p/a.x").0, owner(&tree, "/p/b.y").0), (0o664, 0o755));
    assert_eq!((owner(&tree, "/r/d"), owner(&tree, "/r/d/f")), ((0o710, 0, 4), (0o710, 0, 4)));
    assert_eq!((owner(&tree, "/e").0, owner(&tree, "/.hidden").0), (0o700, 0o600));
}

#[test]
fn what_is_not_done_is_reported() {
    let lines = "d /a\nd /a 0700\nd /a\nd a\nd /a/../../etc/x\ny /b\nd /c 9\nd /e - nobody\nd /etc/passwd\nd /gone/x\nf /%v\na /a - - - - u:ann:q\nd* /a\n";
    let mut tree = with(lines, &[("/gone", "-> nowhere"), ("/etc/tmpfiles.d/b.conf", "d /a 0711\n")]);
    let made = configure(&mut tree, "tmpfiles").expect("there is room");
    let expected = [
        "a.conf:2: there is another line for /a, which counts",
        "a.conf:4: \"a\" is not an absolute path",
        "a.conf:5: \"/a/../../etc/x\" is not an absolute path without ..",
        "a.conf:6: \"y\" is not a type",
        "a.conf:7: \"9\" is not a mode",
        "a.conf:8: the tree's /etc/passwd has no user \"nobody\"",
        "a.conf:11: %v is a property of the machine",
        "a.conf:12: \"u:ann:q\" is not an entry of an ACL",
        "a.conf:13: \"d*\" has an unknown modifier",
        "b.conf:1: there is another line for /a, which counts",
        "/etc/passwd: it is not a directory",
        "/gone/x: /gone does not lead to a directory",
    ];
    let problems = &made[0].problems;
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem} is not {expected}");
    }
    assert_eq!(owner(&tree, "/a").0, 0o755);
}

#[test]
fn overrides_of_dpkg_set_owners_and_modes_of_what_exists() {
    let overrides =
        "root journal 4754 /usr/lib/helper\n#1000 #4 750 /var/lib/x\nroot root 755 /gone\nno root 7 /x\n";
    let mut tree = with(
        "",
        &[
            ("/usr/lib/helper", ""),
            ("/var/lib/x/f", ""),
            ("/var/lib/dpkg/statoverride", overrides),
            ("/x", ""),
        ],
    );
    let made = configure(&mut tree, "tmpfiles").expect("there is room");
    assert_eq!(owner(&tree, "/usr/lib/helper"), (0o4754, 0, 999));
    assert_eq!(owner(&tree, "/var/lib/x"), (0o750, 1000, 4));
    assert_eq!(made[0].problems.len(), 1, "{made:?}");
    let made = configure(&mut tree, "tmpfiles").expect("there is room");
    assert!(made[0].paths.is_empty(), "{made:?}");
}
