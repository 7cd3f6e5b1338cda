//! The choice of relations, and the result.

use std::collections::BTreeSet;

use crate::closure::accounts::NamedAccounts;
use crate::closure::dependency::Dependencies;

/// The relations that are followed from unit to unit. Each choice includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Follow {
    /// None.
    None,
    /// Units started together: `Wants=`, `Requires=`, `Requisite=`, `BindsTo=`, `Upholds=`,
    /// `Sockets=`, and the `sysinit.target` that a service requires by default.
    Dependencies,
    /// Also units that a socket, a timer, a path or an automount activates, and `OnFailure=` and
    /// `OnSuccess=`.
    All,
}

/// The units of a closure, and everything that they name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// The files of the units, and the files that these need.
    pub dependencies: Dependencies,
    /// The users and groups that units name.
    pub accounts: NamedAccounts,
    /// The services of PAM with which units open sessions.
    pub pam: BTreeSet<Vec<u8>>,
    /// The units, by their names and those of their aliases.
    pub names: BTreeSet<Vec<u8>>,
    /// The base names of the programs that units start.
    pub programs: BTreeSet<Vec<u8>>,
}
