//! Arbitrary trees, with each boundary of the format named where it is generated.

use std::ops::Range;

use image_tree::{
    Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName, Xattrs,
};
use mkfs_erofs::{BlockSize, Inline, Label, Options};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;

use crate::pattern::Pattern;

/// One step of growing a tree: the new file and its directory.
#[derive(Clone, Debug)]
pub(crate) struct Addition {
    parent: Index,
    name: Vec<u8>,
    what: What,
    metadata: Metadata,
}

#[derive(Clone, Debug)]
enum What {
    Directory,
    /// A directory with so many empty files, whose names have so many bytes.
    Wide(usize, usize),
    File(u64),
    /// A file of a length with these ranges of data.
    Sparse(u64, Vec<Range<u64>>),
    Symlink(usize),
    Character(Device),
    Block(Device),
    Fifo,
    Socket,
    /// A further name for a file that is there.
    Link(Index),
}

/// Options, a tree of up to 40 additions, and true if equal files share blocks.
pub(crate) fn cases() -> impl Strategy<Value = (Tree<Pattern>, Options, bool)> {
    options().prop_flat_map(|options| (trees(options.block_size), Just(options), any::<bool>()))
}

fn trees(block_size: BlockSize) -> impl Strategy<Value = Tree<Pattern>> {
    let additions = vec(addition(block_size), 0..40);
    (metadata(), additions).prop_map(|(root, additions)| grow(root, additions))
}

fn grow(root: Metadata, additions: Vec<Addition>) -> Tree<Pattern> {
    let mut tree = Tree::new(root);
    let mut directories = vec![InodeId::ROOT];
    let mut files: Vec<InodeId> = Vec::new();
    for (seed, Addition { parent, name, what, metadata }) in (1..).zip(additions) {
        let parent = *parent.get(&directories);
        let Ok(name) = Name::new(&name) else { continue };
        if tree.lookup(parent, name.as_bytes()).is_some() {
            continue;
        }
        // Some files are equal.
        let seed = if seed % 3 == 0 { 1 } else { seed };
        let kind = match what {
            What::Link(which) => {
                if !files.is_empty() {
                    tree.link(parent, name, *which.get(&files)).expect("the name is free");
                }
                continue;
            }
            What::Directory | What::Wide(..) => Inode::directory(metadata.clone()).kind,
            What::File(len) => Kind::Regular(Pattern::new(len, seed)),
            What::Sparse(len, ref data) => Kind::Regular(Pattern::with_data(len, seed, data.clone())),
            What::Symlink(len) => Kind::Symlink(
                LinkTarget::new(&b"a/b/c/de/fghij"[..].repeat(400)[..len]).expect("a valid target"),
            ),
            What::Character(device) => Kind::CharacterDevice(device),
            What::Block(device) => Kind::BlockDevice(device),
            What::Fifo => Kind::Fifo,
            What::Socket => Kind::Socket,
        };
        let is_directory = matches!(kind, Kind::Directory(_));
        let mut metadata = metadata;
        // Linux has no ACLs of symbolic links, and "user." of directories and regular files only.
        if !is_directory && !matches!(kind, Kind::Regular(_)) {
            metadata.xattrs.retain(|name, _| !name.as_bytes().starts_with(b"user."));
        }
        if matches!(kind, Kind::Symlink(_)) {
            metadata.xattrs.retain(|name, _| !name.as_bytes().starts_with(b"system."));
        }
        let id = tree.insert(parent, name, Inode { metadata, kind }).expect("the name is free");
        if is_directory {
            directories.push(id)
        } else {
            files.push(id)
        }
        if let What::Wide(count, name_len) = what {
            add_files(&mut tree, id, count, name_len);
        }
    }
    tree
}

/// Adds empty files named by number, padded to a length.
pub(crate) fn add_files(tree: &mut Tree<Pattern>, parent: InodeId, count: usize, name_len: usize) {
    for number in 0..count {
        let name = Name::new(format!("{number:0name_len$}")).expect("a valid name");
        let kind = Kind::Regular(Pattern::new(0, 0));
        tree.insert(parent, name, Inode { metadata: Metadata::new(0o644), kind }).expect("the name is new");
    }
}

