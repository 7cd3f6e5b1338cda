//! The finished hash tree, and the hash area as an image.

use std::borrow::Cow;
use std::fmt;

use image_runs::{Image, MAX_RENDERED, Render, Run, Source};

use crate::block_hasher::BlockHasher;
use crate::data_blocks::DataBlocks;
use crate::fec::{Accumulator, Parity};
use crate::hasher::Leaf;
use crate::{FecArea, Layout, Parameters, RootHash, Superblock};

/// A hash tree with its root hash: the hash area and the FEC area can be written.
pub struct HashTree {
    layout: Layout,
    root_hash: RootHash,
    superblock: Option<Box<[u8; Superblock::LEN]>>,
    /// The hash blocks of level 0.
    leaves: Vec<Leaf>,
    /// The whole blocks of the other levels, from level 1 up.
    upper: Vec<Vec<u8>>,
    /// A hash block of digests of data blocks of zeros.
    zero_leaf: Box<[u8]>,
    parity: Option<Parity>,
}

impl HashTree {
    pub(crate) fn build(
        layout: Layout,
        blocks: &DataBlocks,
        leaves: Vec<Leaf>,
        parity: Option<Accumulator>,
    ) -> Self {
        let options = layout.options();
        let superblock = layout.superblock().map(|superblock| Box::new(superblock.to_bytes()));
        let digest = blocks.zero_digest();
        let zero_leaf = digest.repeat(options.hash_block_size.as_usize() / digest.len()).into_boxed_slice();
        let mut tree = Self {
            root_hash: RootHash::of_digest(digest),
            superblock,
            leaves,
            upper: Vec::new(),
            zero_leaf,
            parity: None,
            layout,
        };
        tree.root_hash = RootHash::of_digest(&tree.add_levels(blocks.hasher(), digest.len()));
        if let Some(parity) = parity {
            tree.add_to(&parity);
            tree.parity = Some(parity.finish());
        }
        tree
    }

    /// Computes the levels above level 0 and returns the root hash.
    fn add_levels(&mut self, hasher: &BlockHasher, digest_len: usize) -> Vec<u8> {
        let block_size = self.layout.options().hash_block_size.as_usize();
        let Some(top) = self.layout.levels().len().checked_sub(1) else {
            // The only data block has no hash block; its digest is the first of the only group.
            return self.block_of(0, 0)[..digest_len].to_vec();
        };
        for level in 0..top {
            let blocks = &self.layout.levels()[level..=level + 1];
            // OK to unwrap: this level is in memory, and the one above is shorter.
            let in_memory = |blocks: u64| usize::try_from(blocks).expect("it is in memory");
            let mut above = vec![0; in_memory(blocks[1].blocks) * block_size];
            let digests = &mut above[..in_memory(blocks[0].blocks) * digest_len];
            self.hash_level(level, hasher, digests);
            self.upper.push(above);
        }
        let mut digest = vec![0; digest_len];
        hasher.hash(&self.block_of(top, 0), &mut digest);
        digest
    }

    /// Writes the digests of the blocks of a level to `out`.
    fn hash_level(&self, level: usize, hasher: &BlockHasher, out: &mut [u8]) {
        /// The number of blocks that are referred to at a time: more than are hashed at once.
        const BATCH: usize = 256;
        let digest_len = self.root_hash.as_bytes().len();
        let mut zero_digest = vec![0; digest_len];
        hasher.hash(&self.zero_leaf, &mut zero_digest);
        for (number, digests) in out.chunks_mut(BATCH * digest_len).enumerate() {
            let mut indices = Vec::new();
            let mut blocks = Vec::new();
            for (index, digest) in digests.chunks_exact_mut(digest_len).enumerate() {
                let block = number * BATCH + index;
                if level == 0 && self.is_full_zero_leaf(block) {
                    digest.copy_from_slice(&zero_digest);
                } else {
                    indices.push(index);
                    blocks.push(self.block_of(level, block));
                }
            }
            let blocks: Vec<&[u8]> = blocks.iter().map(|block| &**block).collect();
            hasher.hash_all(&blocks, |number, digest| {
                digests[indices[number] * digest_len..][..digest_len].copy_from_slice(digest);
            });
        }
    }

    /// Adds the blocks of the tree, which follow those of the data, to the parity.
    fn add_to(&self, parity: &Accumulator) {
        let mut block = vec![0; self.layout.options().hash_block_size.as_usize()];
        for index in 0..self.layout.tree_blocks() {
            self.write_block(index, &mut block);
            parity.add(self.layout.data_blocks() + index, &block);
        }
    }

