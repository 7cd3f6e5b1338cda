//! The part of a tree that is kept.

use crate::closure::missing::{Missing, MissingPattern};
use crate::closure::requests::Keep;
use crate::named::named;
use crate::transform::accounts::Accounts;

/// The part of a tree that is kept, and the handling of missing dependencies.
#[derive(Clone, Debug)]
pub struct KeepRecipe {
    /// The requests.
    pub keep: Keep,
    /// The handling of missing dependencies.
    pub missing: MissingRules,
    /// The accounts that stay.
    pub accounts: Accounts,
}

/// The handling of missing dependencies, other than those that are harmless.
#[derive(Clone, Debug, Default)]
pub struct MissingRules {
    /// The handling of those that match no pattern.
    pub policy: MissingPolicy,
    /// The patterns of those that are only warned about.
    pub tolerated: Vec<MissingPattern>,
}

impl MissingRules {
    /// Returns true if a missing file is an error.
    #[must_use]
    pub fn refuses(&self, missing: &Missing) -> bool {
        self.policy == MissingPolicy::Error
            && !missing.is_harmless
            && !self.tolerated.iter().any(|pattern| pattern.matches(missing))
    }
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
