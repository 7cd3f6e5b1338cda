use image_tree::{Kind, Tree};

use super::super::testing::{configure, text, tree};
use crate::blob::Blob;

fn shown(tree: &Tree<Blob>, path: &str) -> String {
    let Some(id) = tree.resolve_no_symlinks(path.as_bytes()) else { return "absent".to_owned() };
    let inode = tree.get(id);
    match &inode.kind {
        Kind::Symlink(target) => format!("-> {target}"),
        kind => format!("{:?} {:o} {}", kind.file_type(), inode.metadata.mode, inode.metadata.gid),
    }
}

#[test]
fn the_skeleton_of_base_files_is_made_with_its_migrations() {
    let mut tree = tree(&[
        ("/usr/share/base-files/profile", "text"),
        ("/usr/share/base-files/motd", "new"),
        ("/etc/motd", "own"),
        ("/etc/group", "root:x:0:\nmail:x:8:\nstaff:x:50:\nutmp:x:43:\n"),
        ("/etc/staff-group-for-usr-local", ""),
        ("/etc/dpkg/origins/debian", ""),
        ("/var/run/x", ""),
    ]);
    let made = configure(&mut tree, "templates").expect("there is room");
    assert_eq!(made[0].problems, ["/var/run has entries and does not become a link to /run"]);
    assert_eq!(
        (text(&tree, "/etc/profile"), text(&tree, "/etc/motd")),
        ("text".to_owned(), "own".to_owned())
    );
    for (path, expected) in [
        ("/mnt", "Directory 755 0"),
        ("/var/mail", "Directory 2775 8"),
        ("/run/lock", "Directory 1777 0"),
        ("/usr/local/bin", "Directory 2775 50"),
        ("/var/log/btmp", "Regular 660 43"),
        ("/var/lock", "-> /run/lock"),
        ("/var/spool/mail", "-> ../mail"),
        ("/usr/local/man", "-> share/man"),
        ("/etc/dpkg/origins/default", "-> debian"),
        ("/root/.profile", "absent"),
        ("/etc/hosts", "absent"),
    ] {
        assert_eq!(shown(&tree, path), expected, "{path}");
    }
}

#[test]
fn the_script_of_base_files_says_which_directories() {
    let script = "install_local_dir() {\n  mkdir \"$1\"\n}\ninstall_local_dir /usr/local/libexec\ninstall_from_default info.dir /usr/share/info/dir\n";
    let mut tree =
        tree(&[("/usr/share/base-files/info.dir", ""), ("/var/lib/dpkg/info/base-files.postinst", script)]);
    configure(&mut tree, "templates").expect("there is room");
    assert_eq!(shown(&tree, "/usr/local/libexec"), "Directory 755 0");
    assert_eq!(
        (shown(&tree, "/mnt"), shown(&tree, "/usr/share/info/dir")),
        ("absent".to_owned(), "absent".to_owned())
    );
}

#[test]
fn templates_are_copied_where_nothing_is() {
    let mut tree = tree(&[
        ("/usr/share/libc-bin/nsswitch.conf", "# x\npasswd:  files\nhosts: files dns\ngshadow: files\n"),
        ("/usr/lib/x86_64-linux-gnu/libnss_systemd.so.2", ""),
        ("/etc/protocols", ""),
        ("/var/lib/dpkg/info/kmod.list", ""),
        ("/usr/share/zoneinfo/Etc/UTC", ""),
        ("/usr/lib/systemd/systemd", ""),
        ("/etc/networks", "own"),
    ]);
    configure(&mut tree, "templates").expect("there is room");
    let expected = "# x\npasswd:  files systemd\nhosts: files dns\ngshadow: files systemd\n";
    assert_eq!(text(&tree, "/etc/nsswitch.conf"), expected);
    assert!(text(&tree, "/etc/hosts").starts_with("127.0.0.1\tlocalhost\n"));
    assert_eq!(text(&tree, "/etc/networks"), "own");
    assert!(text(&tree, "/etc/modules").ends_with("module name.\n\n"));
    assert_eq!(shown(&tree, "/etc/localtime"), "-> /usr/share/zoneinfo/Etc/UTC");
    assert_eq!(shown(&tree, "/etc/machine-id"), "Regular 444 0");
    let made = configure(&mut tree, "templates").expect("there is room");
    assert!(made[0].paths.is_empty(), "{made:?}");
}
