//! Kernel modules: the modules of a version that names select, with the modules and the firmware
//! that they need.
//!
//! ```text
//!  names, aliases, patterns ──▶ module ─┬─ modules.dep, or depends= ──▶ modules, required
//!                                ▲      ├─ softdep, weakdep ──────────▶ modules, if they exist
//!                                │      └─ firmware= ─────────────────▶ files of lib/firmware
//!                                └──────────────── next module ◀──────────┘
//! ```
//!
//! The rules are those of kmod: `lib/modules/VERSION` and the files of `modprobe.d` are those of
//! the tree, and no command of theirs is run. Without `modules.dep`, as in packages of Debian, the
//! modules themselves say what they need.

mod error;
mod find;
mod firmware;
mod read;
mod select;
mod settings;
#[cfg(test)]
mod tests;
mod version;
mod walk;

use image_tree::path::join;
use image_tree::{Content, Directories};

pub use error::{Error, Result};
pub use find::{FoundFiles, IGNORED, MAX_DIRECTORIES, ModuleFile, find};
pub use select::parse;

use self::settings::Settings;
use self::version::Version;
use self::walk::Walk;
use super::dependency::Dependencies;
use super::requests::KernelModules;

/// Files of a version beside its modules: their order, those built into the kernel, and indices.
const TEXTS: [&str; 14] = [
    "modules.alias",
    "modules.alias.bin",
    "modules.builtin",
    "modules.builtin.alias.bin",
    "modules.builtin.bin",
    "modules.builtin.modinfo",
    "modules.dep",
    "modules.dep.bin",
    "modules.devname",
    "modules.order",
    "modules.softdep",
    "modules.symbols",
    "modules.symbols.bin",
    "modules.weakdep",
];

/// Returns the path, without symbolic links, of the directory of the requested modules; `None` if
/// none are requested, or all of them are optional and the tree has no modules.
///
/// # Errors
/// Returns an error if the tree does not have the version.
pub fn directory<T: Directories>(tree: &T, wanted: &KernelModules) -> Result<Option<Vec<u8>>> {
    Ok(version_of(tree, wanted)?.map(|version| version.path))
}

/// Returns the directories of the versions that a tree has, by their paths without symbolic links.
pub fn versions<T: Directories>(tree: &T) -> Vec<Vec<u8>> {
    let mut paths: Vec<Vec<u8>> = Version::all(tree).into_values().map(|version| version.path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn version_of<T: Directories>(tree: &T, wanted: &KernelModules) -> Result<Option<Version>> {
    if wanted.is_empty() {
        return Ok(None);
    }
    match Version::of(tree, wanted.version.as_deref()) {
        Err(Error::NoVersion) if wanted.names.is_empty() => Ok(None),
        found => found.map(Some),
    }
}

/// Returns the files of the requested modules, of those that they need, and their firmware.
///
/// # Errors
/// Returns an error if the tree does not have the version or a module, or a module cannot be read.
pub fn dependencies<T: Directories<Content: Content>>(
    tree: &T,
    wanted: &KernelModules,
) -> Result<Dependencies> {
    let Some(version) = version_of(tree, wanted)? else { return Ok(Dependencies::default()) };
    let (catalog, softdeps) = read::catalog(tree, &version)?;
    let settings = Settings::read(tree, softdeps)?;
    let mut walk = Walk::new(tree, &version, &catalog, &settings.config, wanted.weak);
    for pattern in &wanted.names {
        let selected = select::select(&catalog, &settings.config, &version, pattern)?;
        walk.request(&pattern.text, selected, true);
    }
    for pattern in &wanted.optional {
        match select::select(&catalog, &settings.config, &version, pattern) {
            Ok(selected) => walk.request(&pattern.text, selected, false),
            Err(Error::ModuleNotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut found = walk.run()?;
    found.unknown.extend(settings.ignored);
    for path in &settings.files {
        found.configured(path, false, "configures modprobe".to_owned());
    }
    for name in TEXTS {
        let path = join(&version.named, name.as_bytes());
        found.configured(&path, false, "lists the modules of the kernel".to_owned());
    }
    Ok(found)
}
