//! The feature words of the superblock.

/// `feature_compat`: features that a kernel may ignore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compat(pub(crate) u32);

impl Compat {
    /// The superblock has a checksum.
    pub(crate) const SB_CHKSUM: Self = Self(0x1);
    /// Times are those of modification.
    pub(crate) const MTIME: Self = Self(0x2);
    /// Xattrs have a filter of names.
    pub(crate) const XATTR_FILTER: Self = Self(0x4);
    /// The table of xattr prefixes is not in an inode.
    pub(crate) const PLAIN_XATTR_PFX: Self = Self(0x10);

    /// Returns both features.
    #[must_use]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `feature_incompat`: features that a kernel must know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Incompat(pub(crate) u32);

impl Incompat {
    /// Zeros are before compressed data, not behind it.
    pub(crate) const ZERO_PADDING: Self = Self(0x1);
    /// There are records of algorithms, and physical clusters of several blocks.
    pub(crate) const COMPR_CFGS: Self = Self(0x2);
    /// Files are stored in chunks.
    pub(crate) const CHUNKED_FILE: Self = Self(0x4);
    /// Physical clusters are behind inodes.
    pub(crate) const ZTAILPACKING: Self = Self(0x10);
    /// There is a packed inode, or several extents refer to one physical cluster.
    pub(crate) const FRAGMENTS: Self = Self(0x20);
    /// There is a table of xattr prefixes.
    pub(crate) const XATTR_PREFIXES: Self = Self(0x40);
    /// Block numbers have 48 bits, and the root's nid 64.
    pub(crate) const WIDE: Self = Self(0x80);

    /// Returns both features.
    #[must_use]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
