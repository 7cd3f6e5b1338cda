//! The layers of an image that make up a tree, one for each source: the reverse of adding layers by
//! the rules for them.
//!
//! ```text
//! sources    1       2       3            merged tree: all sources, and the changes to all of it
//! layers     1 ◀──── 2 ◀──── 3 with what the changes add
//!                    whiteouts where 2 lacks what 1 has, because 2 hides it
//! ```
//!
//! A file that later sources hide is in the layer of its own source, so that one base is one layer
//! of many images. A file that no source hides, and that the merged tree lacks, was removed from the
//! tree: it is in no layer. Changed metadata is that of the layer that has the file.
//!
//! Programs that mount layers neither keep a directory that a layer only implies, nor link to files
//! of lower layers, nor apply a whiteout of a directory that the same layer has. So the directories
//! above each file of a layer are in it, all names of a file are in one layer, and whiteouts are of
//! single names.

mod changes;
mod error;
mod kept;

use image_tree::Tree;

pub use error::LayerError;

/// Returns the layers from the lowest to the highest. `states` are the trees after each source, of
/// one stack, and `merged` is the last one of them after the changes to the whole tree.
///
/// # Errors
/// If a name cannot be that of a file of a layer, or of a whiteout.
pub fn layers<C>(states: &[Tree<C>], merged: &Tree<C>) -> Result<Vec<Tree<C>>, LayerError>
where
    C: Clone + PartialEq + From<Vec<u8>>,
{
    let Some((all, before)) = states.split_last() else { return Ok(Vec::new()) };
    let trees = before.iter().map(|state| kept::kept(state, all, merged));
    let mut trees = trees.collect::<Result<Vec<_>, _>>()?;
    let mut layers = Vec::new();
    for (number, lower) in trees.iter().enumerate() {
        layers.push(changes::changes(lower, trees.get(number + 1).unwrap_or(merged))?);
    }
    let lowest = if trees.is_empty() { merged.clone() } else { trees.swap_remove(0) };
    layers.insert(0, lowest);
    Ok(layers)
}

#[cfg(test)]
mod tests;
