//! The nodes of `/dev` that MAKEDEV(8) makes, for a guest that starts before it mounts devtmpfs.

use image_tree::{Device, Inode, Kind};

use super::site::Site;
use crate::accounts::Accounts;
use crate::error::Result;

/// Name, permissions, group, major and minor number.
const NODES: [(&str, u16, &str, u32, u32); 12] = [
    ("console", 0o600, "tty", 5, 1),
    ("full", 0o666, "root", 1, 7),
    ("null", 0o666, "root", 1, 3),
    ("ptmx", 0o666, "tty", 5, 2),
    ("random", 0o666, "root", 1, 8),
    ("tty", 0o666, "tty", 5, 0),
    ("ttyS0", 0o660, "dialout", 4, 64),
    ("ttyS1", 0o660, "dialout", 4, 65),
    ("ttyS2", 0o660, "dialout", 4, 66),
    ("ttyS3", 0o660, "dialout", 4, 67),
    ("urandom", 0o666, "root", 1, 9),
    ("zero", 0o666, "root", 1, 5),
];
const DIRECTORIES: [(&str, u16); 2] = [("pts", 0o755), ("shm", 0o1777)];
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stderr", "/proc/self/fd/2"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
];

/// Adds what is absent. Groups that the tree does not have are root's.
pub(super) fn apply(site: &mut Site<'_>) -> Result<()> {
    let accounts = Accounts::of(site.tree)?;
    site.directory(b"/dev", 0o755)?;
    for (name, mode, group, major, minor) in NODES {
        let path = format!("/dev/{name}").into_bytes();
        if site.find_link(&path).is_none() {
            let mut metadata = site.metadata(mode);
            metadata.gid = accounts.gid(group.as_bytes()).unwrap_or(0);
            site.put(&path, Inode { metadata, kind: Kind::CharacterDevice(Device { major, minor }) })?;
        }
    }
    for (name, mode) in DIRECTORIES {
        let path = format!("/dev/{name}").into_bytes();
        if site.find_link(&path).is_none() {
            site.directory(&path, mode)?;
        }
    }
    for (name, target) in LINKS {
        let path = format!("/dev/{name}").into_bytes();
        if site.find_link(&path).is_none() {
            site.symlink(&path, target.as_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use image_tree::Kind;

    use super::super::testing::{configure, tree};

    #[test]
    fn absent_nodes_are_added_with_the_groups_of_the_tree() {
        let mut tree = tree(&[("/etc/group", "tty:x:5:\n"), ("/dev/null", "own")]);
        let made = configure(&mut tree, "devices").expect("there is room");
        assert_eq!(made[0].paths.len(), 17);
        let inode = |path: &str| tree.get(tree.resolve_no_symlinks(path.as_bytes()).expect("it exists"));
        let Kind::CharacterDevice(device) = inode("/dev/console").kind else { panic!("not a device") };
        assert_eq!((device.major, device.minor, inode("/dev/console").metadata.gid), (5, 1, 5));
        assert_eq!((inode("/dev/ttyS1").metadata.gid, inode("/dev/shm").metadata.mode), (0, 0o1777));
        assert!(matches!(inode("/dev/null").kind, Kind::Regular(_)));
    }
}
