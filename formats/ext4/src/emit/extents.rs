//! Extent trees: the root in the inode, and the blocks below it.

use zerocopy::IntoBytes;
use zerocopy::little_endian::U16;

use crate::BlockSize;
use crate::ondisk::checksum::Checksum;
use crate::ondisk::extent::{ExtentEntry, ExtentHeader, ExtentIndex, MAGIC, ROOT_ENTRIES, block_entries};
use crate::ondisk::inode::words;
use crate::plan::blocks::{Extent, levels};

const ENTRY_LEN: usize = size_of::<ExtentEntry>();

/// An extent tree: its extents, and the blocks of its nodes, leaves first and upper levels after
/// them.
#[derive(Clone, Copy)]
pub(crate) struct ExtentTree<'a> {
    pub(crate) block_size: BlockSize,
    pub(crate) extents: &'a [Extent],
    pub(crate) nodes: &'a [u64],
}

impl ExtentTree<'_> {
    /// Writes the root into `i_block`.
    pub(crate) fn write_root(&self, i_block: &mut [u8; 60]) {
        let levels = levels(self.extents.len() as u64, self.block_size);
        let children = levels.last().map_or(self.extents.len() as u64, |nodes| *nodes);
        self.write_node(&levels, levels.len(), 0..index(children), ROOT_ENTRIES, i_block);
    }

    /// Writes the block of node `node`, with its checksum.
    pub(crate) fn write_block(&self, node: usize, inode_seed: Checksum, out: &mut [u8]) {
        let capacity = block_entries(self.block_size.bytes());
        let levels = levels(self.extents.len() as u64, self.block_size);
        let mut first_of_level = 0;
        let mut depth = 0;
        while node - first_of_level >= index(levels[depth]) {
            first_of_level += index(levels[depth]);
            depth += 1;
        }
        let children = if depth == 0 { self.extents.len() } else { index(levels[depth - 1]) };
        let first = (node - first_of_level) * index(capacity);
        let last = (first + index(capacity)).min(children);
        self.write_node(&levels, depth, first..last, capacity, out);
        // `struct ext4_extent_tail` follows the space for the last entry, which is not necessarily
        // at the end of the block.
        let tail = ENTRY_LEN + index(capacity) * ENTRY_LEN;
        let checksum = inode_seed.update(&out[..tail]);
        out[tail..tail + 4].copy_from_slice(&checksum.value().to_le_bytes());
    }

    /// Writes a node `depth` levels above the extents, with that range of the level below as its
    /// children.
    fn write_node(
        &self,
        levels: &[u64],
        depth: usize,
        children: std::ops::Range<usize>,
        capacity: u64,
        out: &mut [u8],
    ) {
        let header = ExtentHeader {
            eh_magic: MAGIC.into(),
            eh_entries: u16_of(children.len()),
            eh_max: u16_of(index(capacity)),
            eh_depth: u16_of(depth),
            eh_generation: 0.into(),
        };
        out[..ENTRY_LEN].copy_from_slice(header.as_bytes());
        let entries = out[ENTRY_LEN..].chunks_exact_mut(ENTRY_LEN);
        for (child, entry) in children.zip(entries) {
            if depth == 0 {
                entry.copy_from_slice(leaf_entry(&self.extents[child]).as_bytes());
            } else {
                entry.copy_from_slice(self.index_entry(levels, depth, child).as_bytes());
            }
        }
    }

    /// Returns the index entry of node `child` of the level below `depth`: its address and its
    /// first logical block.
    fn index_entry(&self, levels: &[u64], depth: usize, child: usize) -> ExtentIndex {
        let before: u64 = levels[..depth - 1].iter().sum();
        let block = self.nodes[index(before) + child];
        let extents_each =
            index(block_entries(self.block_size.bytes())).pow(u32::try_from(depth).expect("at most 5"));
        let (low, high) = words(block);
        ExtentIndex {
            ei_block: self.extents[child * extents_each].logical.into(),
            ei_leaf_lo: low,
            ei_leaf_hi: u16_of(high.get() as usize),
            ei_unused: 0.into(),
        }
    }
}

