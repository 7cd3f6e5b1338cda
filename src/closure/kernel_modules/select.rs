//! The modules that names, aliases and patterns select.

use image_tree::glob::{Glob, NameGlob};
use kmod_index::{Catalog, Config, Found, normalize_alias};

use super::error::{Error, Result};
use super::version::Version;
use crate::closure::requests::NamePattern;
use crate::closure::similar::similar;

/// The modules that a request selects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selected {
    /// Their names. Those of the configuration need not exist.
    pub(super) names: Vec<Vec<u8>>,
    /// True if they were found by an alias.
    pub(super) by_alias: bool,
}

/// Parses a name, an alias or a pattern of names, in which `-` stands for `_`.
///
/// # Errors
/// Returns an error if it is empty, or a bracket is not closed or not opened.
pub fn parse(text: &[u8]) -> std::result::Result<NamePattern, String> {
    let normal = normalize_alias(text).filter(|name| !name.is_empty()).ok_or_else(|| {
        format!("\"{}\" is not the name, alias or pattern of a module", text.escape_ascii())
    })?;
    let glob = if Glob::is_pattern(text) { Some(NameGlob::parse(&normal)?) } else { None };
    Ok(NamePattern { text: text.to_vec(), glob })
}

/// Returns the modules that a request selects. Those that are built into the kernel need no file.
pub(super) fn select(
    catalog: &Catalog,
    config: &Config,
    version: &Version,
    wanted: &NamePattern,
) -> Result<Selected> {
    if let Some(glob) = &wanted.glob {
        let names = catalog.modules().map(|(name, _)| name).filter(|name| glob.matches(name));
        let names: Vec<Vec<u8>> = names.map(<[u8]>::to_vec).collect();
        if !names.is_empty() || catalog.builtin().any(|name| glob.matches(name)) {
            return Ok(Selected { names, by_alias: false });
        }
    }
    let owned = |names: Vec<&[u8]>| names.into_iter().map(<[u8]>::to_vec).collect();
    match catalog.lookup(config, &wanted.text) {
        Found::Configured(names) => Ok(Selected { names: owned(names), by_alias: true }),
        Found::Modules(names) => {
            let by_alias = catalog.module(&wanted.text).is_none();
            Ok(Selected { names: owned(names), by_alias })
        }
        // The walk reports the command.
        Found::Command => {
            Ok(Selected { names: normalize_alias(&wanted.text).into_iter().collect(), by_alias: false })
        }
        Found::BuiltIn(_) => Ok(Selected::default()),
        _ => {
            let names = catalog.modules().map(|(name, _)| name).chain(catalog.builtin());
            let near = similar(&wanted.text, names.map(|name| name.escape_ascii().to_string()));
            Err(Error::ModuleNotFound { name: wanted.text.clone(), version: version.name.clone(), near })
        }
    }
}
