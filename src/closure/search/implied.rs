//! Dependencies that no path requests: those of units and rules, and those that kept files imply.
//!
//! Each provider is a file with a function `add`. Those of [`requested`] depend on the tree alone
//! and run once; those of [`implied`] see what is kept so far and run in each round, until a round
//! does not add anything. So they return everything each time, in an order that depends on
//! nothing but the tree and the requests.

mod gconv;
mod libc;
mod openssl;
mod pam;
mod rules;
mod units;

use image_tree::{Content, Directories};

use crate::closure::dependency::{Dependencies, Dependency, Target};
use crate::closure::error::Result;
use crate::closure::kept::Closure;
use crate::closure::reason::Kind;
use crate::closure::requests::{Keep, Request};

/// Dependencies that were not requested by path.
#[derive(Debug, Default)]
pub(super) struct Implied {
    pub(super) dependencies: Vec<Dependency>,
    /// Sentences about dependencies that cannot be determined.
    pub(super) unknown: Vec<String>,
}

impl Implied {
    fn take(&mut self, dependencies: Dependencies) {
        self.dependencies.extend(dependencies.known);
        self.unknown.extend(dependencies.unknown);
    }

    /// Adds a configuration file, which may be missing.
    fn configured(&mut self, path: &[u8], reason: &str) {
        let (target, reason) = (Target::File(vec![path.to_vec()]), reason.to_owned());
        self.dependencies.push(Dependency { target, kind: Kind::Configured, required: false, reason });
    }
}

/// The tree and what is kept of it so far.
struct Context<'a, T> {
    tree: &'a T,
    keep: &'a Keep,
    closure: &'a Closure,
    /// True if `/etc/ld.so.cache` is to be written.
    has_cache: bool,
}

/// Returns the requests for units and rules, and sentences about those that cannot be
/// determined.
pub(super) fn requested<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
) -> Result<(Vec<Request>, Vec<String>)> {
    let mut found = Implied::default();
    for add in [units::add, rules::add] {
        add(tree, keep, &mut found)?;
    }
    let requests =
        keep.requests.iter().cloned().chain(found.dependencies.into_iter().map(Request::Dependency));
    Ok((requests.collect(), found.unknown))
}

/// Returns the dependencies implied by the kept files: those that C libraries open by themselves,
/// and those that flags add.
pub(super) fn implied<T: Directories<Content: Content>>(
    tree: &T,
    keep: &Keep,
    closure: &Closure,
    has_cache: bool,
) -> Result<Implied> {
    let mut found = Implied::default();
    let context = Context { tree, keep, closure, has_cache };
    for add in [libc::add, gconv::add, pam::add, openssl::add] {
        add(&context, &mut found)?;
    }
    Ok(found)
}
