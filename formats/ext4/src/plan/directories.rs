//! The layout of the entries of a directory in its blocks, decided before any block has an address.
//!
//! ```text
//! linear:   entries, entries, …                 one block, or the requested number; entries by name or inode
//! indexed:  root, leaf, leaf, …                 leaves by hash, while the root has room for them
//!           root, leaf, leaf, …, node, node, …  then nodes between root and leaves
//! ```
//!
//! The nodes come last because `e2fsck -D` puts them there, so that it leaves the image unchanged.

pub(super) mod entries;

use std::ops::RangeInclusive;

use crate::error::DirectoryError;
use crate::ondisk::dir_entry::{DOT_REC_LEN, DirBlock, Entry};
use crate::ondisk::htree::{NameHash, half_md4, node_limit, root_limit};
use crate::options::{LinearOrder, Signedness};

/// The parameters of the hash of names: `s_hash_seed`, and the signedness in `s_flags`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashing {
    /// `s_hash_seed`.
    pub(crate) seed: [u32; 4],
    /// The signedness flag.
    pub(crate) signedness: Signedness,
}

impl Hashing {
    fn hash(&self, name: &[u8]) -> NameHash {
        half_md4(name, &self.seed, self.signedness)
    }
}

/// The layout parameters of all directories of a filesystem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectoryLayout {
    /// The format of their blocks.
    pub(crate) block: DirBlock,
    /// True if directories that do not fit in their blocks get an index (`dir_index`).
    pub(crate) has_index: bool,
    /// The hash that orders indexed directories.
    pub(crate) hashing: Hashing,
    /// A leaf is full once less than this share of it, in percent, is left. 0 packs leaves
    /// completely; 20 is the value of `e2fsck -D`, so that the first new names need not split
    /// leaves.
    pub(crate) slack_percent: u8,
    /// The order of directories without an index.
    pub(crate) linear_order: LinearOrder,
}

/// The maximum length in bytes. The kernel reads 32 bits of the length of a directory; 31 bits are
/// accepted by every reader.
const MAX_LEN_WITHOUT_INDEX: usize = 1 << 31;

/// A directory divided into blocks.
#[derive(Debug)]
pub(crate) struct DirectoryPlan<'t> {
    block: DirBlock,
    /// In the order of writing.
    entries: Vec<Entry<'t>>,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    /// The index of the first entry of each block.
    Linear(Vec<usize>),
    Indexed(Vec<Leaf>),
}

/// A block of entries below an index.
#[derive(Debug)]
struct Leaf {
    /// The index of the first entry of the leaf.
    first: usize,
    /// The index key of the leaf. The key of the first leaf is not stored.
    key: u32,
}

/// An entry of an index: a key, and the block that it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// The least hash in or below the block, odd if the previous block ends with that hash.
    pub(crate) key: u32,
    /// The block number within the directory.
    pub(crate) block: u32,
}

/// The contents of a block of a directory.
#[derive(Debug)]
pub(crate) enum Block<'p, 't> {
    /// Entries; `.` and `..` precede those of a linear directory's first block.
    Entries { dots: bool, entries: &'p [Entry<'t>] },
    /// `.`, `..` and the root of an index with `indirect_levels` levels of nodes below it.
    Root { indirect_levels: u8 },
    /// A part of the index.
    Node,
}

