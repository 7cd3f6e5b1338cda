//! Each boundary of the format, on both sides.

use std::collections::BTreeMap;

use image_runs::{Image, Source};
use image_tree::{Inode, InodeId, Kind, LinkTarget, Metadata, Name, Timestamp, Tree, XattrName};
use mkfs_erofs::{BlockSize, Inline, Need, Options, plan, plan_sharing};
use uuid::Uuid;

use crate::judge::{duplicates, judge, judge_below};
use crate::pattern::Pattern;
use crate::trees::add_files;

fn options() -> Options {
    Options::new(Uuid::from_u128(1))
}

fn file(tree: &mut Tree<Pattern>, name: &str, content: Pattern) -> InodeId {
    let inode = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(content) };
    tree.insert(InodeId::ROOT, Name::new(name).expect("a valid name"), inode).expect("the name is new")
}

fn tree() -> Tree<Pattern> {
    Tree::new(Metadata::new(0o755))
}

/// The number of blocks behind the metadata.
fn data_blocks(tree: &Tree<Pattern>, options: &Options) -> u64 {
    let summary = plan(tree, options).expect("it fits").summary();
    summary.blocks - summary.metadata_blocks
}

#[test]
fn an_empty_tree_is_a_page() {
    for bytes in [512, 1024, 4096] {
        let options = with!(options(), block_size: BlockSize::from_bytes(bytes).expect("a power of two"));
        let summary = judge(&tree(), &options, false);
        assert_eq!(summary.blocks * bytes, 4096);
        assert_eq!((summary.inodes, summary.compact_inodes, summary.directories), (1, 1, 1));
    }
}

#[test]
fn names_fill_a_block_of_a_directory_to_its_end() {
    // 27 bytes of `.` and `..`, and 15 names of 12 + 255: 64 are left for the last name.
    for (last, blocks) in [(52, 1), (53, 1)] {
        let mut tree = tree();
        add_files(&mut tree, InodeId::ROOT, 15, 255);
        file(&mut tree, &"y".repeat(last), Pattern::new(0, 1));
        let root = tree.get(InodeId::ROOT);
        assert!(matches!(&root.kind, Kind::Directory(names) if names.len() == 16));
        judge(&tree, &options(), false);
        // A full block is not a tail; one more name is.
        assert_eq!(data_blocks(&tree, &options()), blocks);
    }
}

#[test]
fn tails_end_with_the_block() {
    let tail = |len: u64| {
        let mut tree = tree();
        file(&mut tree, "f", Pattern::new(len, 1));
        (judge(&tree, &options(), false).inline_files, data_blocks(&tree, &options()))
    };
    // The inode takes 32 bytes.
    assert_eq!(tail(4064), (1, 0));
    assert_eq!(tail(4065), (0, 1));
    assert_eq!(tail(4096), (0, 1));
    assert_eq!(tail(4097), (1, 1));
    assert_eq!(tail(8192 - 32), (1, 1));
    assert_eq!(tail(8192 - 31), (0, 2));
}

#[test]
fn symbolic_links_are_within_a_block_with_their_inode() {
    for len in [4063, 4064, 4065, 4095] {
        let mut tree = tree();
        let target = LinkTarget::new(vec![b't'; len]).expect("a valid target");
        let inode = Inode { metadata: Metadata::new(0o777), kind: Kind::Symlink(target) };
        tree.insert(InodeId::ROOT, Name::new("l").expect("valid"), inode).expect("new");
        judge(&tree, &options(), false);
        assert_eq!(data_blocks(&tree, &options()), u64::from(len > 4064), "{len}");
    }
}

#[test]
fn compact_inodes_have_the_most_frequent_time_to_the_nanosecond() {
    let mut tree = tree();
    let time = |seconds, nanoseconds| Timestamp::new(seconds, nanoseconds).expect("valid");
    for (index, mtime) in
        [time(9, 5), time(9, 5), time(9, 5), time(9, 6), time(-1, 0), time(8, 5)].into_iter().enumerate()
    {
        let id = file(&mut tree, &format!("f{index}"), Pattern::new(10, 1));
        tree.metadata_mut(id).mtime = mtime;
    }
    let summary = judge(&tree, &options(), false);
    assert_eq!((summary.inodes, summary.compact_inodes), (7, 3));
}

#[test]
fn owners_and_lengths_beyond_compact_inodes_are_extended() {
    let mut tree = tree();
    for (index, (uid, gid)) in [(65_535, 65_535), (65_536, 0), (0, 65_536)].into_iter().enumerate() {
        let id = file(&mut tree, &format!("f{index}"), Pattern::new(10, 1));
        let metadata = tree.metadata_mut(id);
        (metadata.uid, metadata.gid) = (uid, gid);
    }
    let data = |len: u64| Pattern::with_data(len, 7, vec![4096..4097, len - 1..len]);
    file(&mut tree, "long", data(u64::from(u32::MAX)));
    file(&mut tree, "longer", data(1 << 32));
    let summary = judge(&tree, &options(), false);
    assert_eq!((summary.inodes, summary.compact_inodes, summary.sparse_files), (6, 3, 2));
    assert!(summary.needs.contains(&Need::Chunks));
}

#[test]
fn more_names_than_sixteen_bits_count_are_in_an_extended_inode() {
    let mut tree = tree();
    let id = file(&mut tree, "0", Pattern::new(10, 1));
    let directory = Inode::directory(Metadata::new(0o755));
    let directory = tree.insert(InodeId::ROOT, Name::new("d").expect("valid"), directory).expect("new");
    for number in 1..65_535 {
        tree.link(directory, Name::new(number.to_string()).expect("valid"), id).expect("new");
    }
    assert_eq!(judge(&tree, &options(), false).compact_inodes, 3);
    tree.link(directory, Name::new("last").expect("valid"), id).expect("new");
    assert_eq!(judge(&tree, &options(), false).compact_inodes, 2);
}

