//! The part of a tree that is kept.

use crate::closure::requests::Keep;
use crate::recipe::TreeRecipe;

/// The part of a tree that is kept, and the handling of missing dependencies.
#[derive(Clone, Debug)]
pub struct KeepRecipe {
    /// The requests.
    pub keep: Keep,
    /// The handling of missing dependencies.
    pub missing: MissingPolicy,
}

/// The handling of missing dependencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingPolicy {
    /// An error that lists all of them.
    #[default]
    Error,
    /// A warning for each.
    Warn,
}

/// A closure to print.
#[derive(Clone, Debug)]
pub struct ClosureRecipe {
    /// The tree, and what is kept of it.
    pub tree: TreeRecipe,
    /// The paths to explain; if empty, the whole closure is printed.
    pub why: Vec<Vec<u8>>,
    /// True to print JSON.
    pub json: bool,
    /// Ends each path with a NUL byte instead of a line end, and escapes nothing.
    pub null: bool,
}
