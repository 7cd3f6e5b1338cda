//! The digests of blocks.

use sha2::{Digest, Sha256, Sha512};

use crate::{HashAlgorithm, HashType, Options};

/// Hashes blocks with the salt of a tree.
#[derive(Clone, Debug)]
pub(crate) struct BlockHasher {
    /// The state after the salt, if that comes first: blocks start from a copy of it.
    state: State,
    /// The salt, if it comes last.
    suffix: Vec<u8>,
}

#[derive(Clone, Debug)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl BlockHasher {
    pub(crate) fn new(options: &Options) -> Self {
        let salt = options.salt.as_bytes();
        let (prefix, suffix): (&[u8], &[u8]) = match options.hash_type {
            HashType::Normal => (salt, &[]),
            HashType::ChromeOs => (&[], salt),
        };
        let state = match options.algorithm {
            HashAlgorithm::Sha256 => State::Sha256(Sha256::new_with_prefix(prefix)),
            HashAlgorithm::Sha512 => State::Sha512(Sha512::new_with_prefix(prefix)),
        };
        Self { state, suffix: suffix.to_owned() }
    }

    /// Writes the digest of a block to `out`, which has the length of a digest.
    pub(crate) fn hash(&self, block: &[u8], out: &mut [u8]) {
        match &self.state {
            State::Sha256(state) => hash(state.clone(), block, &self.suffix, out),
            State::Sha512(state) => hash(state.clone(), block, &self.suffix, out),
        }
    }
}

fn hash(mut state: impl Digest, block: &[u8], suffix: &[u8], out: &mut [u8]) {
    state.update(block);
    state.update(suffix);
    out.copy_from_slice(&state.finalize());
}
