//! Errors of laying out a directory.

use thiserror::Error;

/// An error when laying out a directory.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The directory has more names than an index of two levels can address.
    #[error(
        "its {entries} names fill {leaves} blocks of {block_size} bytes, the limit of a directory's index is \
         {limit}; put the names in several directories"
    )]
    TooManyNames {
        /// The number of names in the directory.
        entries: usize,
        /// The number of blocks for them.
        leaves: usize,
        /// The maximum number of blocks of an index of two levels.
        limit: usize,
        /// The block size in bytes.
        block_size: usize,
    },
    /// A directory without an index has more names than can be addressed.
    #[error(
        "its {entries} names fill more than {limit} blocks of {block_size} bytes, the limit without dir_index; \
         enable dir_index, or put the names in several directories"
    )]
    TooLong {
        /// The number of names in the directory.
        entries: usize,
        /// The maximum number of blocks.
        limit: usize,
        /// The block size in bytes.
        block_size: usize,
    },
}
