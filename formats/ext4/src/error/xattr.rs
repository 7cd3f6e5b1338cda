//! Errors of storing extended attributes.

use image_tree::XattrName;
use image_tree::acl::AclError;
use thiserror::Error;

/// The maximum length of a value that Linux reads or writes, in bytes.
pub(crate) const MAX_VALUE_LEN: usize = 65_536;

/// An error when storing an extended attribute.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum XattrError {
    /// The format has no index for the prefix of the name, or nothing follows the prefix.
    #[error(
        "xattr \"{0}\" has no namespace ext4 knows, or no name in it; \
         there are \"user.\", \"trusted.\", \"security.\" and \"system.\""
    )]
    Namespace(XattrName),
    /// The name is the one that ext4 uses for inline data.
    #[error("xattr \"{0}\" has the name under which ext4 keeps a file's inline data; drop it")]
    Reserved(XattrName),
    /// The value is not a valid POSIX ACL.
    #[error("the value of xattr \"{name}\" is not a POSIX ACL")]
    Acl {
        /// The attribute.
        name: XattrName,
        /// The error in the ACL.
        source: AclError,
    },
    /// The value is longer than any that Linux reads (`XATTR_SIZE_MAX`).
    #[error(
        "xattr \"{name}\" has a value of {size} bytes, the limit of Linux is {}; drop or shorten it",
        MAX_VALUE_LEN
    )]
    ValueTooLong {
        /// The attribute.
        name: XattrName,
        /// The length of its value in bytes.
        size: usize,
    },
    /// There is not enough space for the entries of all attributes, even with values in separate
    /// inodes.
    #[error(
        "xattr \"{name}\" takes {needed} bytes without its value, and {left} of the {limit} bytes in the file's xattr block \
         are left; drop xattrs or shorten their names"
    )]
    TooMany {
        /// The attribute.
        name: XattrName,
        /// The length of its entry in bytes.
        needed: usize,
        /// The space left for it in bytes.
        left: usize,
        /// The space for all entries of a file that are not in its inode, in bytes.
        limit: usize,
    },
    /// There is not enough space for the attribute after those before it.
    #[error(
        "xattr \"{name}\" with a value of {size} bytes takes {needed} bytes, and {left} of the {limit} bytes in the \
         file's xattr block are left; drop or shorten xattrs, or add the feature -O ea_inode, which puts long values in \
         inodes of their own"
    )]
    TooLarge {
        /// The attribute.
        name: XattrName,
        /// The length of its value in bytes.
        size: usize,
        /// The length of the attribute with its name, in bytes.
        needed: usize,
        /// The space left for it in bytes.
        left: usize,
        /// The space for all attributes of a file that are not in its inode, in bytes.
        limit: usize,
    },
}

impl XattrError {
    /// The name of the attribute.
    #[must_use]
    pub fn name(&self) -> &XattrName {
        match self {
            Self::Namespace(name)
            | Self::Reserved(name)
            | Self::Acl { name, .. }
            | Self::ValueTooLong { name, .. }
            | Self::TooMany { name, .. }
            | Self::TooLarge { name, .. } => name,
        }
    }
}
