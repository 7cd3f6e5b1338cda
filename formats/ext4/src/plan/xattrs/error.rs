//! Why an extended attribute cannot be stored.

use image_tree::XattrName;
use thiserror::Error;

use crate::ondisk::acl::AclError;

/// The longest value that Linux reads or writes.
pub(super) const MAX_VALUE_LEN: usize = 65_536;

/// Why an extended attribute cannot be stored.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum XattrError {
    /// The format has no number for the start of the name, or nothing follows it.
    #[error(
        "xattr \"{0}\" has no namespace ext4 knows, or no name in it; \
         there are \"user.\", \"trusted.\", \"security.\" and \"system.\""
    )]
    Namespace(XattrName),
    /// The name is the one under which ext4 keeps the data of small files, and would be taken for it.
    #[error("xattr \"{0}\" has the name under which ext4 keeps a file's inline data; drop it")]
    Reserved(XattrName),
    /// The value of a POSIX ACL is not one.
    #[error("the value of xattr \"{name}\" is not a POSIX ACL")]
    Acl {
        /// Which of the two.
        name: XattrName,
        /// What is wrong with it.
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
        /// Bytes of its value.
        size: usize,
    },
    /// There is no room for the entries of all attributes, whose values are in inodes of their own as far as need be.
    #[error(
        "xattr \"{name}\" takes {needed} bytes without its value, and {left} of the {limit} bytes in the file's xattr block \
         are left; drop xattrs or shorten their names"
    )]
    TooMany {
        /// The attribute.
        name: XattrName,
        /// Bytes of its entry.
        needed: usize,
        /// Bytes there are for it.
        left: usize,
        /// Bytes there are for all entries of a file that are not in its inode.
        limit: usize,
    },
    /// There is no room for the attribute beside those that come before it.
    #[error(
        "xattr \"{name}\" with a value of {size} bytes takes {needed} bytes, and {left} of the {limit} bytes in the \
         file's xattr block are left; drop or shorten xattrs, or add the feature -O ea_inode, which puts long values in \
         inodes of their own"
    )]
    TooLarge {
        /// The attribute.
        name: XattrName,
        /// Bytes of its value.
        size: usize,
        /// Bytes the attribute takes with its name.
        needed: usize,
        /// Bytes there are for it.
        left: usize,
        /// Bytes there are for all attributes of a file that are not in its inode.
        limit: usize,
    },
}
