//! Trees for the tests.

use std::io;
use std::ops::Range;

use tar_archive::image_tree::{
    Content, Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName,
};

pub(crate) type Files = Tree<File>;

/// The bytes of a file, and the ranges outside of which they are zeros.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) data: Option<Vec<Range<u64>>>,
}

impl Content for File {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.bytes.read_at(buffer, offset)
    }

    fn data_ranges(&self) -> Option<&[Range<u64>]> {
        self.data.as_deref()
    }
}

/// Creates a tree with a root directory that has a distinct mode and owner.
pub(crate) fn empty() -> Files {
    Tree::new(Metadata { uid: 3, gid: 4, mtime: Timestamp::from_seconds(5), ..Metadata::new(0o751) })
}

/// Adds a file with its parent directories.
pub(crate) fn add(tree: &mut Files, path: &[u8], kind: Kind<File>) -> InodeId {
    let metadata = Metadata { mtime: Timestamp::from_seconds(1_700_000_000), ..Metadata::new(0o755) };
    let inode = Inode { metadata: metadata.clone(), kind };
    tree.insert_path(path, inode, &metadata).expect("it is new")
}

pub(crate) fn file(tree: &mut Files, path: &[u8], bytes: &[u8]) -> InodeId {
    add(tree, path, Kind::Regular(File { bytes: bytes.to_vec(), data: None }))
}

/// Adds a file of `len` bytes that has data from each of these starts to its end.
pub(crate) fn sparse(tree: &mut Files, path: &[u8], len: usize, data: &[(usize, usize)]) -> InodeId {
    let mut bytes = vec![0; len];
    for (start, end) in data {
        bytes[*start..*end].copy_from_slice(&noise(end - start, *end as u64));
    }
    let data = data.iter().map(|(start, end)| *start as u64..*end as u64).collect();
    add(tree, path, Kind::Regular(File { bytes, data: Some(data) }))
}

pub(crate) fn symlink(tree: &mut Files, path: &[u8], target: &[u8]) -> InodeId {
    let id = add(tree, path, Kind::Symlink(LinkTarget::new(target).expect("a valid target")));
    tree.metadata_mut(id).mode = 0o777;
    id
}

pub(crate) fn link(tree: &mut Files, path: &str, target: InodeId) {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = tree.resolve_no_symlinks(above.as_bytes()).expect("the directory is there");
    tree.link(parent, Name::new(name).expect("a valid name"), target).expect("it is new");
}

pub(crate) fn xattr(tree: &mut Files, id: InodeId, name: &str, value: &[u8]) {
    let name = XattrName::new(name).expect("a valid name");
    tree.metadata_mut(id).xattrs.insert(name, value.into());
}

/// Returns bytes without zeros that hardly compress, equal for equal seeds.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4] | 1
    };
    (0..len).map(|_| next()).collect()
}

/// Returns a tree with every kind of file and every value that needs a record.
pub(crate) fn every_kind() -> Files {
    let mut tree = empty();
    let program = file(&mut tree, b"usr/bin/program", &noise(100_001, 1));
    tree.metadata_mut(program).mode = 0o6755;
    let capability = b"\x01\x00\x00\x02\x00\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    xattr(&mut tree, program, "security.capability", capability);
    link(&mut tree, "usr/again", program);
    link(&mut tree, "zz", program);
    file(&mut tree, b"empty", b"");
    for length in [1, 511, 512, 513] {
        file(&mut tree, format!("lengths/{length}").as_bytes(), &noise(length, 7));
    }
    let owned = file(&mut tree, b"owned", b"x");
    let metadata = Metadata { uid: 3_000_000, gid: 4_294_967_294, ..Metadata::new(0o600) };
    *tree.metadata_mut(owned) = metadata;
    let commented = file(&mut tree, b"commented", b"x");
    xattr(&mut tree, commented, "user.comment", b"binary \0\xff\n");
    xattr(&mut tree, commented, "trusted.t", b"v");
    symlink(&mut tree, b"lib", b"usr/lib");
    symlink(&mut tree, b"far", &[b'l'; 300]);
    add(&mut tree, b"dev/console", Kind::CharacterDevice(Device { major: 5, minor: 1 }));
    let block = add(&mut tree, b"dev/block", Kind::BlockDevice(Device { major: 259, minor: 0xf_ffff }));
    link(&mut tree, "dev/block-too", block);
    add(&mut tree, b"pipe", Kind::Fifo);
    file(&mut tree, b"\xff\xfe name\n", b"\xff");
    let long = [&b"long/"[..], &[b'd'; 255], b"/", &[b'n'; 255]].concat();
    let long = file(&mut tree, &long, b"long");
    link(&mut tree, "long/first-has-a-long-path", long);
    file(&mut tree, &[&b"hundred/"[..], &[b'n'; 92]].concat(), b"100");
    file(&mut tree, &[&b"hundred/"[..], &[b'n'; 93]].concat(), b"101");
    for (name, seconds, nanoseconds) in
        [("old", -6, 500_000_000), ("fraction", 1_600_000_000, 123_456_789), ("late", 9_000_000_000, 0)]
    {
        let id = file(&mut tree, format!("times/{name}").as_bytes(), b"t");
        tree.metadata_mut(id).mtime = Timestamp::new(seconds, nanoseconds).expect("a time");
    }
    sparse(&mut tree, b"sparse/middle", 3 << 20, &[(0, 4096), (1 << 20, (1 << 20) + 8192)]);
    sparse(&mut tree, b"sparse/end", 70_000, &[(65_536, 70_000)]);
    sparse(&mut tree, b"sparse/nothing", 1 << 20, &[]);
    let tmp = add(&mut tree, b"tmp", Inode::<File>::directory(Metadata::new(0)).kind);
    tree.metadata_mut(tmp).mode = 0o1777;
    xattr(&mut tree, tmp, "user.of-a-directory", b"v");
    tree
}
