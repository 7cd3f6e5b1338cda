//! The part of a report that all products have.

use crate::recipe::TreeRecipe;
use crate::report::Artifact;

/// Returns the part of a report about a planned product.
pub(super) fn planned<L>(tree: &TreeRecipe, byte_layout: &'static str, size: L) -> Artifact<L> {
    let sources = tree.sources.iter().map(|source| source.name().into()).collect();
    Artifact::planned(byte_layout, sources, None, size)
}