/// Lays out a directory with `entries`, which are in the order of their names. A directory without
/// an index has at least `min_blocks` blocks, the rest of them empty; entries fill those before an
/// index is created.
///
/// # Errors
/// Returns an error if there are more names than an index can address, or than fit in a directory
/// without one.
pub(crate) fn plan<'t>(
    mut entries: Vec<Entry<'t>>,
    min_blocks: u32,
    layout: &DirectoryLayout,
) -> Result<DirectoryPlan<'t>, DirectoryError> {
    debug_assert!(entries.is_sorted_by(|a, b| a.name < b.name), "entries come by name, each name once");
    let block = layout.block;
    let mut blocks = usize_of(min_blocks).max(1);
    if layout.linear_order == LinearOrder::ByInode {
        blocks = blocks.max(unindexed_blocks(&entries, block));
        // The sort is stable, so the names of one inode stay in the order of names.
        entries.sort_by_key(|entry| entry.inode);
    }
    let limit = if layout.has_index { blocks } else { MAX_LEN_WITHOUT_INDEX / block.len };
    match linear(&entries, blocks..=limit, block) {
        Some(starts) => Ok(DirectoryPlan { block, entries, shape: Shape::Linear(starts) }),
        None if layout.has_index => indexed(entries, layout),
        None => Err(DirectoryError::TooLong { entries: entries.len(), limit, block_size: block.len }),
    }
}

/// Returns the number of blocks that `e2fsck -D` leaves without an index. It ignores the checksum
/// when it decides whether the entries fit in one block, so that a few directories have two.
fn unindexed_blocks(entries: &[Entry<'_>], block: DirBlock) -> usize {
    let bytes: usize = entries.iter().map(Entry::rec_len).sum();
    let without_checksum = block.len - 2 * DOT_REC_LEN;
    let with_checksum = block.capacity() - 2 * DOT_REC_LEN;
    if bytes > with_checksum && bytes < without_checksum { 2 } else { 1 }
}

/// Returns the index of the first entry of each block, if the entries fit in that number of blocks.
fn linear(entries: &[Entry<'_>], blocks: RangeInclusive<usize>, block: DirBlock) -> Option<Vec<usize>> {
    let mut starts = vec![0];
    let mut left = block.capacity() - 2 * DOT_REC_LEN;
    for (index, entry) in entries.iter().enumerate() {
        if entry.rec_len() > left {
            if starts.len() >= *blocks.end() {
                return None;
            }
            starts.push(index);
            left = block.capacity();
        }
        left -= entry.rec_len();
    }
    starts.resize(starts.len().max(*blocks.start()), entries.len());
    Some(starts)
}

fn indexed<'t>(
    mut entries: Vec<Entry<'t>>,
    layout: &DirectoryLayout,
) -> Result<DirectoryPlan<'t>, DirectoryError> {
    let block = layout.block;
    entries.sort_by_cached_key(|entry| (layout.hashing.hash(entry.name), entry.name));
    let leaves = leaves(&entries, layout);
    let limit = root_limit(block) * node_limit(block);
    if leaves.len() > limit {
        let (entries, leaves) = (entries.len(), leaves.len());
        return Err(DirectoryError::TooManyNames { entries, leaves, limit, block_size: block.len });
    }
    Ok(DirectoryPlan { block, entries, shape: Shape::Indexed(leaves) })
}

