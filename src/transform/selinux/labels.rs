//! The labels of files by path.

use super::specs::{Found, Search, Specs};
use super::substitutions::Substitutions;
use crate::error::Result;
use image_tree::FileType;

/// The labels of files by path.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub(super) specs: Specs,
    /// Substitutions of the administrator, which are applied first.
    pub(super) local: Substitutions,
    /// Substitutions of the distribution.
    pub(super) distribution: Substitutions,
}

impl Labels {
    /// Returns the policy's result for a path of the tree.
    pub(super) fn lookup(
        &self,
        path: &[u8],
        file_type: FileType,
        search: &mut Search<'_>,
    ) -> Result<Found<'_>> {
        let local = self.local.apply(path);
        let path = local.as_deref().unwrap_or(path);
        let distribution = self.distribution.apply(path);
        self.specs.lookup(distribution.as_deref().unwrap_or(path), file_type, search)
    }
}
