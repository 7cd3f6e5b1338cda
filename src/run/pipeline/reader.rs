//! The reader of sources, with the steps that each takes.

use super::options::Options;
use crate::cache::Cache;
use crate::recipe::TreeRecipe;
use crate::run::sources::{self, Reader, SourceStep};
use crate::transform::own_files;

/// The steps of each directory or dump as a tree of its own, in order, before it is added to the
/// sources before it. The members of an archive get owners and lose metadata of the host one by
/// one, by the same functions.
pub(super) const SOURCE_STEPS: [SourceStep; 3] =
    [sources::own_files, sources::owners, sources::host_metadata];

/// Returns the reader of the sources of a recipe.
pub(super) fn reader<'r>(
    recipe: &'r TreeRecipe,
    options: &'r Options<'r>,
    cache: Option<&'r Cache>,
) -> Reader<'r> {
    let Options { mut own, progress, xattrs, states, interrupt, log, temporary, .. } = *options;
    let Options { spool, memory, .. } = options;
    own.cache = recipe.cache.as_ref().and_then(|cache| own_files::host_inode(&cache.directory));
    let (spool, steps) = (spool.as_deref(), &SOURCE_STEPS);
    Reader { recipe, spool, temporary, memory, cache, steps, own, progress, xattrs, states, interrupt, log }
}
