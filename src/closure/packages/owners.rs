//! The packages that own the files of a tree.

use std::collections::BTreeMap;

use image_tree::{Content, Directories};

use super::error::Result;
use super::installed::Installed;
use super::places::Places;

/// The names of packages by the paths of the files that they own.
pub type Owners = BTreeMap<Vec<u8>, Vec<String>>;

/// Returns the owners of those paths that are wanted. Directories, which packages share, have none.
///
/// # Errors
/// Returns an error if a database is damaged or cannot be read. A tree without one has no owners.
pub fn owners<T: Directories<Content: Content>>(
    tree: &T,
    is_wanted: impl Fn(&[u8]) -> bool,
) -> Result<Owners> {
    let installed = Installed::read(tree)?;
    let mut places = Places::new(tree);
    let mut owners = Owners::new();
    for index in 0..installed.entries.len() {
        let name = installed.shown(index);
        for listed in installed.files(index)?.unwrap_or_default() {
            let Some(place) = places.find(&listed.path) else { continue };
            if is_wanted(&place.path) && !tree.is_directory(place.id) {
                let names = owners.entry(place.path).or_default();
                if names.last() != Some(&name) {
                    names.push(name.clone());
                }
            }
        }
    }
    Ok(owners)
}