#[test]
fn files_longer_than_disks_are_read() {
    let mut tree = tree();
    file(&mut tree, "hole", Pattern::with_data(1 << 43, 7, Vec::new()));
    file(&mut tree, "lastlog", Pattern::with_data(350 << 30, 7, vec![0..292, 349 << 30..(349 << 30) + 292]));
    let summary = judge(&tree, &options(), false);
    assert!(summary.blocks * 4096 < 8 << 20, "{} blocks", summary.blocks);
}

/// An image of 16 TiB and more, in memory: other filesystems have no files of that length.
#[test]
fn more_blocks_than_32_bits_count_have_48() {
    let memory = std::path::Path::new("/dev/shm");
    let mut tree = tree();
    let last = (u64::from(u32::MAX) << 12) - (2 << 12);
    file(&mut tree, "a", Pattern::new(last, 0));
    assert!(!plan(&tree, &options()).expect("it fits").summary().needs.contains(&Need::WideBlocks));
    for (name, content) in [
        ("b", Pattern::new(1 << 41, 0)),
        ("c", Pattern::with_data(1 << 30, 7, vec![8192..8193, 1 << 20..(1 << 20) + 5000])),
        ("d", Pattern::new(70_000, 1)),
        ("e", Pattern::new(10, 1)),
    ] {
        file(&mut tree, name, content);
    }
    let summary = plan(&tree, &options()).expect("it fits").summary();
    assert!(summary.needs.contains(&Need::WideBlocks) && summary.blocks > 1 << 32);
    assert_eq!(summary.oldest_kernel().to_string(), "6.15");
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = release.parse::<mkfs_erofs::KernelVersion>().expect("a version");
    if !memory.is_dir() || kernel < summary.oldest_kernel() {
        eprintln!("SKIPPED: this kernel does not read block numbers of 48 bits, or there is no /dev/shm");
        return;
    }
    judge_below(memory, &tree, &options(), false);
}

#[test]
fn shared_xattrs_are_in_the_filesystem_once() {
    let mut tree = tree();
    for index in 0..300 {
        let id = file(&mut tree, &format!("f{index}"), Pattern::new(0, 1));
        let xattrs = &mut tree.metadata_mut(id).xattrs;
        // One inode has at most 255 of them; the others are in the inode.
        for number in 0..if index < 3 { 257 } else { 1 } {
            let name = XattrName::new(format!("trusted.{number:03}")).expect("valid");
            xattrs.insert(name, vec![b'v'; 100].into());
        }
    }
    judge(&tree, &options(), false);
    let len = Image::<Pattern>::len(&plan(&tree, &options()).expect("it fits"));
    assert!(len < 257 * 120 + 300 * 110 + 8192, "{len} bytes");
}

#[test]
fn identical_files_share_blocks_and_keep_their_tails() {
    let mut tree = tree();
    for (name, len) in [("a", 10_000), ("b", 10_000), ("c", 10_000), ("d", 100), ("e", 100), ("f", 3000)] {
        file(&mut tree, name, Pattern::new(len, 1));
    }
    for name in ["g", "h"] {
        file(&mut tree, name, Pattern::new(3000, 1));
    }
    let summary = judge(&tree, &options(), true);
    // Three tails of 1808 bytes are longer than a block, and so are three of 3000 bytes.
    assert_eq!((summary.shared_files, summary.shared_blocks, summary.inline_files), (4, 8, 2));
    let shared = duplicates(&tree);
    let none = plan_sharing(&tree, &options(), &BTreeMap::new()).expect("it fits").summary();
    let some = plan_sharing(&tree, &options(), &shared).expect("it fits").summary();
    assert!(some.blocks < none.blocks);
}

#[test]
fn no_file_has_a_tail_without_inline_data() {
    let mut tree = tree();
    for len in [1, 100, 4095, 4096, 4097] {
        file(&mut tree, &len.to_string(), Pattern::new(len, len));
    }
    let options = with!(options(), inline: Inline::None);
    let summary = judge(&tree, &options, false);
    assert_eq!((summary.inline_files, data_blocks(&tree, &options)), (0, 6));
}

#[test]
fn a_longer_image_ends_with_zeros() {
    let tree = tree();
    let layout = plan(&tree, &with!(options(), len: Some(1 << 20))).expect("it fits");
    assert_eq!((Image::<Pattern>::len(&layout), layout.summary().blocks), (1 << 20, 1));
    let last = layout.runs().last().expect("there are runs");
    assert!(matches!(last.source, Source::Zeros));
    let error = plan(&tree, &with!(options(), len: Some(4095))).expect_err("too small");
    assert!(error.to_string().contains("1 bytes too small: the size is 4095 bytes"), "{error}");
}

#[test]
fn planning_reads_no_file() {
    #[derive(Debug)]
    struct Unreadable(u64);
    impl image_tree::Content for Unreadable {
        fn len(&self) -> u64 {
            self.0
        }
        fn read_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
            panic!("planning reads nothing")
        }
    }
    let mut tree = Tree::new(Metadata::new(0o755));
    for len in [1, 100, 4000, 5000] {
        let inode = Inode { metadata: Metadata::new(0o644), kind: Kind::Regular(Unreadable(len)) };
        tree.insert(InodeId::ROOT, Name::new(len.to_string()).expect("valid"), inode).expect("new");
    }
    assert_eq!(plan(&tree, &options()).expect("it fits").summary().inline_files, 4);
}