    /// Writes a block of the tree, counted from the top, to `out`.
    fn write_block(&self, index: u64, out: &mut [u8]) {
        let levels = self.layout.levels();
        let level = levels.iter().position(|level| level.first_block <= index).unwrap_or(0);
        // OK to unwrap: the level is in memory.
        let index = usize::try_from(index - levels[level].first_block).expect("an index of memory");
        out.copy_from_slice(&self.block_of(level, index));
    }

    /// Returns a block of a level.
    fn block_of(&self, level: usize, index: usize) -> Cow<'_, [u8]> {
        match level.checked_sub(1) {
            None => self.leaf(index),
            Some(upper) => {
                let len = self.zero_leaf.len();
                Cow::Borrowed(&self.upper[upper][index * len..][..len])
            }
        }
    }

    /// Returns a hash block of level 0.
    fn leaf(&self, index: usize) -> Cow<'_, [u8]> {
        match &self.leaves[index] {
            Leaf::Missing => unreachable!("no digest is missing"),
            Leaf::Zeros if self.is_full_zero_leaf(index) => Cow::Borrowed(&self.zero_leaf),
            Leaf::Zeros => {
                let mut block = self.zero_leaf.to_vec();
                block[self.leaf_len(index)..].fill(0);
                Cow::Owned(block)
            }
            Leaf::Digests(digests) => Cow::Borrowed(digests),
        }
    }

    /// The length of the digests of a hash block of level 0 in bytes; the rest of it is padding.
    fn leaf_len(&self, index: usize) -> usize {
        let digest_len = self.root_hash.as_bytes().len();
        let before = (index * (self.zero_leaf.len() / digest_len)) as u64;
        let digests = self.layout.data_blocks() - before;
        // If there are too many, the block is full.
        usize::try_from(digests)
            .ok()
            .and_then(|digests| digests.checked_mul(digest_len))
            .map_or(self.zero_leaf.len(), |len| len.min(self.zero_leaf.len()))
    }

    fn is_full_zero_leaf(&self, index: usize) -> bool {
        self.leaves[index] == Leaf::Zeros && self.leaf_len(index) == self.zero_leaf.len()
    }

    /// The root hash.
    #[must_use]
    pub fn root_hash(&self) -> &RootHash {
        &self.root_hash
    }

    /// The layout of the areas.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The root hash and the parameters of the tree.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.layout.parameters(self.root_hash.clone())
    }

    /// The hash area: superblock, if any, and hash tree.
    #[must_use]
    pub fn hash_area(&self) -> HashArea<'_> {
        HashArea { tree: self }
    }

    /// The FEC area, if the layout has one.
    #[must_use]
    pub fn fec_area(&self) -> Option<FecArea<'_>> {
        self.parity.as_ref().map(FecArea::new)
    }
}

impl fmt::Debug for HashTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root_hash = format_args!("{}", self.root_hash);
        f.debug_struct("HashTree")
            .field("root_hash", &root_hash)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

/// The bytes of a hash area, rendered in parts.
#[derive(Clone, Copy, Debug)]
pub struct HashArea<'a> {
    tree: &'a HashTree,
}

impl HashArea<'_> {
    fn blocks_per_run(&self) -> u64 {
        MAX_RENDERED / self.tree.layout.options().hash_block_size.as_u64()
    }
}

impl<C: Sync> Image<C> for HashArea<'_> {
    fn len(&self) -> u64 {
        self.tree.layout.hash_area_len()
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run<'_, C>> + Send + '_> {
        let layout = &self.tree.layout;
        let superblock = self.tree.superblock.iter().flat_map(|superblock| {
            let fields = Run { len: Superblock::LEN as u64, source: Source::Bytes(&superblock[..]) };
            let padding = layout.superblock_len() - fields.len;
            [Some(fields), (padding > 0).then(|| Run::zeros(padding))].into_iter().flatten()
        });
        let block_size = layout.options().hash_block_size.as_u64();
        let run_blocks = self.blocks_per_run();
        let runs = (0..layout.tree_blocks().div_ceil(run_blocks)).map(move |key| Run {
            len: run_blocks.min(layout.tree_blocks() - key * run_blocks) * block_size,
            source: Source::Rendered { by: self, key },
        });
        Box::new(superblock.chain(runs))
    }
}

/// The key is the index of a run of the tree.
impl Render for HashArea<'_> {
    fn render(&self, key: u64, out: &mut [u8]) {
        let block_size = self.tree.layout.options().hash_block_size.as_usize();
        for (index, block) in (key * self.blocks_per_run()..).zip(out.chunks_exact_mut(block_size)) {
            self.tree.write_block(index, block);
        }
    }
}
