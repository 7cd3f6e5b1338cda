//! The closure to print.

use super::TreeRecipe;

/// A closure to print.
#[derive(Clone, Debug)]
pub struct ClosureRecipe {
    /// The tree, and what is kept of it.
    pub tree: TreeRecipe,
    /// The paths to explain; if empty, the whole closure is printed.
    pub explain: Vec<Vec<u8>>,
    /// True to print the tree of reasons with sizes.
    pub costs: bool,
    /// True to print JSON.
    pub json: bool,
    /// Ends each path with a NUL byte instead of a line end, and escapes nothing.
    pub null: bool,
}
