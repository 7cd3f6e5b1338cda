//! Tests that directories read back: with an independent reader that looks names up like the
//! kernel, with one that performs the checks of pass 2 of e2fsck, and with e2fsck itself.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::LinearOrder;
use crate::e2fsprogs::{Lcg, NO_SETTING, Scratch};
use crate::error::DirectoryError;
use crate::ondisk::dir_entry::{DirBlock, Entry, rec_len};
use crate::ondisk::htree::half_md4;
use crate::options::Signedness;
use crate::plan::directories::{DirectoryLayout, Hashing, plan};

const HASHING: Hashing = Hashing { seed: [1, 2, 3, 4], signedness: Signedness::Signed };

fn layout(block_size: usize) -> DirectoryLayout {
    DirectoryLayout {
        block: DirBlock { len: block_size, has_checksum: true },
        has_index: true,
        hashing: HASHING,
        slack_percent: 0,
        linear_order: LinearOrder::ByName,
    }
}

/// Returns `count` different names in order. Long names are rare, as in real trees, but every
/// length occurs.
fn names(count: usize, longest: usize) -> BTreeSet<Vec<u8>> {
    let mut lcg = Lcg(u64::try_from(count).unwrap());
    let mut names = BTreeSet::new();
    while names.len() < count {
        let len = if lcg.below(8) == 0 { 1 + lcg.below(longest) } else { 1 + lcg.below(longest.min(24)) };
        names.insert(lcg.name(len));
    }
    names
}

fn entries(names: &BTreeSet<Vec<u8>>) -> Vec<Entry<'_>> {
    let entry = |(inode, name)| Entry { name, inode, file_type: FileType::REG_FILE };
    (100_u32..).zip(names.iter().map(Vec::as_slice)).map(entry).collect()
}

/// Returns the bytes of a directory with inode 12, whose parent is the root.
fn render(plan: &DirectoryPlan<'_>, seed: Checksum) -> Vec<u8> {
    let mut bytes = vec![0; plan.block_size() * usize::try_from(plan.block_count()).unwrap()];
    for (index, block) in (0..).zip(bytes.chunks_mut(plan.block_size())) {
        render_block(plan, 12, 2, seed, index, block);
    }
    bytes
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// An entry as read: name, inode, type.
type Read<'d> = (&'d [u8], u32, u8);

/// Reads a block of entries and checks its `rec_len` chain and its tail.
fn read_entries(block: &[u8], seed: Checksum) -> Vec<Read<'_>> {
    let end = block.len() - 12;
    assert_eq!(block[end..end + 8], [0, 0, 0, 0, 12, 0, 0, 0xDE]);
    assert_eq!(u32_at(block, end + 8), seed.update(&block[..end]).value());
    let mut read = Vec::new();
    let mut at = 0;
    while at < end {
        let (inode, rec_len, name_len) =
            (u32_at(block, at), u16_at(block, at + 4), usize::from(block[at + 6]));
        assert!(rec_len >= 8 + name_len && rec_len % 4 == 0 && at + rec_len <= end);
        assert!(block[at + 8 + name_len..at + rec_len].iter().all(|&byte| byte == 0));
        if inode != 0 {
            read.push((&block[at + 8..at + 8 + name_len], inode, block[at + 7]));
        }
        at += rec_len;
    }
    assert_eq!(at, end, "the last entry reaches to the tail");
    read
}

/// An indexed directory as seen by a reader.
struct Indexed<'d> {
    block_size: usize,
    seed: Checksum,
    bytes: &'d [u8],
    hashing: Hashing,
}

/// The key and the block of an index entry.
type Key = (u32, usize);

