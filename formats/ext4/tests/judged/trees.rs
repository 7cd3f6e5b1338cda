//! Arbitrary trees, with each boundary of the format named where it is generated.

use std::ops::Range;

use image_tree::{
    Device, Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName, Xattrs,
};
use mkfs_ext4::{BlockSize, Features, Journal, Label, LinearOrder, Options, Profile, Size};
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

/// Options, and a tree of up to 40 additions that fits blocks of their size.
pub(crate) fn cases() -> impl Strategy<Value = (Tree<Pattern>, Options)> {
    let cases = options()
        .prop_flat_map(|options| (trees(options.block_size), vec(long_value(), 0..6), Just(options)));
    cases.prop_map(|(mut tree, values, options)| {
        if options.features.ea_inode {
            for (metadata, value) in tree.all_metadata_mut().zip(values) {
                metadata.xattrs.insert(XattrName::new("user.long").expect("a valid name"), value);
            }
        }
        (tree, options)
    })
}

/// A value that has its own inode in blocks of some size or all, and that other files may have as
/// well.
fn long_value() -> impl Strategy<Value = Box<[u8]>> {
    (select(vec![700, 968, 969, 1992, 1993, 4040, 4041, 20_000, 65_536]), select(vec![b'a', b'b']))
        .prop_map(|(len, byte)| vec![byte; len].into_boxed_slice())
}

fn trees(block_size: BlockSize) -> impl Strategy<Value = Tree<Pattern>> {
    let additions = vec(addition(block_size), 0..40);
    (metadata(block_size), additions).prop_map(|(root, additions)| grow(root, additions))
}

fn grow(root: Metadata, additions: Vec<Addition>) -> Tree<Pattern> {
    let mut tree = Tree::new(root);
    let mut directories = vec![InodeId::ROOT];
    let mut files: Vec<InodeId> = Vec::new();
    for (seed, Addition { parent, name, what, metadata }) in (1..).zip(additions) {
        let parent = *parent.get(&directories);
        let Ok(name) = Name::new(&name) else { continue };
        // A second file of one name, or lost+found as a file, is not what these trees are for.
        if tree.lookup(parent, name.as_bytes()).is_some() || name.as_bytes() == b"lost+found" {
            continue;
        }
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
                LinkTarget::new(&b"a/b/c/de/fghij"[..].repeat(300)[..len]).expect("a valid target"),
            ),
            What::Character(device) => Kind::CharacterDevice(device),
            What::Block(device) => Kind::BlockDevice(device),
            What::Fifo => Kind::Fifo,
            What::Socket => Kind::Socket,
        };
        let is_directory = matches!(kind, Kind::Directory(_));
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
    (any::<Index>(), name(), what(block_size), metadata(block_size))
        .prop_map(|(parent, name, what, metadata)| Addition { parent, name, what, metadata })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-z]{1,12}".prop_map(String::into_bytes),
        // rec_len is rounded up to 4.
        2 => (1..=9usize).prop_map(|len| vec![b'x'; len]),
        // The longest.
        1 => Just(vec![b'y'; 255]),
        // Not UTF-8, where signed and unsigned hashes differ.
        2 => vec(0x80..=0xffu8, 1..20),
        1 => vec(any::<u8>(), 1..=255),
    ]
}

