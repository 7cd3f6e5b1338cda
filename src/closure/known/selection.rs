//! The entries that are used.

use std::collections::BTreeSet;
use std::str::FromStr;

use thiserror::Error;

use super::table::Table;

/// The entries of the built-in table that are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// All.
    #[default]
    All,
    /// None.
    None,
    /// Those with these names.
    Only(BTreeSet<String>),
}

/// The error for a name that no entry has.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("\"{}\" is not a known entry; there are all, none, {}", .0.escape_debug(), Table::built_in().names().join(", "))]
pub struct UnknownEntry(String);

impl Known {
    /// Returns true if the entries with this name are used.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(names) => names.contains(name),
        }
    }
}

impl FromStr for Known {
    type Err = UnknownEntry;

    fn from_str(text: &str) -> Result<Self, UnknownEntry> {
        match text {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let names = Table::built_in().names();
        let found = text.split(',').map(|name| match names.contains(&name) {
            true => Ok(name.to_owned()),
            false => Err(UnknownEntry(name.to_owned())),
        });
        Ok(Self::Only(found.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_select_entries_and_others_are_an_error_that_lists_them() {
        assert_eq!("all".parse(), Ok(Known::All));
        assert_eq!("none".parse(), Ok(Known::None));
        let only: Known = "sshd,python".parse().expect("both are known");
        assert!(only.contains("sshd") && only.contains("python") && !only.contains("perl"));
        for text in ["", "sshd,", "sshd,no\n", "All", "all,sshd"] {
            let error = text.parse::<Known>().expect_err("it is not known").to_string();
            assert!(error.contains("there are all, none, ") && error.contains("python, "), "{error}");
        }
    }
}
