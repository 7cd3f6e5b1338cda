//! The digests of data blocks, many of which may be zeros.

use crate::Options;
use crate::block_hasher::BlockHasher;

/// Hashes data blocks. The digest of a block of zeros is a constant.
#[derive(Clone, Debug)]
pub(crate) struct DataBlocks {
    hasher: BlockHasher,
    block_size: usize,
    zero_digest: Box<[u8]>,
}

impl DataBlocks {
    pub(crate) fn new(options: &Options) -> Self {
        let (hasher, block_size) = (BlockHasher::new(options), options.data_block_size.as_usize());
        // OK to unwrap: a digest has at most 64 bytes.
        let digest_len = usize::try_from(options.algorithm.digest_len()).expect("a digest is short");
        let mut zero_digest = vec![0; digest_len].into_boxed_slice();
        hasher.hash(&vec![0; block_size], &mut zero_digest);
        Self { hasher, block_size, zero_digest }
    }

    /// The hasher, for blocks of the hash tree.
    pub(crate) fn hasher(&self) -> &BlockHasher {
        &self.hasher
    }

    /// The digest of a data block of zeros.
    pub(crate) fn zero_digest(&self) -> &[u8] {
        &self.zero_digest
    }

    /// Returns the digests of whole blocks, one after the other.
    pub(crate) fn digests(&self, bytes: &[u8]) -> Vec<u8> {
        let blocks = bytes.chunks_exact(self.block_size);
        let mut digests = self.zero_digest.repeat(blocks.len());
        let (indices, blocks): (Vec<usize>, Vec<&[u8]>) =
            blocks.enumerate().filter(|(_, block)| !is_zeros(block)).unzip();
        let len = self.zero_digest.len();
        self.hasher.hash_all(&blocks, |number, digest| {
            digests[indices[number] * len..][..len].copy_from_slice(digest);
        });
        digests
    }
}

/// Returns true if all bytes of a block are zero. Groups of 64 bytes are compared without a branch
/// for each byte.
fn is_zeros(block: &[u8]) -> bool {
    block.chunks(64).all(|bytes| bytes.iter().fold(0, |all, byte| all | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlockSize, HashAlgorithm};

    /// 40 blocks with zeros between them, so that the lanes of vectors have blocks of any index.
    #[test]
    fn digests_are_those_of_each_block() {
        let block_size = BlockSize::new(512).expect("a power of two");
        for algorithm in HashAlgorithm::ALL {
            let mut options = Options::new("0123".parse().expect("a salt"));
            (options.algorithm, options.data_block_size) = (algorithm, block_size);
            let blocks = DataBlocks::new(&options);
            let mut data = vec![0; 40 * 512];
            for (index, block) in data.chunks_exact_mut(512).enumerate().filter(|(index, _)| index % 3 > 0) {
                block[511 - index] = 1;
            }
            let expected: Vec<u8> = data
                .chunks_exact(512)
                .flat_map(|block| {
                    let mut digest = blocks.zero_digest().to_vec();
                    blocks.hasher().hash(block, &mut digest);
                    digest
                })
                .collect();
            assert!(blocks.digests(&data) == expected, "{algorithm}");
        }
    }
}