impl<'d> Indexed<'d> {
    fn block(&self, index: usize) -> &'d [u8] {
        &self.bytes[index * self.block_size..][..self.block_size]
    }

    fn indirect_levels(&self) -> u8 {
        self.block(0)[30]
    }

    /// Returns the entries of the root or of a node, with 0 for the key that is not stored.
    fn keys(&self, index: usize) -> Vec<Key> {
        let block = self.block(index);
        let header = if index == 0 { 32 } else { 8 };
        let (limit, count) = (u16_at(block, header), u16_at(block, header + 2));
        assert_eq!(limit, (self.block_size - header - 8) / 8);
        assert!((1..=limit).contains(&count));
        let used = header + 8 * count;
        assert!(block[used..self.block_size - 4].iter().all(|&byte| byte == 0), "unused entries are zero");
        let checksum = self.seed.update(&block[..used]).update(&[0; 8]).value();
        assert_eq!(u32_at(block, self.block_size - 4), checksum);
        let entry = |n: usize| {
            let key = if n == 0 { 0 } else { u32_at(block, header + 8 * n) };
            (key, usize::try_from(u32_at(block, header + 8 * n + 4)).unwrap())
        };
        (0..count).map(entry).collect()
    }

    /// Looks up a name like `dx_probe` and `ext4_htree_next_block` of the kernel.
    fn look_up(&self, index: &BTreeMap<usize, Vec<Key>>, name: &[u8]) -> Option<u32> {
        let hash = half_md4(name, &self.hashing.seed, self.hashing.signedness).major();
        let probe = |block: usize| index[&block].partition_point(|&(key, _)| key <= hash).max(1) - 1;
        let mut frames = vec![(0, probe(0))];
        for _ in 0..self.indirect_levels() {
            let &(block, at) = frames.last().unwrap();
            let below = index[&block][at].1;
            frames.push((below, probe(below)));
        }
        loop {
            let &(block, at) = frames.last().unwrap();
            let entries = read_entries(self.block(index[&block][at].1), self.seed);
            if let Some(&(_, inode, _)) = entries.iter().find(|entry| entry.0 == name) {
                return Some(inode);
            }
            // Continue in the next leaf, if its key indicates that the hash continues there.
            let depth = frames.iter().rposition(|&(block, at)| at + 1 < index[&block].len())?;
            frames.truncate(depth + 1);
            frames[depth].1 += 1;
            let (block, at) = frames[depth];
            if index[&block][at].0 & !1 != hash {
                return None;
            }
            while frames.len() <= usize::from(self.indirect_levels()) {
                let &(block, at) = frames.last().unwrap();
                frames.push((index[&block][at].1, 0));
            }
        }
    }

    /// Returns the least and the greatest hash of the leaves below a block, after checking them
    /// against the range of its keys.
    fn check_ranges(
        &self,
        block: usize,
        depth: u8,
        above: (u32, u32),
        seen: &mut BTreeSet<usize>,
    ) -> (u32, u32) {
        assert!(seen.insert(block), "block {block} is referred to twice");
        let (least, greatest) = if depth > self.indirect_levels() {
            let hashes = read_entries(self.block(block), self.seed)
                .into_iter()
                .map(|entry| half_md4(entry.0, &self.hashing.seed, self.hashing.signedness).major());
            let hashes: Vec<_> = hashes.collect();
            (*hashes.iter().min().unwrap(), *hashes.iter().max().unwrap())
        } else {
            let keys = self.keys(block);
            let mut range = (u32::MAX, 0);
            let mut last = None;
            for (n, &(key, below)) in keys.iter().enumerate() {
                let from = if n == 0 { above.0 } else { key };
                let to = keys.get(n + 1).map_or(above.1, |next| next.0);
                assert!(from & !1 <= to & !1 && (n < 2 || keys[n - 1].0 <= key), "keys increase");
                let (least, greatest) = self.check_ranges(below, depth + 1, (from, to), seen);
                if let Some(last) = last.filter(|_| n > 0) {
                    assert_eq!(key, least | u32::from(last == least), "a key is the least hash below it");
                }
                last = Some(greatest);
                range = (range.0.min(least), range.1.max(greatest));
            }
            range
        };
        assert!(least >= above.0 & !1 && greatest <= above.1 & !1, "block {block} is outside its range");
        (least, greatest)
    }
}

