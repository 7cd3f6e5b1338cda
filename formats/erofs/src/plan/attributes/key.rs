//! Attributes as they are stored.

use crate::ondisk::xattr::entry_len;

/// An attribute as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'t> {
    /// The index of the prefix, or that of a long prefix.
    pub(super) index: u8,
    pub(super) name: &'t [u8],
    pub(super) value: &'t [u8],
}

impl Key<'_> {
    /// The length in bytes.
    pub(super) fn len(&self) -> usize {
        entry_len(self.name, self.value)
    }
}
