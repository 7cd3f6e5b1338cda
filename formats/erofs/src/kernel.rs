//! The properties of a kernel that a filesystem needs.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The version of a Linux kernel, as far as features depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    /// The number before the first dot.
    pub major: u16,
    /// The number behind the first dot.
    pub minor: u16,
}

/// An error for text that is not the version of a kernel.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("\"{}\" is not a kernel version such as 6.1", .0.escape_debug())]
pub struct KernelVersionError(String);

impl KernelVersion {
    /// Creates a version of its two numbers.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Reads the first two numbers of a version, as in `6.1` or `6.1.176-amd64`.
impl FromStr for KernelVersion {
    type Err = KernelVersionError;

    fn from_str(text: &str) -> Result<Self, KernelVersionError> {
        let refuse = || KernelVersionError(text.to_owned());
        let (major, rest) = text.split_once('.').ok_or_else(refuse)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (minor, rest) = rest.split_at(end);
        if !rest.is_empty() && !rest.starts_with(['.', '-', '+']) {
            return Err(refuse());
        }
        let number = |digits: &str| {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| all_digits).ok_or_else(refuse)
        };
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

/// A property that the kernel needs to have for a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Need {
    /// The filesystem itself, with plain and inline data.
    Erofs,
    /// Extended attributes.
    Xattrs,
    /// POSIX ACLs.
    Acls,
    /// Extended attributes of security modules and capabilities.
    SecurityXattrs,
    /// Data compressed by lz4, in physical clusters of one block.
    Lz4,
    /// Physical clusters of several blocks.
    BigClusters,
    /// Files in chunks, with holes.
    Chunks,
    /// Physical clusters behind inodes.
    InlineClusters,
    /// Small files and tails in the packed inode.
    Fragments,
    /// Extents that share a physical cluster.
    SharedClusters,
    /// Blocks of another length than 4096 bytes.
    BlockSize,
    /// Names of extended attributes that begin with one of a table.
    XattrPrefixes,
    /// Data compressed by DEFLATE.
    Deflate,
    /// Data compressed by zstd.
    Zstd,
    /// Block numbers of 48 bits.
    WideBlocks,
}

impl Need {
    /// The name, for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Erofs => "EROFS",
            Self::Xattrs => "xattrs",
            Self::Acls => "ACLs",
            Self::SecurityXattrs => "xattrs of security modules and capabilities",
            Self::Lz4 => "data compressed by lz4",
            Self::BigClusters => "compressed data in physical clusters of several blocks",
            Self::InlineClusters => "compressed data behind inodes",
            Self::Fragments => "fragments",
            Self::SharedClusters => "deduplicated compressed data",
            Self::Deflate => "data compressed by DEFLATE",
            Self::Zstd => "data compressed by zstd",
            Self::Chunks => "files in chunks, which those with holes are",
            Self::BlockSize => "blocks of another length than 4096 bytes",
            Self::XattrPrefixes => "long prefixes of xattrs",
            Self::WideBlocks => "block numbers of 48 bits",
        }
    }

    /// The oldest version of the kernel that has it.
    #[must_use]
    pub const fn version(self) -> KernelVersion {
        match self {
            Self::Erofs | Self::Xattrs | Self::Acls | Self::SecurityXattrs => KernelVersion::new(5, 4),
            Self::Lz4 => KernelVersion::new(5, 4),
            Self::BigClusters => KernelVersion::new(5, 13),
            Self::Chunks => KernelVersion::new(5, 15),
            Self::InlineClusters => KernelVersion::new(5, 17),
            Self::Fragments | Self::SharedClusters => KernelVersion::new(6, 1),
            Self::BlockSize | Self::XattrPrefixes => KernelVersion::new(6, 4),
            Self::Deflate => KernelVersion::new(6, 6),
            Self::Zstd => KernelVersion::new(6, 10),
            Self::WideBlocks => KernelVersion::new(6, 15),
        }
    }

    /// The option of the kernel's configuration that it depends on.
    #[must_use]
    pub const fn config(self) -> &'static str {
        match self {
            Self::Erofs | Self::Chunks | Self::BlockSize | Self::WideBlocks => "CONFIG_EROFS_FS",
            Self::Lz4 | Self::BigClusters | Self::InlineClusters | Self::Fragments | Self::SharedClusters => {
                "CONFIG_EROFS_FS_ZIP"
            }
            Self::Deflate => "CONFIG_EROFS_FS_ZIP_DEFLATE",
            Self::Zstd => "CONFIG_EROFS_FS_ZIP_ZSTD",
            Self::Xattrs | Self::XattrPrefixes => "CONFIG_EROFS_FS_XATTR",
            Self::Acls => "CONFIG_EROFS_FS_POSIX_ACL",
            Self::SecurityXattrs => "CONFIG_EROFS_FS_SECURITY",
        }
    }

    /// Returns true if a kernel without it cannot read files. Otherwise it reads them, and ignores
    /// the metadata.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        !matches!(self, Self::Xattrs | Self::Acls | Self::SecurityXattrs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let parse = |text: &str| text.parse::<KernelVersion>();
        assert_eq!(parse("6.12.117+deb13-amd64"), Ok(KernelVersion::new(6, 12)));
        assert_eq!(parse("6.1"), Ok(KernelVersion::new(6, 1)));
        assert!(KernelVersion::new(6, 1) < KernelVersion::new(6, 12));
        for text in ["", "6", "6.", ".1", "v6.1", "6.1x", "6.+1", "6.99999", "6 .1"] {
            assert_eq!(parse(text), Err(KernelVersionError(text.to_owned())));
        }
    }
}