/// Renders and checks an indexed directory. Only every `every`-th name is looked up.
fn check_indexed(names: &BTreeSet<Vec<u8>>, layout: &DirectoryLayout, indirect_levels: u8, every: usize) {
    let seed = Checksum::START.of_inode(12, 0);
    let entries = entries(names);
    let planned = plan(entries.clone(), 0, layout).unwrap();
    assert!(planned.is_indexed());
    let bytes = render(&planned, seed);
    let directory = Indexed { block_size: layout.block.len, seed, bytes: &bytes, hashing: layout.hashing };

    let root = directory.block(0);
    assert_eq!(root[..12], *b"\x0c\0\0\0\x0c\0\x01\x02.\0\0\0");
    assert_eq!((u32_at(root, 12), &root[18..24]), (2, &b"\x02\x02..\0\0"[..]));
    assert_eq!(u16_at(root, 16), layout.block.len - 12);
    assert_eq!(root[24..32], [0, 0, 0, 0, 1, 8, indirect_levels, 0]);

    let mut seen = BTreeSet::new();
    directory.check_ranges(0, 0, (0, 0xFFFF_FFFE), &mut seen);
    assert!(
        seen.into_iter().eq(0..usize::try_from(planned.block_count()).unwrap()),
        "every block is in the tree"
    );

    let mut index = BTreeMap::new();
    index.insert(0, directory.keys(0));
    if indirect_levels > 0 {
        for (_, node) in directory.keys(0) {
            assert_eq!(
                directory.block(node)[..6],
                [&[0; 4][..], &u16::try_from(layout.block.len).unwrap().to_le_bytes()].concat()
            );
            index.insert(node, directory.keys(node));
        }
    }
    for entry in entries.iter().step_by(every) {
        assert_eq!(directory.look_up(&index, entry.name), Some(entry.inode), "{}", entry.name.escape_ascii());
    }
    assert_eq!(directory.look_up(&index, b"no/such/name"), None);
    let mut all: Vec<_> = (1..usize::try_from(planned.block_count()).unwrap())
        .filter(|block| !index.contains_key(block))
        .flat_map(|block| read_entries(directory.block(block), seed))
        .collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(entries.iter().map(|entry| (entry.name, entry.inode, entry.file_type.0))));
}

#[test]
fn an_empty_directory_has_one_block() {
    let seed = Checksum::START.of_inode(12, 0);
    let planned = plan(Vec::new(), 0, &layout(1024)).unwrap();
    assert!(!planned.is_indexed());
    let bytes = render(&planned, seed);
    assert_eq!(bytes[..24], *b"\x0c\0\0\0\x0c\0\x01\x02.\0\0\0\x02\0\0\0\xe8\x03\x02\x02..\0\0");
    assert_eq!(read_entries(&bytes, seed), [(&b"."[..], 12, 2), (&b".."[..], 2, 2)]);
}

#[test]
fn lost_and_found_has_empty_blocks() {
    let seed = Checksum::START.of_inode(12, 0);
    let planned = plan(Vec::new(), 4, &layout(4096)).unwrap();
    assert_eq!((planned.block_count(), planned.is_indexed()), (4, false));
    let bytes = render(&planned, seed);
    for block in bytes.chunks(4096).skip(1) {
        assert_eq!(block[..8], [0, 0, 0, 0, 0xF4, 0x0F, 0, 0]);
        assert_eq!(read_entries(block, seed), []);
    }
}

#[test]
fn requested_blocks_are_filled_before_an_index_is_made() {
    let seed = Checksum::START.of_inode(12, 0);
    let names = names(60, 30);
    let entries = entries(&names);
    assert!(plan(entries.clone(), 1, &layout(1024)).unwrap().is_indexed());
    let planned = plan(entries.clone(), 4, &layout(1024)).unwrap();
    assert_eq!((planned.block_count(), planned.is_indexed()), (4, false));
    let bytes = render(&planned, seed);
    let read: Vec<_> = bytes.chunks(1024).flat_map(|block| read_entries(block, seed)).collect();
    assert!(read[2..].iter().copied().eq(entries.iter().map(|entry| (entry.name, entry.inode, 1))));
}

