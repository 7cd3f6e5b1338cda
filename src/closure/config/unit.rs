//! systemd units: the files of a unit, the units that it pulls in, and the programs that it starts.
//!
//! ```text
//!  name ──▶ search path ──▶ link to another unit: that one (an alias);  to /dev/null, or empty: masked
//!                     └───▶ file  +  NAME.d/*.conf  ──▶ settings ──▶ Exec...=      programs
//!                           NAME.wants/ .requires/ .upholds/    ├──▶ EnvironmentFile= ... files
//!                                                               ├──▶ User=, PAMName= ...
//!                                                               └──▶ Requires= ... units, and so on
//! ```
//!
//! `foo@bar.service` is the instance `bar` of `foo@.service` if it has no file of its own. Units
//! that generators create at boot are not in the tree. Of conditions only those about paths are
//! considered, since the others depend on the guest.

use std::collections::{BTreeMap, BTreeSet};

use image_tree::glob::NameGlob;
use image_tree::{Content, Directories};

use self::name::UnitName;
use crate::closure::dependency::Dependencies;
use crate::closure::error::Result;

mod chain;
mod command;
mod command_line;
mod condition;
mod examined;
pub mod install;
mod load;
mod model;
mod name;
mod needs;
mod paths;
mod root;
mod search_path;
mod settings;
mod walk;
mod words;

pub(in crate::closure) use chain::units_of;
pub use model::{Follow, Units};
pub use search_path::SEARCH_PATH;
pub use settings::ends_in_continuation;
pub use walk::Walk;

/// Returns the files of units that must exist, and everything that these need.
///
/// # Errors
/// Returns an error if a unit name is invalid, a requested unit is not in the tree, or a file
/// cannot be read.
pub fn dependencies<T: Directories<Content: Content>>(
    tree: &T,
    units: &[Vec<u8>],
    follow: Follow,
) -> Result<Dependencies> {
    let mut walk = Walk::new(tree, follow);
    for unit in units {
        walk.request(unit)?;
    }
    walk.run()?;
    Ok(walk.finish().dependencies)
}

/// Returns the names of the units in the tree that match a shell pattern, sorted; for recipes that
/// request many.
#[must_use]
pub fn matching<T: Directories>(tree: &T, pattern: &NameGlob) -> BTreeSet<Vec<u8>> {
    let directories = SEARCH_PATH.iter().filter_map(|path| image_tree::resolve::resolve_in_root(tree, path));
    let names = directories.filter_map(|inode| tree.entries(inode)).flat_map(BTreeMap::keys);
    let names = names.map(|name| name.as_bytes()).filter(|name| UnitName::parse(name).is_some());
    names.filter(|name| pattern.matches(name)).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests;