/// Packs entries, which are in the order of their hashes, into leaves.
fn leaves(entries: &[Entry<'_>], layout: &DirectoryLayout) -> Vec<Leaf> {
    let capacity = layout.block.capacity();
    let slack = capacity * usize::from(layout.slack_percent) / 100;
    let mut leaves = Vec::new();
    let mut left = 0;
    for (first, entry) in entries.iter().enumerate() {
        if first == 0 || left < slack || entry.rec_len() > left {
            leaves.push(Leaf { first, key: key(entries, first, &layout.hashing) });
            left = capacity;
        }
        left -= entry.rec_len();
    }
    leaves
}

/// Returns the key of a leaf that starts at entry `first`. An odd key makes a lookup of the hash of
/// the leaf's first entry search the previous leaf too.
fn key(entries: &[Entry<'_>], first: usize, hashing: &Hashing) -> u32 {
    let hash = hashing.hash(entries[first].name).major();
    let continued = first > 0 && hashing.hash(entries[first - 1].name).major() == hash;
    hash | u32::from(continued)
}

impl<'t> DirectoryPlan<'t> {
    /// Creates the plan of a directory with inline data.
    pub(crate) fn without_blocks(block: DirBlock) -> Self {
        Self { block, entries: Vec::new(), shape: Shape::Linear(Vec::new()) }
    }

    /// Returns the number of blocks of the directory.
    pub(crate) fn block_count(&self) -> u32 {
        let blocks = match &self.shape {
            Shape::Linear(starts) => starts.len(),
            Shape::Indexed(leaves) => 1 + leaves.len() + self.node_count(),
        };
        u32_of(blocks)
    }

    /// Returns true if the inode of the directory has `EXT4_INDEX_FL`.
    pub(crate) fn is_indexed(&self) -> bool {
        matches!(self.shape, Shape::Indexed(_))
    }

    /// The block size in bytes.
    pub(crate) fn block_size(&self) -> usize {
        self.block.len
    }

    /// Returns the number of bytes for entries in a block that is not part of the index.
    pub(crate) fn block_capacity(&self) -> usize {
        self.block.capacity()
    }

    /// Returns the contents of block `index` of the directory.
    ///
    /// # Panics
    /// Panics if the directory does not have this block.
    pub(crate) fn block(&self, index: u32) -> Block<'_, 't> {
        assert!(
            index < self.block_count(),
            "a directory of {} blocks has no block {index}",
            self.block_count()
        );
        let index = usize_of(index);
        let entries =
            |first: usize, next: Option<usize>| &self.entries[first..next.unwrap_or(self.entries.len())];
        match &self.shape {
            Shape::Linear(starts) => {
                let entries = entries(starts[index], starts.get(index + 1).copied());
                Block::Entries { dots: index == 0, entries }
            }
            Shape::Indexed(_) if index == 0 => {
                Block::Root { indirect_levels: u8::from(self.node_count() > 0) }
            }
            Shape::Indexed(leaves) => match leaves.get(index - 1) {
                Some(leaf) => {
                    let entries = entries(leaf.first, leaves.get(index).map(|next| next.first));
                    Block::Entries { dots: false, entries }
                }
                None => Block::Node,
            },
        }
    }

    /// Returns the index entries of the root or node in block `index`; none for other blocks.
    pub(crate) fn index_entries(&self, index: u32) -> impl Iterator<Item = IndexEntry> + '_ {
        let node_limit = node_limit(self.block);
        let leaves = match &self.shape {
            Shape::Linear(_) => &[][..],
            Shape::Indexed(leaves) => leaves,
        };
        let first_node = 1 + leaves.len();
        let (below, step, first_block) = match usize_of(index) {
            // The key of a node is that of its first leaf.
            0 if self.node_count() > 0 => (0..leaves.len(), node_limit, first_node),
            0 => (0..leaves.len(), 1, 1),
            node if node >= first_node => {
                let first = ((node - first_node) * node_limit).min(leaves.len());
                (first..(first + node_limit).min(leaves.len()), 1, 1 + first)
            }
            _ => (0..0, 1, 0),
        };
        let keys = below.step_by(step).map(|leaf| leaves[leaf].key);
        keys.zip(first_block..).map(|(key, block)| IndexEntry { key, block: u32_of(block) })
    }

    /// Returns the number of nodes between the root and the leaves: 0 if all leaves fit in the
    /// root.
    fn node_count(&self) -> usize {
        match &self.shape {
            Shape::Indexed(leaves) if leaves.len() > root_limit(self.block) => {
                leaves.len().div_ceil(node_limit(self.block))
            }
            _ => 0,
        }
    }
}

/// Converts a number of blocks to 32 bits.
fn u32_of(blocks: usize) -> u32 {
    // OK to expect: min_blocks is 32 bits wide, and an index addresses about 260,000 blocks at
    // most.
    u32::try_from(blocks).expect("blocks of a directory are counted in 32 bits")
}

fn usize_of(blocks: u32) -> usize {
    usize::try_from(blocks).expect("memory is addressed with 32 bits or more")
}