#[test]
fn one_block_is_filled_to_its_last_byte() {
    // 1024 - 12 (tail) - 24 (dots) = 988 = 3 * 264 + 196.
    let mut names: BTreeSet<_> = (b'a'..=b'c').map(|byte| vec![byte; 255]).collect();
    names.insert(vec![b'd'; 188]);
    let planned = plan(entries(&names), 1, &layout(1024)).unwrap();
    assert_eq!((planned.block_count(), planned.is_indexed()), (1, false));
    assert_eq!(read_entries(&render(&planned, Checksum::START), Checksum::START).len(), 6);

    names.insert(vec![b'd'; 189]);
    names.remove(&vec![b'd'; 188]);
    let planned = plan(entries(&names), 1, &layout(1024)).unwrap();
    assert_eq!((planned.block_count(), planned.is_indexed()), (2, true), "a root and one leaf");
    check_indexed(&names, &layout(1024), 0, 1);
}

#[test]
fn a_hundred_names_have_no_index_level() {
    check_indexed(&names(100, 255), &layout(1024), 0, 1);
    check_indexed(&names(100, 255), &layout(2048), 0, 1);
}

#[test]
fn five_thousand_names() {
    check_indexed(&names(5_000, 255), &layout(1024), 1, 1);
    check_indexed(&names(5_000, 255), &layout(4096), 0, 1);
    let unsigned = Hashing { seed: [0; 4], signedness: Signedness::Unsigned };
    check_indexed(&names(5_000, 255), &DirectoryLayout { hashing: unsigned, ..layout(2048) }, 0, 1);
}

#[test]
fn two_hundred_thousand_names() {
    check_indexed(&names(200_000, 255), &layout(4096), 1, 7);
}

#[test]
fn slack_is_left_in_every_leaf_but_the_last() {
    let names = names(5_000, 20);
    let layout = DirectoryLayout { slack_percent: 20, ..layout(4096) };
    check_indexed(&names, &layout, 0, 1);
    let planned = plan(entries(&names), 0, &layout).unwrap();
    for block in 1..planned.block_count() - 1 {
        let Block::Entries { entries, .. } = planned.block(block) else { panic!("a leaf holds entries") };
        let used: usize = entries.iter().map(|entry| rec_len(entry.name.len())).sum();
        let free = 4084 - used;
        // A leaf is full once less than a fifth of it is free: 816 bytes.
        assert!(free < 816 && free + 28 >= 816, "{free} bytes are free");
    }
}

/// Four names with one hash, found by hashing the numbers up to 2^26, each in a separate leaf: the
/// lookup must continue from leaf to leaf, here also from node to node.
#[test]
fn names_with_one_hash_continue_in_the_next_leaf() {
    let hash = |name: &[u8]| half_md4(name, &HASHING.seed, HASHING.signedness).major();
    let alike = ["0039f484", "0066b69e", "025c1971", "03992020"].map(|name| name.as_bytes().to_vec());
    let shared = hash(&alike[0]);
    assert!(alike.iter().all(|name| hash(name) == shared));

    // A node of 1024 bytes has 126 leaves, so two of the four are below the first and two below the
    // second.
    let mut lcg = Lcg(5);
    let others: Vec<_> = (0..200_000).map(|_| lcg.name(9)).collect();
    let before = others.iter().filter(|name| hash(name) < shared).take(124);
    let after = others.iter().filter(|name| hash(name) > shared).take(100);
    let names: BTreeSet<_> = before.chain(after).chain(&alike).cloned().collect();
    let layout = DirectoryLayout { slack_percent: 100, ..layout(1024) };
    check_indexed(&names, &layout, 1, 1);
    let planned = plan(entries(&names), 0, &layout).unwrap();
    assert_eq!(planned.block_count(), 1 + 228 + 2);
    let keys: Vec<_> = planned.index_entries(0).map(|entry| entry.key).collect();
    assert_eq!(keys[1], shared | 1, "the second node continues the first");
}

