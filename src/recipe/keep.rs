//! The part of a tree that is kept.

use crate::closure::requests::Keep;
use crate::named::named;
use crate::transform::accounts::Accounts;

/// The part of a tree that is kept, and the handling of missing dependencies.
#[derive(Clone, Debug)]
pub struct KeepRecipe {
    /// The requests.
    pub keep: Keep,
    /// The handling of missing dependencies.
    pub missing: MissingPolicy,
    /// The accounts that stay.
    pub accounts: Accounts,
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

named!(MissingPolicy, "a policy for missing files", [Error => "error", Warn => "warn"]);
