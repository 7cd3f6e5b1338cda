//! The part of a report that all products have.

use std::path::Path;

use crate::recipe::TreeRecipe;
use crate::report::Artifact;

/// Returns the part of a report about a planned product.
pub(super) fn planned<L>(tree: &TreeRecipe, byte_layout: &'static str, size: L) -> Artifact<L> {
    let sources = tree.sources.iter().map(|source| Path::new(source).into()).collect();
    Artifact::planned(byte_layout, sources, None, size)
}