fn what(block_size: BlockSize) -> impl Strategy<Value = What> {
    let block = block_size.bytes();
    // With its NUL, a target has one block.
    let longest_target = usize::try_from(block - 1).expect("at most 4095");
    prop_oneof![
        5 => Just(What::Directory),
        // Around one block, an index of one level and, in blocks of 1 KiB, of two, and so many
        // names that leaves continue each other's hashes.
        1 => (select(vec![0, 1, 3, 4, 7, 13, 14, 15, 100, 250, 251, 600]), select(vec![3, 4, 5, 60, 251, 255]))
            .prop_map(|(count, len)| What::Wide(count, len)),
        // Around block boundaries.
        4 => select(vec![0, 1, block - 1, block, block + 1, 2 * block, 100_000]).prop_map(What::File),
        2 => (0..200_000u64).prop_map(What::File),
        // With inline_data in the inode: in i_block, beside a label, beside nothing.
        3 => select(vec![59, 60, 61, 64, 76, 77, 88, 127, 128, 129]).prop_map(What::File),
        3 => sparse(block, 40).prop_map(|(len, data)| What::Sparse(len, data)),
        1 => (select(vec![1, 4, 5, 9, 10]), select(vec![3, 4, 5, 16])).prop_map(|(count, len)| What::Wide(count, len)),
        // In the inode up to 59 bytes, with inline_data up to 128, then in a block, up to its end.
        3 => select(vec![1, 58, 59, 60, 61, 76, 128, 129, longest_target - 1, longest_target]).prop_map(What::Symlink),
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
    let hole = move || prop_oneof![1 => Just(0), 4 => len()];
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

fn metadata(block_size: BlockSize) -> impl Strategy<Value = Metadata> {
    (0..=0o7777u16, owner(), owner(), time(), xattrs(block_size)).prop_map(
        |(mode, uid, gid, mtime, xattrs)| Metadata { uid, gid, mtime, xattrs, ..Metadata::new(mode) },
    )
}

fn owner() -> impl Strategy<Value = u32> {
    // The high half is stored separately.
    select(vec![0, 1000, 65_535, 65_536, u32::MAX - 1])
}

fn time() -> impl Strategy<Value = Timestamp> {
    let seconds = prop_oneof![
        // The ends of each epoch of 32 bits. ext4-view takes no seconds whose low word is negative;
        // the test of times in `boundaries` has those.
        select(vec![0, 0x7fff_ffff, 0x1_0000_0000, 0x1_7fff_ffff, 0x3_0000_0000, 0x3_7fff_ffff]),
        1_500_000_000..1_800_000_000i64,
    ];
    let nanoseconds = select(vec![0, 1, 500_000_000, 999_999_999]);
    (seconds, nanoseconds)
        .prop_map(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds).expect("valid"))
}

fn xattrs(block_size: BlockSize) -> impl Strategy<Value = Xattrs> {
    let block = usize::try_from(block_size.bytes()).expect("at most 4096");
    // All that is not header, end mark, entry or name.
    let full = block - 32 - 4 - 20;
    let name = select(vec![
        "user.a",
        "user.comment",
        "trusted.overlay.opaque",
        "security.selinux",
        "security.capability",
    ]);
    let value = prop_oneof![
        // Empty; a full inode and one byte more; a value that needs its block.
        select(vec![0, 1, 20, 27, 44, 67, 68, 69, 100, block / 8])
            .prop_map(|len| vec![b'v'; len].into_boxed_slice()),
    ];
    prop_oneof![
        6 => Just(Xattrs::new()),
        4 => btree_map(name.prop_map(|name| XattrName::new(name).expect("a valid name")), value, 0..4),
        // A full block, the same for every file that has it.
        1 => Just([(XattrName::new("user.a").expect("valid"), vec![b'f'; full].into_boxed_slice())].into()),
        // An ACL in the form of getxattr(2).
        1 => Just([(XattrName::new("system.posix_acl_access").expect("valid"), acl())].into()),
    ]
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

/// Options of every kind that fits any of these trees.
fn options() -> impl Strategy<Value = Options> {
    let profile = select(Profile::ALL.to_vec());
    let ids = (any::<u128>(), any::<u128>());
    (select(BlockSize::ALL.to_vec()), prop_oneof![1 => Just(None), 3 => profile.prop_map(Some)], ids)
        .prop_flat_map(|(block_size, profile, (uuid, hash_seed))| {
            let (uuid, hash_seed) = (Uuid::from_u128(uuid), Uuid::from_u128(hash_seed));
            let of = Options::from_profile(profile.unwrap_or_default(), uuid, hash_seed);
            let of =
                with!(of, block_size: block_size, label: Label::new("label of sixteen").expect("16 bytes"));
            let free = free_options(of.clone(), block_size);
            if profile.is_some() { sized(of, block_size).boxed() } else { free.boxed() }
        })
}

fn sized(options: Options, block_size: BlockSize) -> impl Strategy<Value = Options> {
    size(block_size).prop_map(move |size| with!(options.clone(), size: size))
}

/// Everything that can be chosen, but for what contradicts itself.
fn free_options(options: Options, block_size: BlockSize) -> impl Strategy<Value = Options> {
    let inodes = prop_oneof![4 => Just(None), 1 => (40_000..70_000u32).prop_map(Some)];
    let journal = prop_oneof![
        4 => Just(Journal::Auto),
        1 => Just(Journal::None),
        1 => (1024..6000u32).prop_map(Journal::Blocks),
    ];
    // Up to 1024 times the size, to some and to much more.
    let resize_limit = select(vec![None, Some(1 << 31), Some(1 << 36)]);
    let growth = prop_oneof![
        2 => resize_limit.prop_map(|limit| (true, false, limit)),
        1 => Just((false, false, None)),
        2 => Just((false, true, None)),
    ];
    let directories =
        (select(vec![0, 1, 20, 50]), select(vec![LinearOrder::ByName, LinearOrder::ByInode]), 0..=2u8);
    let bits = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let old = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (size(block_size), inodes, journal, 0..=50u8, growth, directories, (bits, old)).prop_map(
        move |(size, inodes, journal, reserved_percent, growth, directories, (bits, old))| {
            let (resize_inode, sparse_super2, resize_limit) = growth;
            let (directory_slack_percent, linear_order, num_backup_sb) = directories;
            let (metadata_csum_seed, read_only, orphan_file, inline_data) = bits;
            let size = match size {
                // The free blocks beside the reserve are at most the rest.
                Size::FreePercent(percent) => Size::FreePercent(percent.min(90 - reserved_percent)),
                size => size,
            };
            let (dir_index, bit_64, metadata_csum, ea_inode) = old;
            let features = with!(
                Features::DEFAULT,
                dir_index: dir_index,
                ea_inode: ea_inode,
                bit_64: bit_64,
                metadata_csum: metadata_csum,
                resize_inode: resize_inode,
                sparse_super2: sparse_super2,
                orphan_file: orphan_file && journal != Journal::None,
                inline_data: inline_data,
                metadata_csum_seed: metadata_csum_seed && metadata_csum,
                read_only: read_only,
            );
            with!(options.clone(), size: size, features: features, num_backup_sb: num_backup_sb, resize_limit: resize_limit, directory_slack_percent: directory_slack_percent, linear_order: linear_order, inodes: inodes, journal: journal, reserved_percent: reserved_percent)
        },
    )
}

fn size(block_size: BlockSize) -> impl Strategy<Value = Size> {
    let block = block_size.bytes();
    let group = 8 * block * block;
    prop_oneof![
        4 => Just(Size::Smallest),
        1 => (0..20_000_000u64).prop_map(|bytes| Size::Free { bytes }),
        1 => (0..90u8).prop_map(Size::FreePercent),
        // Up to three groups of the largest blocks.
        1 => (64..300u64).prop_map(|mebibytes| Size::Total { bytes: mebibytes << 20 }),
        // A second or a fourth group of a few blocks.
        1 => (select(vec![1, 3]), 0..100u64)
            .prop_map(move |(groups, blocks)| Size::Total { bytes: groups * group + blocks * block }),
    ]
}
