//! The accounts that configuration files name.

use std::collections::BTreeSet;

/// Users and groups by name, and by number where no name is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedAccounts {
    /// The users.
    pub users: BTreeSet<Vec<u8>>,
    /// The groups.
    pub groups: BTreeSet<Vec<u8>>,
}

impl NamedAccounts {
    /// Adds a user, as written: a name or a number.
    pub fn add_user(&mut self, name: &[u8]) {
        add(&mut self.users, name);
    }

    /// Adds a group, as written: a name or a number.
    pub fn add_group(&mut self, name: &[u8]) {
        add(&mut self.groups, name);
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: Self) {
        self.users.extend(other.users);
        self.groups.extend(other.groups);
    }
}

fn add(names: &mut BTreeSet<Vec<u8>>, name: &[u8]) {
    if !name.is_empty() && name != b"-" {
        names.insert(name.to_vec());
    }
}
