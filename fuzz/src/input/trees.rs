//! Trees created from choices.

use std::ops::Range;

use image_tree::{
    Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName, Xattrs,
};

use crate::Choices;
use crate::input::pattern::Pattern;

/// The maximum number of names in a tree: more would take time without reaching further code.
const MAX_NAMES: usize = 4000;

/// A tree under construction.
struct Growing {
    tree: Tree<Pattern>,
    directories: Vec<InodeId>,
    /// Inodes that may get a second name.
    files: Vec<InodeId>,
    names: usize,
}

/// Creates a tree with files of every type, almost always one that a filesystem can hold.
pub(crate) fn tree(choices: &mut Choices<'_>) -> Tree<Pattern> {
    let tree = Tree::new(metadata(choices));
    let mut growing = Growing { tree, directories: vec![InodeId::ROOT], files: Vec::new(), names: 0 };
    while !choices.is_empty() && growing.names < MAX_NAMES {
        growing.grow(choices);
    }
    growing.tree
}

impl Growing {
    fn grow(&mut self, choices: &mut Choices<'_>) {
        // The last directory is preferred, or trees would be flat.
        let parent = if choices.up_to(1) == 0 {
            *self.directories.last().expect("the root")
        } else {
            choices.one_of(&self.directories)
        };
        match choices.up_to(15) {
            0..=3 => self.add(parent, name(choices), directory, choices),
            4..=6 => self.add(parent, name(choices), file, choices),
            7..=8 => self.add(parent, name(choices), symlink, choices),
            9 => self.add(parent, name(choices), special, choices),
            10..=11 => self.link(parent, name(choices), choices),
            12 => self.nest(parent, choices),
            13 => self.widen(parent, choices),
            // Names that are special to a filesystem or to e2fsck.
            14 => {
                let name = choices
                    .one_of(&[&b"lost+found"[..], b"lost+foun", b"lost+found2", b"...", b" "])
                    .to_vec();
                let kind = if choices.wrong() { file } else { directory };
                self.add(InodeId::ROOT, name, kind, choices);
            }
            _ => {
                let many = 1 + choices.up_to(15);
                for _ in 0..many {
                    self.link(parent, numbered(self.names), choices);
                }
            }
        }
        self.names += 1;
    }

