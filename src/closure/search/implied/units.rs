//! systemd units.

use image_tree::{Content, Directories};

use super::context::Implied;
use crate::closure::config::unit;
use crate::closure::error::{Error, Result};
use crate::closure::requests::Keep;

/// Adds the requested units, and those that they pull in.
pub(super) fn add<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    found: &mut Implied,
) -> Result<()> {
    let mut units = Vec::new();
    for wanted in &keep.units {
        match &wanted.glob {
            None => units.push(wanted.text.clone()),
            Some(glob) => {
                let matching = unit::matching(tree, glob);
                if matching.is_empty() {
                    return Err(Error::NoMatchingUnit(wanted.text.clone()));
                }
                units.extend(matching);
            }
        }
    }
    found.take(unit::dependencies(tree, &units, keep.follow)?);
    Ok(())
}
