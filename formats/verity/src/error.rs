//! Errors of options, planning, hashing and text.

use thiserror::Error;

use crate::limits;

/// An error in the options, in the lengths, in the text of a parameter, or in the data given.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A block size that dm-verity does not have.
    #[error(
        "a block size of {bytes} bytes is not a power of two from {min} to {max}",
        min = limits::MIN_BLOCK_SIZE,
        max = limits::MAX_BLOCK_SIZE
    )]
    BlockSize {
        /// The block size in bytes.
        bytes: u64,
    },
    /// A salt that is too long for the superblock.
    #[error("a salt of {len} bytes is longer than the limit of {max} bytes", max = limits::MAX_SALT_LEN)]
    SaltTooLong {
        /// The length of the salt in bytes.
        len: usize,
    },
    /// The name of an algorithm that is not supported.
    #[error("{name:?} is not a supported hash algorithm; sha256 and sha512 are")]
    Algorithm {
        /// The name.
        name: String,
    },
    /// The number of a hash type that does not exist.
    #[error("hash type {number} is not supported; 1 (normal) and 0 (original Chrome OS) are")]
    HashType {
        /// The number.
        number: u32,
    },
    /// A number of roots that dm-verity does not take.
    #[error(
        "{roots} roots are not within {min} to {max}",
        min = limits::MIN_ROOTS,
        max = limits::MAX_ROOTS
    )]
    Roots {
        /// The number of roots.
        roots: u64,
    },
    /// Forward error correction with different block sizes.
    #[error(
        "forward error correction requires data blocks ({data} bytes) and hash blocks ({hash} bytes) of the \
         same size"
    )]
    FecBlockSizes {
        /// The size of data blocks in bytes.
        data: u32,
        /// The size of hash blocks in bytes.
        hash: u32,
    },
    /// Data of no bytes.
    #[error("the data has no bytes; it is at least one block")]
    Empty,
    /// Data that ends inside a block.
    #[error("{len} bytes of data are not a multiple of the {block_size}-byte data block")]
    PartialBlock {
        /// The length of the data in bytes.
        len: u64,
        /// The size of data blocks in bytes.
        block_size: u32,
    },
    /// Data and areas that are longer than any file or device can be.
    #[error(
        "the data and its hash area are longer than {max} bytes, the longest a file can be",
        max = i64::MAX
    )]
    TooLong,
    /// An alignment at which a hash area cannot start.
    #[error("an alignment of {alignment} bytes is not a positive multiple of the {block_size}-byte block")]
    Alignment {
        /// The alignment in bytes.
        alignment: u64,
        /// The block size in bytes that it must be a multiple of.
        block_size: u32,
    },
    /// An offset that is not a whole number of blocks.
    #[error("offset {offset} is not a multiple of the {block_size}-byte block")]
    Offset {
        /// The offset in bytes.
        offset: u64,
        /// The block size in bytes.
        block_size: u32,
    },
    /// A total that not even one data block fits into.
    #[error(
        "{total} bytes are {missing} bytes too few for one data block and its areas",
        missing = needed.saturating_sub(*total)
    )]
    TooSmall {
        /// The total length in bytes.
        total: u64,
        /// The smallest possible length in bytes.
        needed: u64,
    },
    /// Too little memory for the digests.
    #[error("the digests of {data_blocks} data blocks do not fit in memory")]
    OutOfMemory {
        /// The number of data blocks.
        data_blocks: u64,
    },
    /// Bytes behind the end of the data.
    #[error(
        "bytes {offset} to {end} are not within the {data_len} bytes of the data",
        end = offset.saturating_add(*len)
    )]
    BeyondData {
        /// The offset of the first byte.
        offset: u64,
        /// The number of bytes.
        len: u64,
        /// The length of the data in bytes.
        data_len: u64,
    },
    /// A block whose bytes were given more than once.
    #[error("bytes of data block {block} were given twice")]
    GivenTwice {
        /// The index of the block.
        block: u64,
    },
    /// A block whose bytes were not given.
    #[error("bytes of data block {block} were not given")]
    NotGiven {
        /// The index of the first such block.
        block: u64,
    },
    /// Text that is not a positive even number of hexadecimal digits.
    #[error("the {what} {text:?} is not a positive even number of hexadecimal digits")]
    NotHex {
        /// The name of the value.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// A root hash with the length of no supported algorithm.
    #[error("a root hash of {len} bytes is not that of a supported algorithm; sha256 has 32, sha512 has 64")]
    RootHashLength {
        /// The length in bytes.
        len: usize,
    },
    /// A root hash of another algorithm than that of the tree.
    #[error("the root hash is one of {given}, the hash tree uses {expected}")]
    RootHashAlgorithm {
        /// The name of the algorithm with digests as long as the root hash.
        given: &'static str,
        /// The name of the algorithm of the tree.
        expected: &'static str,
    },
    /// A word of the parameters that is not `key=value`, or has an unknown key.
    #[error(
        "{word:?} is not a parameter; root_hash=, salt=, data_blocks=, data_block_size= and \
         hash_block_size= are"
    )]
    UnknownParameter {
        /// The word.
        word: String,
    },
    /// A parameter that is given twice or not at all.
    #[error("the parameter {name} must be given exactly once")]
    ParameterCount {
        /// The name of the parameter.
        name: &'static str,
    },
    /// The value of a parameter that is not a number.
    #[error("the value {value:?} of {name} is not a decimal number below 2^64")]
    NotNumber {
        /// The name of the parameter.
        name: &'static str,
        /// The value.
        value: String,
    },
    /// A word that would not survive in a table or on the kernel's command line.
    #[error(
        "the {what} {text:?} is empty, or contains a blank, a quote, a comma, a semicolon or a control character"
    )]
    Word {
        /// The name of the word.
        what: &'static str,
        /// The word.
        text: String,
    },
    /// A parameter of the kernel that is longer than it reads.
    #[error(
        "the value of dm-mod.create= has {len} bytes, the kernel reads fewer than {max}",
        max = limits::DM_MOD_CREATE_MAX
    )]
    DmModCreateTooLong {
        /// The length in bytes.
        len: usize,
    },
    /// A table with an FEC device for a layout without forward error correction, or the reverse.
    #[error("the table and the layout must agree about forward error correction")]
    FecDevice,
}
