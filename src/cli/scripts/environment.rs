//! The variables of a script.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::shown;

/// The variables that are not empty.
pub(super) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub(super) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Returns a variable that has to be text.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.to_str();
        text.map(Some).ok_or_else(|| format!("{name}={}: is not UTF-8", shown::name(value)))
    }

    /// Returns a variable that is `yes` or `no`, which is the default.
    pub(super) fn is_yes(&self, name: &str) -> Result<bool, String> {
        match self.text(name)? {
            None | Some("no") => Ok(false),
            Some("yes") => Ok(true),
            Some(other) => Err(format!("Invalid value for {name}: '{other}'. Use to 'yes' or 'no'")),
        }
    }

    /// Returns a variable that is a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.parse().map(Some);
        number.map_err(|_| format!("{name}={text}: is not a number from 0 to 18446744073709551615"))
    }

    /// Returns what to report of variables that need not do anything.
    pub(super) fn without_effect(&self, names: &[(&str, &str)]) -> Vec<String> {
        let set = names.iter().filter(|(name, _)| self.get(name).is_some());
        set.map(|(name, why)| format!("{name} has no effect: {why}")).collect()
    }
}

/// Variables for containers, which are not needed.
pub(super) const OF_CONTAINERS: &[(&str, &str)] = &[
    ("USE_DOCKER", "no container is needed"),
    ("USE_PODMAN", "no container is needed"),
    ("DOCKER_RUNTIME", "no container is needed"),
    ("IMAGE_REGISTRY", "no container is needed"),
];
