//! The superblock of a hash area (cryptsetup wiki, "DMVerity", section "Verity superblock format").

use thiserror::Error;
use uuid::Uuid;

use crate::{BlockSize, Error, HashAlgorithm, HashType, Options, Salt};

const SIGNATURE: [u8; 8] = *b"verity\0\0";
const VERSION: u32 = 1;
/// The length of the field of the algorithm's name, which ends at NUL.
const ALGORITHM_LEN: usize = 32;

/// The first 512 bytes of a hash area: all parameters of the hash tree but the root hash.
///
/// ```text
///   0 signature "verity\0\0"     64 data_block_size u32     88 salt [256]
///   8 version u32, 1             68 hash_block_size u32    344 padding [168]
///  12 hash_type u32              72 data_blocks u64
///  16 uuid [16]                  80 salt_size u16
///  32 algorithm [32]             82 padding [6]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The version of the hash tree.
    pub hash_type: HashType,
    /// The UUID of the hash area, in the order of its text.
    pub uuid: Uuid,
    /// The algorithm of all digests.
    pub algorithm: HashAlgorithm,
    /// The size of data blocks.
    pub data_block_size: BlockSize,
    /// The size of hash blocks.
    pub hash_block_size: BlockSize,
    /// The number of data blocks, at least 1.
    pub data_blocks: u64,
    /// The salt of all digests.
    pub salt: Salt,
}

/// A reason for which bytes are not a superblock.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuperblockError {
    /// The bytes end before the superblock does.
    #[error("{len} bytes are too few for the {} bytes of a dm-verity superblock", Superblock::LEN)]
    Truncated {
        /// The number of bytes.
        len: usize,
    },
    /// The bytes do not start with the signature.
    #[error("the dm-verity superblock has no signature")]
    Signature,
    /// The version of the superblock is unknown.
    #[error("version {version} of the dm-verity superblock is not supported; version {VERSION} is")]
    Version {
        /// The version.
        version: u32,
    },
    /// The data has no block, or more bytes than any file.
    #[error("the dm-verity superblock has {blocks} data blocks of {block_size} bytes")]
    DataBlocks {
        /// The number of blocks.
        blocks: u64,
        /// The size of data blocks in bytes.
        block_size: u32,
    },
    /// A field has a value that is not supported.
    #[error("invalid dm-verity superblock")]
    Field(#[from] Error),
}

impl Superblock {
    /// The length of the superblock in bytes.
    pub const LEN: usize = 512;

    /// Returns the bytes of the superblock.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let salt = self.salt.as_bytes();
        // OK to unwrap: a salt has at most 256 bytes.
        let salt_size = u16::try_from(salt.len()).expect("a salt is short");
        let fields: [(usize, &[u8]); 10] = [
            (0, &SIGNATURE),
            (8, &VERSION.to_le_bytes()),
            (12, &self.hash_type.number().to_le_bytes()),
            (16, self.uuid.as_bytes()),
            (32, self.algorithm.name().as_bytes()),
            (64, &self.data_block_size.bytes().to_le_bytes()),
            (68, &self.hash_block_size.bytes().to_le_bytes()),
            (72, &self.data_blocks.to_le_bytes()),
            (80, &salt_size.to_le_bytes()),
            (88, salt),
        ];
        for (offset, field) in fields {
            bytes[offset..][..field.len()].copy_from_slice(field);
        }
        bytes
    }

    /// Reads the superblock at the start of a hash area. As in cryptsetup, padding is ignored.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a superblock, or one of a tree that this crate does
    /// not support.
    pub fn parse(bytes: &[u8]) -> Result<Self, SuperblockError> {
        let bytes: &[u8; Self::LEN] =
            bytes.first_chunk().ok_or(SuperblockError::Truncated { len: bytes.len() })?;
        if field(bytes, 0) != SIGNATURE {
            return Err(SuperblockError::Signature);
        }
        let u32_at = |offset| u32::from_le_bytes(field(bytes, offset));
        let version = u32_at(8);
        if version != VERSION {
            return Err(SuperblockError::Version { version });
        }
        let hash_type = HashType::new(u32_at(12))?;
        let algorithm = algorithm(&field::<ALGORITHM_LEN>(bytes, 32))?;
        let data_block_size = BlockSize::new(u32_at(64).into())?;
        let hash_block_size = BlockSize::new(u32_at(68).into())?;
        let data_blocks = u64::from_le_bytes(field(bytes, 72));
        let data_len = data_blocks.checked_mul(data_block_size.as_u64());
        if data_len.is_none_or(|len| len == 0 || i64::try_from(len).is_err()) {
            let block_size = data_block_size.bytes();
            return Err(SuperblockError::DataBlocks { blocks: data_blocks, block_size });
        }
        let salt_size = usize::from(u16::from_le_bytes(field(bytes, 80)));
        let salt = bytes[88..][..Salt::MAX_LEN].get(..salt_size);
        let salt = Salt::new(salt.ok_or(Error::SaltTooLong { len: salt_size })?)?;
        let uuid = Uuid::from_bytes(field(bytes, 16));
        Ok(Self { hash_type, uuid, algorithm, data_block_size, hash_block_size, data_blocks, salt })
    }

    /// The options of a tree with this superblock, without forward error correction, of which the
    /// superblock says nothing.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            hash_type: self.hash_type,
            algorithm: self.algorithm,
            data_block_size: self.data_block_size,
            hash_block_size: self.hash_block_size,
            salt: self.salt.clone(),
            superblock: Some(self.uuid),
            fec: None,
        }
    }

    /// The length of the data in bytes.
    #[must_use]
    pub fn data_len(&self) -> u64 {
        self.data_blocks.saturating_mul(self.data_block_size.as_u64())
    }
}