fn addition(block_size: BlockSize) -> impl Strategy<Value = Addition> {
    (any::<Index>(), name(), what(block_size), metadata())
        .prop_map(|(parent, name, what, metadata)| Addition { parent, name, what, metadata })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-z]{1,12}".prop_map(String::into_bytes),
        // Before and behind `.` and `..`, among which they are sorted.
        2 => select(vec!["!", "-", " x", "\u{1}", "...", ".a", "..a", "0"])
            .prop_map(|name| name.as_bytes().to_vec()),
        // The longest.
        1 => Just(vec![b'y'; 255]),
        // Not UTF-8.
        2 => vec(0x80..=0xffu8, 1..20),
        1 => vec(any::<u8>(), 1..=255),
    ]
}

fn what(block_size: BlockSize) -> impl Strategy<Value = What> {
    let block = block_size.bytes();
    prop_oneof![
        5 => Just(What::Directory),
        // Around the edge of a block of 512 bytes and of one of 4096, and several blocks.
        1 => (select(vec![0, 1, 28, 29, 30, 31, 250, 271, 272, 273, 600]), select(vec![3, 4, 5, 60, 251, 255]))
            .prop_map(|(count, len)| What::Wide(count, len)),
        // Around block boundaries, and the longest tails beside inodes of both lengths.
        4 => select(vec![0, 1, block - 65, block - 64, block - 33, block - 32, block - 1, block, block + 1, 2 * block, 100_000])
            .prop_map(What::File),
        4 => (0..20_000u64).prop_map(What::File),
        3 => sparse(block, 12).prop_map(|(len, data)| What::Sparse(len, data)),
        // Around a block and up to the longest.
        3 => select(vec![1, 60, 447, 448, 449, 479, 480, 481, 511, 512, 513, 1024, 4031, 4032, 4063, 4064, 4065, 4094, 4095])
            .prop_map(What::Symlink),
        1 => device().prop_map(What::Character),
        1 => device().prop_map(What::Block),
        1 => Just(What::Fifo),
        1 => Just(What::Socket),
        2 => any::<Index>().prop_map(What::Link),
    ]
}

/// The length of a file, and up to `most` ranges of data in it.
pub(crate) fn sparse(block: u64, most: usize) -> impl Strategy<Value = (u64, Vec<Range<u64>>)> {
    // Less than a block, so that ranges meet in one; its edges; many blocks.
    let len = move || {
        prop_oneof![
            2 => select(vec![1, block - 1, block, block + 1, 2 * block]),
            1 => 1..4 * block,
            1 => (1..200u64).prop_map(move |blocks| blocks * block),
        ]
    };
    // Long holes make long chunks.
    let hole = move || prop_oneof![1 => Just(0), 4 => len(), 1 => (12..22u32).prop_map(|shift| 1 << shift)];
    (vec((hole(), len()), 0..most), hole()).prop_map(|(pieces, rest)| {
        let mut end = 0;
        let range = |(hole, len): (u64, u64)| {
            let start = end + hole;
            end = start + len;
            start..end
        };
        let data: Vec<Range<u64>> = pieces.into_iter().map(range).collect();
        (data.last().map_or(0, |last| last.end) + rest, data)
    })
}

fn device() -> impl Strategy<Value = Device> {
    // The old form has 8 bits of each, the new one 12 and 20.
    (select(vec![0, 1, 255, 256, 4095]), select(vec![0, 1, 255, 256, 0xf_ffff]))
        .prop_map(|(major, minor)| Device { major, minor })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    (0..=0o7777u16, owner(), owner(), time(), xattrs()).prop_map(|(mode, uid, gid, mtime, xattrs)| Metadata {
        uid,
        gid,
        mtime,
        xattrs,
        ..Metadata::new(mode)
    })
}

