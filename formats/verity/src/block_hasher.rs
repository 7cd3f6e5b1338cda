//! The digests of blocks.

use sha2::{Digest, Sha512};

use crate::{HashAlgorithm, HashType, Options};

/// Hashes blocks with the salt of a tree.
#[derive(Clone, Debug)]
pub(crate) enum BlockHasher {
    Sha256(sha256_lanes::BlockHasher),
    Sha512 {
        /// The state after the salt, if that comes first: blocks start from a copy of it.
        state: Sha512,
        /// The salt, if it comes last.
        suffix: Vec<u8>,
    },
}

impl BlockHasher {
    pub(crate) fn new(options: &Options) -> Self {
        let salt = options.salt.as_bytes();
        let (prefix, suffix): (&[u8], &[u8]) = match options.hash_type {
            HashType::Normal => (salt, &[]),
            HashType::ChromeOs => (&[], salt),
        };
        match options.algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(sha256_lanes::BlockHasher::new(prefix, suffix)),
            HashAlgorithm::Sha512 => {
                Self::Sha512 { state: Sha512::new_with_prefix(prefix), suffix: suffix.to_owned() }
            }
        }
    }

    /// Writes the digest of a block to `out`, which has the length of a digest.
    pub(crate) fn hash(&self, block: &[u8], out: &mut [u8]) {
        self.hash_all(&[block], |_, digest| out.copy_from_slice(digest));
    }

    /// Calls `each` with the index and the digest of each block, in any order. All blocks have one
    /// length. Several of them take less time together than one by one.
    pub(crate) fn hash_all(&self, blocks: &[&[u8]], mut each: impl FnMut(usize, &[u8])) {
        match self {
            Self::Sha256(hasher) => hasher.hash(blocks, |index, digest| each(index, &digest)),
            Self::Sha512 { state, suffix } => {
                for (index, block) in blocks.iter().enumerate() {
                    let digest = state.clone().chain_update(block).chain_update(suffix).finalize();
                    each(index, &digest);
                }
            }
        }
    }
}