#[test]
fn the_index_has_a_limit() {
    // 3 names of 255 bytes a leaf, 123 * 126 leaves.
    let limit = 123 * 126;
    let name = |n: usize| format!("{n:0255}").into_bytes();
    let mut names: BTreeSet<_> = (0..3 * limit).map(name).collect();
    check_indexed(&names, &layout(1024), 1, 101);
    names.insert(name(3 * limit));
    let error = plan(entries(&names), 0, &layout(1024)).unwrap_err();
    let DirectoryError::TooManyNames { entries, leaves, limit: reported, block_size } = error else {
        panic!("{error}");
    };
    assert_eq!((entries, leaves, reported, block_size), (3 * limit + 1, limit + 1, limit, 1024));
}

/// A filesystem of mke2fs with one directory, as indexed by e2fsck.
struct Judged {
    scratch: Scratch,
    block_size: usize,
    layout: DirectoryLayout,
    seed: Checksum,
    blocks: Vec<usize>,
    /// The directory as written by `e2fsck -D`.
    bytes: Vec<u8>,
}

const UUID: &str = "11111111-2222-3333-4444-555555555555";
const HASH_SEED: &str = "01020304-0506-0708-090a-0b0c0d0e0f10";

impl Judged {
    /// Runs mke2fs to create a directory of `names` and e2fsck to index it.
    fn new(
        test: &str,
        names: &BTreeSet<Vec<u8>>,
        block_size: usize,
        signedness: Signedness,
        slack: u8,
    ) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt;
        let scratch = Scratch::for_test(test, &["mke2fs", "debugfs", "e2fsck"])?;
        std::fs::create_dir_all(scratch.file("tree/d")).unwrap();
        for name in names {
            std::fs::write(scratch.file("tree/d").join(std::ffi::OsStr::from_bytes(name)), b"").unwrap();
        }
        let (block_size_text, inodes) = (block_size.to_string(), (names.len() + 100).to_string());
        let hash_seed = format!("hash_seed={HASH_SEED}");
        let arguments =
            ["-q", "-F", "-t", "ext4", "-O", "^has_journal,^resize_inode,metadata_csum", "-d", "tree"];
        let options = ["-b", &block_size_text, "-N", &inodes, "-U", UUID, "-E", &hash_seed, "img", "32M"];
        let made = scratch.run("mke2fs", NO_SETTING, &[&arguments[..], &options].concat());
        assert!(made.status.success(), "{made:?}");
        let flags = if signedness == Signedness::Signed { "1" } else { "2" };
        scratch.debugfs(Some("img"), format!("set_super_value flags {flags}\n").as_bytes());
        let configuration = format!("[options]\nindexed_dir_slack_percentage = {slack}\n");
        std::fs::write(scratch.file("e2fsck.conf"), configuration).unwrap();
        let checked = scratch.run("e2fsck", ("E2FSCK_CONFIG", "e2fsck.conf"), &["-fyD", "img"]);
        assert!(matches!(checked.status.code(), Some(0 | 1)), "{checked:?}");

