//! A unit that is examined, and the reasons for what it needs.

use std::fmt;

use super::chain::OF;
use super::name::UnitName;
use super::settings::Settings;
use crate::closure::Kind;
use crate::closure::dependency::{Dependencies, Target};

/// A unit with its settings, and the place of a unit in the closure.
pub(super) struct Unit<'u> {
    pub(super) name: &'u UnitName,
    pub(super) settings: &'u Settings,
    /// The unit, and those that lead to it from a request: `a.service, wanted by b.target, …`.
    pub(super) chain: &'u str,
    /// False if a condition of the unit is not met by the tree: systemd does not start it, so that
    /// none of its files is mandatory.
    pub(super) starts: bool,
}

impl Unit<'_> {
    /// Adds a need of the unit. `is` and the chain make the reason: "is started by ExecStart=" and
    /// "of a.service, …".
    pub(super) fn add(
        &self,
        found: &mut Dependencies,
        target: Target,
        required: bool,
        is: fmt::Arguments<'_>,
    ) {
        let reason = format!("{is}{OF}{}", self.chain);
        found.add(target, Kind::Configured, required && self.starts, reason);
    }
}
