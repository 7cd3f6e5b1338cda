//! The cache of a recipe.

use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::recipe::CacheRecipe;

/// Opens the cache, and warns if nothing can be stored in it; none if it cannot be created either. A
/// dry run uses a cache that exists, and leaves it unchanged.
///
/// # Errors
/// If it is not a directory that belongs to the user alone.
pub(super) fn open(recipe: Option<&CacheRecipe>, dry_run: bool, log: &Log) -> Result<Option<Cache>> {
    let Some(recipe) = recipe else { return Ok(None) };
    let opened = match dry_run {
        true => match Cache::open_unchanged(&recipe.directory).transpose() {
            Some(opened) => opened,
            None => return Ok(None),
        },
        false => Cache::open(&recipe.directory, recipe.size),
    };
    let why = match &opened {
        Ok(cache) => cache.read_only_error().map(|why| Error::io(&recipe.directory, why).to_string()),
        Err(error) => (error.kind() == ErrorKind::Io).then(|| error.to_string()),
    };
    let Some(why) = why else { return opened.map(Some) };
    log.warn(format_args!("--cache: {why}; nothing is kept for the next run"));
    Ok(opened.ok())
}