        let reported =
            String::from_utf8(scratch.debugfs(Some("img"), b"dump /d directory\nblocks /d\n")).unwrap();
        let blocks =
            reported.lines().last().unwrap().split_whitespace().map(|block| block.parse().unwrap()).collect();
        let bytes = std::fs::read(scratch.file("directory")).unwrap();
        assert_eq!(u32_at(&bytes, 0), 12, "mke2fs gives the first free inode to the first directory");
        let uuid = [[0x11; 4], [0x22, 0x22, 0x33, 0x33], [0x44, 0x44, 0x55, 0x55], [0x55; 4]].concat();
        let seed = Checksum::of_filesystem(&uuid.try_into().unwrap()).of_inode(12, 0);
        let hash_seed = [0x0403_0201, 0x0807_0605, 0x0C0B_0A09, 0x100F_0E0D];
        let layout = DirectoryLayout {
            block: DirBlock { len: block_size, has_checksum: true },
            has_index: true,
            hashing: Hashing { seed: hash_seed, signedness },
            slack_percent: slack,
            linear_order: LinearOrder::ByInode,
        };
        Some(Self { scratch, block_size, layout, seed, blocks, bytes })
    }

    /// Returns the entries written by e2fsck, in the order of names.
    fn entries(&self) -> Vec<Entry<'_>> {
        let block = |n: usize| &self.bytes[n * self.block_size..][..self.block_size];
        let is_leaf = |n: &usize| u16_at(block(*n), 4) != self.block_size;
        let leaves = (1..self.bytes.len() / self.block_size).filter(is_leaf);
        let mut entries: Vec<_> = leaves
            .flat_map(|n| read_entries(block(n), self.seed))
            .map(|(name, inode, file_type)| Entry { name, inode, file_type: FileType(file_type) })
            .collect();
        entries.sort_unstable_by_key(|entry| entry.name);
        entries
    }

    /// Returns the exit status of e2fsck for the filesystem with this directory; 0 means no errors.
    fn verdict(&self, directory: &[u8]) -> Option<i32> {
        let mut image = std::fs::read(self.scratch.file("img")).unwrap();
        for (&address, block) in self.blocks.iter().zip(directory.chunks(self.block_size)) {
            image[address * self.block_size..][..self.block_size].copy_from_slice(block);
        }
        std::fs::write(self.scratch.file("judged"), image).unwrap();
        self.scratch.run("e2fsck", NO_SETTING, &["-fn", "judged"]).status.code()
    }

    /// Checks that the bytes equal those of `e2fsck -D`, that e2fsck accepts them, and that it
    /// reports one wrong byte.
    fn check(&self) {
        let mut bytes = render(&plan(self.entries(), 0, &self.layout).unwrap(), self.seed);
        assert_eq!(bytes.len(), self.bytes.len());
        for (n, (ours, theirs)) in
            bytes.chunks(self.block_size).zip(self.bytes.chunks(self.block_size)).enumerate()
        {
            assert!(ours == theirs, "block {n} of {} differs from that of e2fsck", self.blocks.len());
        }
        assert_eq!(self.verdict(&bytes), Some(0));
        bytes[36] ^= 1;
        assert_eq!(self.verdict(&bytes), Some(4), "the block of the first leaf is wrong");
    }
}

#[test]
fn e2fsck_writes_the_same_index_of_one_level() {
    let names = names(3_000, 60);
    let Some(judged) = Judged::new("one-level", &names, 4096, Signedness::Signed, 0) else { return };
    judged.check();
}

#[test]
fn e2fsck_writes_the_same_index_of_two_levels() {
    // Few names but long ones: mke2fs is slow with many.
    let mut lcg = Lcg(9);
    let names = (0..600).map(|n| lcg.name(200 + n % 56)).collect();
    let Some(judged) = Judged::new("two-levels", &names, 1024, Signedness::Unsigned, 0) else { return };
    assert_eq!(judged.bytes[30], 1, "the directory is large enough for nodes");
    judged.check();
}

#[test]
fn e2fsck_leaves_the_same_slack() {
    let names = names(1_000, 40);
    let Some(judged) = Judged::new("slack", &names, 2048, Signedness::Signed, 20) else { return };
    judged.check();
}

#[test]
fn e2fsck_writes_the_same_index_of_one_leaf() {
    // 1000 bytes of entries fill a leaf, but not a block with `.` and `..`.
    let names = [(b'a', 255), (b'b', 255), (b'c', 255), (b'd', 200)].map(|(byte, len)| vec![byte; len]);
    let names = names.into_iter().collect();
    let Some(judged) = Judged::new("one-leaf", &names, 1024, Signedness::Signed, 0) else { return };
    assert_eq!(judged.blocks.len(), 2);
    judged.check();
}
