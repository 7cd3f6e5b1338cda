//! The input and the result of the providers.

use std::collections::BTreeSet;

use crate::closure::accounts::NamedAccounts;
use crate::closure::dependency::{Dependencies, Dependency, Target};
use crate::closure::library_path::LibraryPath;
use crate::closure::requests::{Keep, Request};
use crate::closure::result::Closure;
use crate::closure::result::reason::Kind;

/// Dependencies that were not requested by path.
#[derive(Clone, Debug, Default)]
pub(in crate::closure::search) struct Implied {
    pub(in crate::closure::search) dependencies: Vec<Dependency>,
    /// Sentences about dependencies that cannot be determined.
    pub(in crate::closure::search) unknown: Vec<String>,
    /// The values of `LD_LIBRARY_PATH` with which kept units start programs.
    pub(in crate::closure::search) library_paths: Vec<LibraryPath>,
    /// The users and groups that kept units, rules and the like name.
    pub(in crate::closure::search) accounts: NamedAccounts,
    /// The services of PAM that kept units and their programs open sessions with.
    pub(in crate::closure::search) pam: BTreeSet<Vec<u8>>,
}

/// Everything that was requested, and what its configuration names.
#[derive(Debug, Default)]
pub(in crate::closure::search) struct Requested {
    /// The dependencies of units and rules.
    pub(in crate::closure::search) found: Implied,
    /// The files of packages.
    pub(in crate::closure::search) members: Vec<Request>,
    /// True if `found` includes all that systemd needs.
    pub(in crate::closure::search) has_systemd: bool,
}

impl Implied {
    pub(super) fn take(&mut self, dependencies: Dependencies) {
        self.dependencies.extend(dependencies.known);
        self.unknown.extend(dependencies.unknown);
        self.library_paths.extend(dependencies.library_paths);
    }

    /// Adds a configuration file, which may be missing.
    pub(super) fn configured(&mut self, path: &[u8], reason: &str) {
        let (target, reason) = (Target::File(vec![path.to_vec()]), reason.to_owned());
        self.dependencies.push(Dependency {
            target,
            kind: Kind::Configured,
            required: false,
            reason,
            by: None,
        });
    }
}

/// The tree and what is kept of it so far.
pub(super) struct Context<'a, T> {
    pub(super) tree: &'a T,
    pub(super) keep: &'a Keep,
    pub(super) requested: &'a Requested,
    pub(super) closure: &'a Closure,
    /// True if `/etc/ld.so.cache` is to be written.
    pub(super) has_cache: bool,
}