fn leaf_entry(extent: &Extent) -> ExtentEntry {
    let (low, high) = words(extent.physical);
    ExtentEntry {
        ee_block: extent.logical.into(),
        ee_len: u16_of(extent.len as usize),
        ee_start_hi: u16_of(high.get() as usize),
        ee_start_lo: low,
    }
}

/// Converts to a 16-bit field. Block addresses have 48 bits and nodes have at most 340 entries, so
/// these fields never overflow.
fn u16_of(value: usize) -> U16 {
    u16::try_from(value).expect("fields of 16 bits hold what was planned").into()
}

fn index(value: u64) -> usize {
    usize::try_from(value).expect("tables in memory are indexed by usize")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::blocks::node_count;

    /// Walks the tree from its root as the kernel does and returns the extents in its leaves.
    fn read_back(tree: &ExtentTree<'_>) -> Vec<Extent> {
        let seed = Checksum::START.of_inode(12, 0);
        let mut root = [0; 60];
        tree.write_root(&mut root);
        let mut found = Vec::new();
        let mut open = vec![(root.to_vec(), 0)];
        while let Some((node, first_logical)) = open.pop() {
            let field = |at: usize| usize::from(u16::from_le_bytes([node[at], node[at + 1]]));
            let word = |at: usize| u32::from_le_bytes(node[at..at + 4].try_into().expect("4 bytes"));
            let (count, max, depth) = (field(2), field(4), field(6));
            assert_eq!(field(0), usize::from(MAGIC));
            assert!(count <= max && 12 + max * 12 <= node.len());
            assert_eq!(word(12), first_logical, "a node starts where its parent says");
            let mut children = Vec::new();
            for at in (12..).step_by(12).take(count) {
                if depth == 0 {
                    let physical = (field(at + 6) as u64) << 32 | u64::from(word(at + 8));
                    let len = u32::try_from(field(at + 4)).expect("16 bits");
                    found.push(Extent { logical: word(at), len, physical });
                } else {
                    let block = (field(at + 8) as u64) << 32 | u64::from(word(at + 4));
                    let node =
                        tree.nodes.iter().position(|node| *node == block).expect("a node of this tree");
                    let mut out = vec![0; tree.block_size.len()];
                    tree.write_block(node, seed, &mut out);
                    // The kernel's `EXT4_EXTENT_TAIL_OFFSET`.
                    let tail = 12 + 12 * usize::from(u16::from_le_bytes([out[4], out[5]]));
                    let stored = u32::from_le_bytes(out[tail..tail + 4].try_into().expect("4 bytes"));
                    assert_eq!(stored, seed.update(&out[..tail]).value());
                    children.push((out, word(at)));
                }
            }
            open.extend(children.into_iter().rev());
        }
        found
    }

    #[test]
    fn trees_of_every_depth_read_back() {
        // 4 extents fill the inode, `full` extents fill a block; a level is added after 4 × full
        // and 4 × full².
        for (block_size, full) in [(BlockSize::B1024, 84), (BlockSize::B2048, 169), (BlockSize::B4096, 340)] {
            let (second, third) = (4 * full, 4 * full * full);
            for count in [0, 1, 4, 5, full, full + 1, second, second + 1, third, third + 1] {
                let extent =
                    |at: u32| Extent { logical: at * 2, len: 2, physical: (1 << 33) + u64::from(at) * 3 };
                let extents: Vec<Extent> = (0..count).map(extent).collect();
                let nodes = node_count(u64::from(count), block_size);
                let nodes: Vec<u64> = (0..nodes).map(|node| (1 << 40) + node).collect();
                let tree = ExtentTree { block_size, extents: &extents, nodes: &nodes };
                assert!(read_back(&tree) == extents, "{count} extents in {block_size:?}");
            }
        }
    }
}