/// Copies a field of fixed length.
fn field<const N: usize>(bytes: &[u8; Superblock::LEN], offset: usize) -> [u8; N] {
    // OK to unwrap: the offsets are constants, and every field ends within the superblock.
    bytes[offset..][..N].try_into().expect("the length is N")
}

fn algorithm(name: &[u8]) -> Result<HashAlgorithm, Error> {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    String::from_utf8_lossy(&name[..end]).parse()
}

#[cfg(test)]
mod tests {
    use super::{Superblock, SuperblockError};
    use crate::{BlockSize, HashAlgorithm, HashType, Salt, plan};

    fn superblock() -> Superblock {
        Superblock {
            hash_type: HashType::Normal,
            uuid: uuid::uuid!("00112233-4455-6677-8899-aabbccddeeff"),
            algorithm: HashAlgorithm::Sha512,
            data_block_size: BlockSize::new(1024).expect("valid"),
            hash_block_size: BlockSize::BYTES_4096,
            data_blocks: 0x0102_0304_0506,
            salt: Salt::new(vec![0xee; 256]).expect("valid"),
        }
    }

    #[test]
    fn written_superblocks_parse_back() {
        let mut other = superblock();
        other.salt = Salt::EMPTY;
        other.hash_type = HashType::ChromeOs;
        other.algorithm = HashAlgorithm::Sha256;
        for superblock in [superblock(), other] {
            assert_eq!(Superblock::parse(&superblock.to_bytes()).as_ref(), Ok(&superblock));
            let layout = plan(&superblock.options(), superblock.data_len()).expect("a valid tree");
            assert_eq!(layout.superblock(), Some(superblock));
        }
    }

    #[test]
    fn wrong_fields_are_refused_by_name() {
        let bytes = superblock().to_bytes();
        assert_eq!(Superblock::parse(&bytes[..511]), Err(SuperblockError::Truncated { len: 511 }));
        let with = |offset: usize, value: u8| {
            let mut bytes = bytes;
            bytes[offset] = value;
            Superblock::parse(&bytes)
        };
        assert_eq!(with(0, 0), Err(SuperblockError::Signature));
        assert_eq!(with(8, 2), Err(SuperblockError::Version { version: 2 }));
        for (offset, value) in [(12, 2), (32, b'S'), (65, 3), (64, 1), (70, 2), (81, 2), (80, 1)] {
            let found = with(offset, value);
            assert!(matches!(found, Err(SuperblockError::Field(_))), "{offset}: {found:?}");
        }
        for (offset, value) in [(79, 0x80), (78, 0x20)] {
            let found = with(offset, value);
            assert!(
                matches!(found, Err(SuperblockError::DataBlocks { .. })),
                "2^73 and 2^63 bytes: {found:?}"
            );
        }
        assert_eq!(with(82, 1), Ok(superblock()), "padding is ignored");
    }

    #[test]
    fn no_data_is_refused() {
        let mut bytes = superblock().to_bytes();
        bytes[72..80].fill(0);
        let expected = SuperblockError::DataBlocks { blocks: 0, block_size: 1024 };
        assert_eq!(Superblock::parse(&bytes), Err(expected));
    }
}
