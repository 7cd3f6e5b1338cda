//! Errors of planning an archive.

use image_tree::XattrName;
use thiserror::Error;

/// An error when planning an archive.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive cannot represent a file of the tree.
    #[error("a tar archive cannot hold {}", .path.escape_ascii())]
    Unrepresentable {
        /// The file's path in the tree.
        path: Vec<u8>,
        /// The reason.
        #[source]
        reason: Unrepresentable,
    },
    /// The total length of the archive exceeds 64 bits.
    #[error("the files have more than {} bytes together", u64::MAX)]
    TooLong,
    /// The tree has too many names.
    #[error("the tree has more than {} names, which is the limit", u32::MAX)]
    TooManyNames,
}

/// A reason why an archive cannot represent a file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unrepresentable {
    /// There is no type for sockets.
    #[error("it is a socket, for which the format has no type")]
    Socket,
    /// The length does not fit in a signed number of 64 bits, which readers use.
    #[error("the file has {len} bytes, the limit of readers is {limit}")]
    FileTooLarge {
        /// The file's length in bytes.
        len: u64,
        /// The largest length in bytes.
        limit: u64,
    },
    /// A reader of layers would take the name for a whiteout.
    #[error("its name begins with .wh., which marks a whiteout in a layer")]
    WhiteoutName,
    /// A reader of layers would take the device for a whiteout.
    #[error("it is the character device 0:0, which is a whiteout in a layer")]
    WhiteoutDevice,
    /// A reader of layers drops records without a value.
    #[error("its xattr {0} is empty, and a layer cannot hold that")]
    EmptyXattr(XattrName),
}
