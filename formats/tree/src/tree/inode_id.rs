//! The ids of inodes.

/// The id of an inode in one tree. Ids of different trees are unrelated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(pub(super) u32);

impl InodeId {
    /// The id of the root directory of every tree.
    pub const ROOT: Self = Self(0);

    /// Returns the id with an index, for implementations of [`Directories`](crate::Directories)
    /// that number their own inodes.
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }

    /// The index in the tree's table, for parallel tables.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
