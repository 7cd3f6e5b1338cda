//! The choices of the caller.

mod algorithm;
mod block_size;
mod fec_roots;
mod hash_type;
mod salt;

use uuid::Uuid;

pub use algorithm::HashAlgorithm;
pub use block_size::BlockSize;
pub use fec_roots::FecRoots;
pub use hash_type::HashType;
pub use salt::Salt;

/// The parameters of a hash tree, named as the options of `veritysetup format`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// `--format`: the position of the salt.
    pub hash_type: HashType,
    /// `--hash`: the algorithm of all digests.
    pub algorithm: HashAlgorithm,
    /// `--data-block-size`. Most kernels take at most the size of a page.
    pub data_block_size: BlockSize,
    /// `--hash-block-size`.
    pub hash_block_size: BlockSize,
    /// `--salt`: the bytes that are hashed with each block.
    pub salt: Salt,
    /// `--uuid`: the UUID of the superblock; `None` for `--no-superblock`.
    pub superblock: Option<Uuid>,
    /// `--fec-roots`: the parity bytes of each code word; `None` without forward error correction.
    pub fec: Option<FecRoots>,
}

impl Options {
    /// The defaults of veritysetup with this salt (hash type 1, SHA-256, blocks of 4096 bytes), but
    /// without a superblock.
    #[must_use]
    pub const fn new(salt: Salt) -> Self {
        Self {
            hash_type: HashType::Normal,
            algorithm: HashAlgorithm::Sha256,
            data_block_size: BlockSize::BYTES_4096,
            hash_block_size: BlockSize::BYTES_4096,
            salt,
            superblock: None,
            fec: None,
        }
    }
}