fn owner() -> impl Strategy<Value = u32> {
    // Compact inodes have 16 bits.
    prop_oneof![3 => Just(0), 1 => select(vec![1000, 65_535, 65_536, u32::MAX - 1])]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![
        3 => Just(1_700_000_000),
        1 => select(vec![0, -1, -(1 << 40), i64::from(i32::MAX), 1 << 32, 1 << 40]),
        1 => 1_500_000_000..1_800_000_000i64,
    ];
    let nanoseconds = prop_oneof![3 => Just(0), 1 => select(vec![1, 500_000_000, 999_999_999])];
    (seconds, nanoseconds)
        .prop_map(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds).expect("valid"))
}

fn xattrs() -> impl Strategy<Value = Xattrs> {
    let name = prop_oneof![
        6 => select(vec![
            "user.a",
            "user.comment",
            "trusted.overlay.opaque",
            "trusted.overlay.redirect",
            "security.selinux",
        ])
        .prop_map(ToOwned::to_owned),
        // Names for every bit of the filter.
        2 => "trusted\\.[a-z]{1,3}",
        1 => (1..248usize).prop_map(|len| format!("trusted.{:0len$}", 0)),
    ];
    let value = prop_oneof![
        // The same one for several files.
        4 => select(vec![0, 1, 20, 27, 100]).prop_map(|len| vec![b'v'; len].into_boxed_slice()),
        2 => vec(any::<u8>(), 0..40).prop_map(Vec::into_boxed_slice),
        1 => select(vec![400, 511, 512, 513, 4000, 4096, 5000, 65_535])
            .prop_map(|len| vec![b'l'; len].into_boxed_slice()),
    ];
    let name = name.prop_map(|name| XattrName::new(name).expect("a valid name"));
    prop_oneof![
        6 => Just(Xattrs::new()),
        4 => btree_map(name, value, 0..5),
        1 => Just([(XattrName::new("security.selinux").expect("valid"), b"system_u:object_r:etc_t:s0\0".to_vec().into_boxed_slice())].into()),
        // The kernel checks the value of this one.
        1 => Just([(XattrName::new("security.capability").expect("valid"), capability())].into()),
        // An ACL in the form of getxattr(2).
        1 => Just([(XattrName::new("system.posix_acl_access").expect("valid"), acl())].into()),
    ]
}

/// `cap_net_raw=ep`
fn capability() -> Box<[u8]> {
    [0x0200_0001u32, 0x2000, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// `u::rwx,u:1000:r-x,g::r-x,m::r-x,o::r-x`
pub(crate) fn acl() -> Box<[u8]> {
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, u32::MAX), (2, 5, 1000), (4, 5, u32::MAX), (16, 5, u32::MAX), (32, 5, u32::MAX)];
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes.into()
}

/// Options of every kind.
fn options() -> impl Strategy<Value = Options> {
    let block_size = prop_oneof![
        5 => Just(BlockSize::B4096),
        4 => select(vec![512, 1024, 2048]).prop_map(of_bytes),
        1 => select(vec![8192, 16_384, 65_536]).prop_map(of_bytes),
    ];
    let prefixes = prop_oneof![
        3 => Just(Vec::new()),
        1 => Just(vec![b"trusted.overlay.".to_vec(), b"user.com".to_vec(), b"trusted.0".to_vec()]),
    ];
    let inline = select(vec![Inline::Tails, Inline::Tails, Inline::None]);
    (any::<u128>(), block_size, inline, any::<bool>(), prefixes).prop_map(
        |(uuid, block_size, inline, holes, xattr_prefixes)| {
            let options = Options::new(Uuid::from_u128(uuid));
            let label = Label::new("fifteen letters").expect("15 bytes");
            with!(options, label: label, block_size: block_size, inline: inline, holes: holes, xattr_prefixes: xattr_prefixes)
        },
    )
}

fn of_bytes(bytes: u64) -> BlockSize {
    BlockSize::from_bytes(bytes).expect("a power of two")
}