    fn add(
        &mut self,
        parent: InodeId,
        name: Vec<u8>,
        kind: fn(&mut Choices<'_>) -> Kind<Pattern>,
        choices: &mut Choices<'_>,
    ) {
        let inode = Inode { metadata: metadata(choices), kind: kind(choices) };
        self.insert(parent, name, inode);
    }

    /// Inserts an inode; a name that exists already or is invalid is replaced by a new number.
    fn insert(&mut self, parent: InodeId, name: Vec<u8>, inode: Inode<Pattern>) {
        let is_directory = matches!(inode.kind, Kind::Directory(_));
        let name = self.free_name(parent, name);
        let id = self.tree.insert(parent, name, inode).expect("the name is free in a directory");
        if is_directory {
            self.directories.push(id)
        } else {
            self.files.push(id)
        }
        self.names += 1;
    }

    fn link(&mut self, parent: InodeId, name: Vec<u8>, choices: &mut Choices<'_>) {
        if !self.files.is_empty() {
            let target = choices.one_of(&self.files);
            let name = self.free_name(parent, name);
            self.tree.link(parent, name, target).expect("the name is free in a directory");
            self.names += 1;
        }
    }

    fn free_name(&self, parent: InodeId, name: Vec<u8>) -> Name {
        let free = |name: &Name| self.tree.lookup(parent, name.as_bytes()).is_none();
        let name = Name::new(name).ok().filter(free);
        let mut candidates = (self.names..).map(|number| Name::new(numbered(number)).expect("digits"));
        name.or_else(|| candidates.find(free)).expect("numbers do not end")
    }

    /// Adds nested directories.
    fn nest(&mut self, mut parent: InodeId, choices: &mut Choices<'_>) {
        let depth = if choices.rarely(8) { choices.up_to(30) } else { choices.up_to(6) };
        for _ in 0..depth {
            self.insert(parent, b"d".to_vec(), Inode::directory(Metadata::new(0o755)));
            parent = *self.directories.last().expect("just added");
        }
    }

    /// Fills a directory so that it needs several blocks, or an index.
    fn widen(&mut self, parent: InodeId, choices: &mut Choices<'_>) {
        let count = usize::try_from(if choices.rarely(4) { choices.up_to(1500) } else { choices.up_to(60) })
            .expect("small")
            .min(MAX_NAMES.saturating_sub(self.names));
        let len = choices.one_of(&[1, 4, 5, 8, 60, 252, 254, 255]);
        // Names that differ in their first or last bytes, in ASCII or where `char` is negative.
        let (prefix, fill) = choices.one_of(&[(false, b'x'), (true, b'x'), (false, 0xff), (true, 0x80)]);
        for number in 0..count {
            let mut name = numbered(number);
            let missing = vec![fill; usize::saturating_sub(len, name.len())];
            let at = if prefix { 0 } else { name.len() };
            name.splice(at..at, missing);
            let kind = Kind::Regular(Pattern { len: 0, seed: 0, data: None });
            self.insert(parent, name, Inode { metadata: Metadata::new(0o644), kind });
        }
    }
}

fn numbered(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn name(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.up_to(7) {
        0..=4 => vec![b"abcdefgh"[choices.index(8)]],
        // Entries are padded to 4 bytes; 255 is the limit.
        5 => vec![b'n'; choices.one_of(&[2, 3, 4, 5, 7, 8, 9, 100, 250, 252, 253, 254, 255])],
        6 => choices.bytes(16).iter().map(|byte| byte | 0x80).collect(),
        _ => choices.bytes(255).to_vec(),
    }
}

fn directory(_: &mut Choices<'_>) -> Kind<Pattern> {
    Kind::Directory(std::collections::BTreeMap::new())
}

/// No data; a byte; a whole block; ranges that meet within a block, at its edge and not at all.
const DATA: [&[Range<u64>]; 5] = [
    &[],
    &[0..1],
    &[4096..8192],
    &[1..2, 1023..1024, 1024..1025, 5000..5001, 40_960..50_000],
    &[100..101, 99_999..100_000],
];

fn file(choices: &mut Choices<'_>) -> Kind<Pattern> {
    const BLOCK: u64 = 4096;
    /// Around the longest extent, and around the number of extents that an inode holds.
    const BLOCKS: [u64; 6] = [1024, 32_763, 32_768, 32_769, 4 * 32_768, 4 * 32_768 + 1];
    /// The longest file of ext4 and one byte more; and that of a filesystem without 64-bit lengths.
    const LIMITS: [u64; 3] = [u32::MAX as u64 * BLOCK, u32::MAX as u64 * BLOCK + 1, 1 << 32];
    let len = match choices.up_to(31) {
        _ if choices.wrong() => choices.u64(),
        // Planning such a long file takes as long as a hundred short ones.
        _ if choices.wrong() => choices.one_of(&LIMITS),
        0..=7 => choices.up_to(255),
        8..=15 => choices.up_to(100_000),
        16..=23 => choices.up_to(8) * BLOCK,
        24..=30 => BLOCK + choices.up_to(2) - 1,
        _ => choices.one_of(&BLOCKS) * BLOCK - choices.up_to(1),
    };
    let data = if choices.rarely(3) { Some(choices.one_of(&DATA)) } else { None };
    let data = data.filter(|data| data.last().is_none_or(|last| last.end <= len));
    Kind::Regular(Pattern { len, seed: choices.up_to(255), data })
}

fn symlink(choices: &mut Choices<'_>) -> Kind<Pattern> {
    let target = match choices.up_to(3) {
        0 => b"../b/./c".to_vec(),
        1 => choices.bytes(255).iter().map(|byte| byte | 1).collect(),
        // A target is stored in the inode up to 59 bytes, and may be as long as PATH_MAX allows.
        2 => b"a/".repeat(2100)[..choices.one_of(&[1, 58, 59, 60, 61, 255, 1024, 4094, 4095])].to_vec(),
        _ => b"x".repeat(1 + choices.index(LinkTarget::MAX_LEN)),
    };
    Kind::Symlink(LinkTarget::new(target).unwrap_or_else(|_| LinkTarget::new("e").expect("valid")))
}

fn special(choices: &mut Choices<'_>) -> Kind<Pattern> {
    // The old format of device numbers covers values up to 255; 12 and 20 bits are the limit.
    let major = choices.one_of(&[0, 1, 8, 255, 256, 259, 4095]);
    let minor = choices.one_of(&[0, 1, 255, 256, 0xffff, 0xf_ffff]);
    let device = if choices.wrong() {
        Device { major: choices.u32(), minor: choices.u32() }
    } else {
        Device { major, minor }
    };
    match choices.up_to(3) {
        0 => Kind::CharacterDevice(device),
        1 => Kind::BlockDevice(device),
        2 => Kind::Fifo,
        _ => Kind::Socket,
    }
}

fn metadata(choices: &mut Choices<'_>) -> Metadata {
    // Most files of a tree have default metadata, and take one byte of input.
    if choices.up_to(3) < 3 {
        return Metadata::new(0o755);
    }
    let mode = u16::try_from(choices.up_to(0o7777)).expect("12 bits");
    let (uid, gid) = (choices.u32(), choices.u32());
    Metadata { uid, gid, mtime: time(choices), xattrs: xattrs(choices), ..Metadata::new(mode) }
}

pub(crate) fn time(choices: &mut Choices<'_>) -> Timestamp {
    /// The last second of each 32-bit epoch whose low word is positive, and the second after it.
    const EPOCHS: [i64; 8] = [
        0x7fff_ffff,
        0x1_0000_0000,
        0x1_7fff_ffff,
        0x2_0000_0000,
        0x2_7fff_ffff,
        0x3_0000_0000,
        // The last second of ext4.
        0x3_7fff_ffff,
        0,
    ];
    /// The first second of ext4, the one before it, and others that few programs handle correctly.
    const ODD: [i64; 7] =
        [-(1 << 31), -(1 << 31) - 1, -1, 0x8000_0000, 0xffff_ffff, 0x1_8000_0000, 0x3_8000_0000];
    let seconds = match choices.up_to(3) {
        _ if choices.wrong() => choices.u64().cast_signed(),
        _ if choices.wrong() => choices.one_of(&ODD),
        0..=1 => choices.up_to(0x7fff_ffff).cast_signed(),
        _ => choices.one_of(&EPOCHS),
    };
    let nanoseconds = u32::try_from(choices.up_to(999_999_999)).expect("below a second");
    Timestamp::new(seconds, nanoseconds).expect("below a second")
}

fn xattrs(choices: &mut Choices<'_>) -> Xattrs {
    let mut xattrs = Xattrs::new();
    let count = choices.up_to(4);
    for _ in 0..count {
        let (name, value) = xattr(choices);
        xattrs.insert(
            XattrName::new(name).unwrap_or_else(|_| XattrName::new("user.e").expect("valid")),
            value.into(),
        );
    }
    xattrs
}

fn xattr(choices: &mut Choices<'_>) -> (Vec<u8>, Vec<u8>) {
    if choices.wrong() {
        return (choices.bytes(255).to_vec(), choices.bytes(64).to_vec());
    }
    let value = match choices.up_to(3) {
        0 => choices.bytes(255).to_vec(),
        // 96 bytes are left in an inode, and 4060 in a block.
        1..=2 => vec![b'v'; usize::try_from(choices.up_to(128)).expect("small")],
        _ if choices.wrong() => vec![b'x'; usize::try_from(choices.u64().min(70_000)).expect("small")],
        _ => vec![b'w'; choices.one_of(&[0, 1, 3, 4, 60, 64, 68, 72, 76, 500, 1000])],
    };
    let prefix = choices.one_of(&[&b"user."[..], b"trusted.", b"security."]);
    let suffix = choices.one_of(&[&b"a"[..], b"b", b"selinux", b"capability", b"overlay.opaque"]);
    match choices.up_to(15) {
        0..=10 => ([prefix, suffix].concat(), value),
        11 => ([prefix, b"x", choices.bytes(64)].concat(), value),
        // About as much as fits in a block, in a file without other xattrs.
        12 if choices.wrong() => (b"user.f".to_vec(), vec![b'y'; 4030 + choices.index(30)]),
        12..=13 => (b"system.posix_acl_access".to_vec(), acl(choices)),
        14 => (b"system.posix_acl_default".to_vec(), acl(choices)),
        _ if choices.wrong() => ([prefix, choices.one_of(&[&b""[..], b"data"])].concat(), value),
        _ => ([prefix, b"c"].concat(), value),
    }
}

/// A POSIX ACL as returned by `getxattr(2)`: the three mandatory entries, and a named user with the
/// mask.
fn acl(choices: &mut Choices<'_>) -> Vec<u8> {
    if choices.wrong() {
        return choices.bytes(64).to_vec();
    }
    let undefined = u32::MAX;
    let mut entries =
        vec![(1, undefined), (2, choices.u32()), (4, undefined), (16, undefined), (32, undefined)];
    if choices.rarely(2) {
        entries.retain(|(tag, _)| !matches!(tag, 2 | 16));
    }
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, id) in entries {
        let tag: u16 = tag;
        let permissions = u16::try_from(choices.up_to(7)).expect("3 bits");
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}
