//! Trees for the tests.

use image_tree::{Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName};

pub(crate) type Bytes = Tree<Vec<u8>>;

/// Creates a tree with a root directory that has a distinct mode and owner.
pub(crate) fn empty() -> Bytes {
    Tree::new(Metadata { uid: 3, gid: 4, mtime: Timestamp::from_seconds(5), ..Metadata::new(0o751) })
}

/// Adds a file with its parent directories.
pub(crate) fn add(tree: &mut Bytes, path: &str, kind: Kind<Vec<u8>>) -> InodeId {
    let metadata = Metadata { mtime: Timestamp::from_seconds(1_700_000_000), ..Metadata::new(0o755) };
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut parent = InodeId::ROOT;
    for directory in above.split('/').filter(|name| !name.is_empty()) {
        parent = tree.lookup(parent, directory.as_bytes()).unwrap_or_else(|| {
            let name = Name::new(directory).expect("a valid name");
            tree.insert(parent, name, Inode::directory(metadata.clone())).expect("it is new")
        });
    }
    let name = Name::new(name).expect("a valid name");
    tree.insert(parent, name, Inode { metadata, kind }).expect("it is new")
}

pub(crate) fn file(tree: &mut Bytes, path: &str, bytes: &[u8]) -> InodeId {
    add(tree, path, Kind::Regular(bytes.to_vec()))
}

pub(crate) fn symlink(tree: &mut Bytes, path: &str, target: &[u8]) -> InodeId {
    add(tree, path, Kind::Symlink(LinkTarget::new(target).expect("a valid target")))
}

pub(crate) fn link(tree: &mut Bytes, path: &str, target: InodeId) {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = tree.resolve_no_symlinks(above.as_bytes()).expect("the directory is there");
    tree.link(parent, Name::new(name).expect("a valid name"), target).expect("it is new");
}

/// Returns bytes that hardly compress, equal for equal seeds.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    (0..len).map(|_| next()).collect()
}

/// Returns a tree with every kind of file, owners beyond 16 bits, names that are not UTF-8, and
/// hard links of every kind.
pub(crate) fn every_kind() -> Bytes {
    let mut tree = empty();
    let init = file(&mut tree, "init", b"#!/bin/sh\n");
    tree.metadata_mut(init).mode = 0o6755;
    file(&mut tree, "empty", b"");
    let big = file(&mut tree, "usr/bin/big", &noise(100_001, 1));
    link(&mut tree, "usr/bin/again", big);
    link(&mut tree, "zz", big);
    let empty = file(&mut tree, "usr/lib/empty-linked", b"");
    link(&mut tree, "usr/lib/empty-too", empty);
    for length in 1..=5 {
        file(&mut tree, &format!("usr/share/{}", "n".repeat(length)), &noise(length, 7));
    }
    let owned = file(&mut tree, "home/user/.profile", b"x");
    *tree.metadata_mut(owned) = Metadata { uid: 100_000, gid: 200_001, ..Metadata::new(0o600) };
    symlink(&mut tree, "lib", b"usr/lib");
    symlink(&mut tree, "usr/long", &[b'l'; 4095]);
    add(&mut tree, "dev/console", Kind::CharacterDevice(Device { major: 5, minor: 1 }));
    let block = add(&mut tree, "dev/far", Kind::BlockDevice(Device { major: 4095, minor: 0xf_ffff }));
    link(&mut tree, "dev/far-too", block);
    add(&mut tree, "run/pipe", Kind::Fifo);
    add(&mut tree, "run/socket", Kind::Socket);
    let bytes = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(b"\xff".to_vec()) };
    tree.insert(InodeId::ROOT, Name::new(b"\xff\xfe name\n").expect("a valid name"), bytes)
        .expect("it is new");
    let tmp = add(&mut tree, "tmp", Inode::<Vec<u8>>::directory(Metadata::new(0)).kind);
    tree.metadata_mut(tmp).mode = 0o1777;
    tree.metadata_mut(tmp).mtime = Timestamp::from_seconds(i64::from(u32::MAX));
    tree
}

/// Adds an xattr, which an archive cannot represent, to a file.
pub(crate) fn xattr(tree: &mut Bytes, id: InodeId, name: &str) {
    let name = XattrName::new(name).expect("a valid name");
    tree.metadata_mut(id).xattrs.insert(name, b"v".as_slice().into());
}
